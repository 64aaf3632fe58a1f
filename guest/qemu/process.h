// One child process that cannot outlive us: it is killed when this object ends, and by the kernel
// when our process dies by whatever cause. Its output goes to a log file.
// Ownership: the process, its pidfd, its zombie.
// Threads: safe for one caller at a time; end_fd() may be polled from any thread. The child is made
//   by a thread of its own that lives as long as this object, since the kernel's parent-death
//   signal fires when the thread that made the child ends.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace colo::guest {

struct ProcessPlan {
  std::vector<std::string> command;  // program (looked up in PATH) and arguments
  std::vector<int> inherited;        // descriptors that the child keeps, under the same numbers
  std::filesystem::path log;         // appended to
};

// How long a process that must be ending by itself is given.
inline constexpr int end_timeout_ms = 2000;

class Process {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Process>> start(ProcessPlan plan);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] int end_fd() const { return pidfd_.get(); }
  [[nodiscard]] bool wait_end(int timeout_ms) const;
  // "exited with status 1", "was killed by signal 9"; nothing while it runs.
  [[nodiscard]] std::optional<std::string> how_it_ended();
  // The last lines that this process wrote to its log, joined by " | ".
  [[nodiscard]] std::string last_words() const;

 private:
  Process() = default;

  pid_t pid_ = 0;
  UniqueFd pidfd_;
  std::filesystem::path log_;
  std::uintmax_t log_start_ = 0;
  std::optional<std::string> ended_;
  std::promise<void> release_keeper_;
  std::thread keeper_;
};

}  // namespace colo::guest
