// The verbs of `colo`, behind the command line: each prints for a person and returns the exit
// status of the process.
//
// Threads: none; the calls block.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "app/config.h"
#include "app/control.h"
#include "app/log.h"

namespace colo::app {

inline constexpr int exit_ok = 0;
inline constexpr int exit_refused = 1;  // failed or refused; the reason is on standard error
inline constexpr int exit_usage = 2;    // bad usage or a bad configuration

// Which guest, and which of its hosts.
struct Target {
  std::filesystem::path file;
  std::optional<std::string> host;  // the machine's host name when absent
};

// Says it on standard error; the answer is the exit status given.
int refuse(const Error& error, int status = exit_refused);

struct Selected {
  Config config;
  std::string host;
};
// Prints every problem on standard error.
[[nodiscard]] std::optional<Selected> select(const Target& target);

[[nodiscard]] int command_run(const Target& target, LogOptions log);
[[nodiscard]] int command_check(const Target& target);
[[nodiscard]] int command_keygen(const std::filesystem::path& file);
[[nodiscard]] int command_status(const Target& target, bool json);
// checkpoint, switchover, takeover, give-back
[[nodiscard]] int command_tell(const Target& target, Command command);
// assignment: "delay=50ms", "mode=auto", "peer=10.0.0.2:7700", "peer-heartbeat=10.0.0.2:7701"
[[nodiscard]] int command_set(const Target& target, const std::string& assignment);

}  // namespace colo::app
