// What the demonstration is asked to do.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "demo/setting.h"

namespace colo::demo {

enum class Fault { kill, cut };

struct Options : Setting {  // memory_mib: never 0 after parse()
  Fault fault = Fault::kill;
  std::uint32_t rounds = 1;
  // Of each conversation: without protection, protected, behind the fault.
  std::chrono::milliseconds talk{0};  // never 0 after parse()
  // colo.max_interval: in COLO mode a checkpoint comes at the latest after this.
  std::chrono::milliseconds max_interval{10000};
  std::filesystem::path json_file;  // empty: none
  std::filesystem::path keep_logs;  // empty: logs are removed
};

[[nodiscard]] const char* word(Fault fault);

// Options, or the exit status with which the program shall end now (help was printed, or what is
// wrong with the command line).
struct Parsed {
  std::optional<Options> options;
  int exit_status = 0;
};
[[nodiscard]] Parsed parse(int argc, const char* const* argv);

}  // namespace colo::demo
