// Where the engine's log goes, and in which form: one line per event, UTC to the millisecond.
//
// The rest of the engine logs with spdlog's default logger. Threads: set up once, before others.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"

namespace colo::app {

struct LogOptions {
  std::string level = "info";                 // trace, debug, info, warning, error
  std::optional<std::filesystem::path> file;  // appended to; standard error when absent
  std::string host;                           // named in each line
};

// Errors: "bad-log-level", "log-file".
[[nodiscard]] Result<void> set_up_log(const LogOptions& options);

}  // namespace colo::app
