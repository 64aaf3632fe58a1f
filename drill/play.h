// Plays one round of a drill on a pair of its own: from nothing to a protected guest, through the
// faults, their healing and back to a protected guest, then judges.
//
// Threads: the main one of its process (see demo::Child). Ownership: everything it started is gone
// when it returns.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "demo/interrupt.h"
#include "drill/record.h"

namespace colo::drill {

struct Assignment {
  demo::GuestKind guest = demo::GuestKind::qemu;
  std::string mode = "periodic";
  std::filesystem::path colo, image;
  std::filesystem::path keep_logs;  // empty: they are removed
  std::uint32_t round = 1, attempt = 1;
  std::uint64_t seed = 0;
};

struct Played {
  Record record;
  std::string logs;  // the ends of both engines' logs, where something failed
};

// REQUIRES: the drill as it is played in the assignment's mode: see in_mode().
[[nodiscard]] Played play(const Drill& drill, const Assignment& assignment,
                          demo::Interrupt& interrupt);

}  // namespace colo::drill
