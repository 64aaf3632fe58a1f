// Programs that the demonstration starts, and ends by their id.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace colo::demo {

struct Command {
  std::vector<std::string> arguments;    // the first is the program's path
  int network_namespace = -1;            // an open one, or -1: ours
  std::filesystem::path log;             // where its output goes
  std::filesystem::path directory = {};  // its working directory; empty: ours
};

// A running program. Ownership: destroying it kills and reaps it.
class Child {
 public:
  // The program is killed when the demonstration dies, whatever ends that, also where it is stopped
  // and could not end by itself. REQUIRES: called from the main
  // thread, since the kernel means the death of the thread that started it.
  static Result<Child> start(const Command& command);
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child();

  [[nodiscard]] pid_t pid() const { return pid_; }
  // How it ended ("exit status 1", "signal 9"), once it has.
  std::optional<std::string> ended();
  // Asks it to end, waits, then kills. Returns how it ended.
  std::string end(std::chrono::milliseconds patience);

 private:
  Child(pid_t pid, UniqueFd handle) : pid_(pid), handle_(std::move(handle)) {}
  bool wait(std::chrono::milliseconds time);

  pid_t pid_ = 0;  // 0: moved from
  UniqueFd handle_;
  std::optional<std::string> ended_;
};

// Runs a program to its end; returns its output. Errors: "command-failed" with that output.
Result<std::string> run(const std::vector<std::string>& arguments);

}  // namespace colo::demo
