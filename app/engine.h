// The daemon of one side: runs until the guest ended, the operator ended it, or it failed.
#pragma once

#include <filesystem>
#include <string>

#include "app/config.h"

namespace colo::app {

struct RunOptions {
  std::filesystem::path config_file;  // as the operator named it: for the commands that we advise
};

// Returns the exit status of the process: 0 ended as asked, 1 failed (the log says why).
// REQUIRES: `host` is one of the two; the log is set up; this process holds the RunLock of
//   config.engine_directory(host), which exists; check_host() found nothing fatal.
[[nodiscard]] int run_engine(const Config& config, const std::string& host,
                             const RunOptions& options);

}  // namespace colo::app
