// The embedded guest's device state: everything that it knows beyond its memory.
//
// As bytes: magic u32, format version u32, size of the body u64, XXH3-64 of the body u64, body;
// big-endian. A buffer of which any of these does not fit is refused with "load-failed".
#pragma once

#include <array>
#include <cstdint>

#include "base/result.h"
#include "base/types.h"

namespace colo::guest::embedded {

inline constexpr std::size_t worker_count = 2;

struct WorkerRegisters {
  std::uint64_t steps = 0;      // pages rewritten
  std::uint64_t generator = 0;  // the random generator that chooses them
  friend bool operator==(const WorkerRegisters&, const WorkerRegisters&) = default;
};

struct Registers {
  std::uint64_t ram_pages = 0;  // of the machine; never changes
  std::uint64_t ledger_sequence = 0;
  std::uint64_t ledger_digest = 0;
  std::uint64_t frames_received = 0;
  std::uint64_t frames_sent = 0;
  std::array<WorkerRegisters, worker_count> workers;
  friend bool operator==(const Registers&, const Registers&) = default;
};

[[nodiscard]] Bytes encode(const Registers& registers);
[[nodiscard]] Result<Registers> decode_registers(ByteView state);

}  // namespace colo::guest::embedded
