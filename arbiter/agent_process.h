// One run of a fence agent, with a deadline.
//
// The agent leads a process group of its own; when it has ended, or at the deadline, the whole
// group is killed, and the kernel kills the agent when our process dies. Its input is a file in
// memory, so writing it cannot block. Threads: any; blocks until the deadline at most (and a second
// for the kernel to take a killed process away). Errors: "fence-agent-missing", "fence-timeout".
#pragma once

#include <filesystem>
#include <string>

#include "base/result.h"
#include "base/types.h"

namespace colo::arbiter {

struct AgentExit {
  int status = -1;     // 128 and the signal, if that ended it
  std::string output;  // the last part of what it said, both streams
};

// An absolute path, or where PATH or /usr/sbin have the program.
[[nodiscard]] Result<std::filesystem::path> find_agent(const std::string& agent);

[[nodiscard]] Result<AgentExit> run_agent(const std::filesystem::path& agent,
                                          const std::string& input, Duration timeout);

}  // namespace colo::arbiter
