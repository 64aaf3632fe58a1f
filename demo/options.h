// What the demonstration is asked to do.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace colo::demo {

enum class GuestKind { qemu, embedded };
enum class Fault { kill, cut };

struct Options {
  GuestKind guest = GuestKind::qemu;
  Fault fault = Fault::kill;
  std::uint32_t delay_ms = 100;
  std::uint32_t memory_mib = 0;  // after parse(): never 0
  std::uint32_t dirty_pages_per_second = 2000;
  std::uint32_t rounds = 1;
  std::filesystem::path json_file;  // empty: none
  std::filesystem::path keep_logs;  // empty: logs are removed
  std::filesystem::path colo;       // the engine's program
  std::filesystem::path image;      // folder with the guest's vmlinuz and initrd
};

[[nodiscard]] const char* word(GuestKind kind);
[[nodiscard]] const char* word(Fault fault);

// Options, or the exit status with which the program shall end now (help was printed, or what is
// wrong with the command line).
struct Parsed {
  std::optional<Options> options;
  int exit_status = 0;
};
[[nodiscard]] Parsed parse(int argc, const char* const* argv);

}  // namespace colo::demo
