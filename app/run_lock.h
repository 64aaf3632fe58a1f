// One engine per guest and host: the lock on the engine's directory.
//
// The lock ends with its process, however it ends, so a socket in a directory whose lock is free
// belongs to a dead engine. Ownership: the lock is held as long as the object lives.
// Threads: none.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>

#include "base/result.h"
#include "base/unique_fd.h"

namespace colo::app {

class RunLock {
 public:
  // Creates the directory (0700) and its parents where they are missing.
  // Errors: "already-running" names the pid; "run-directory" names the path and the cause.
  [[nodiscard]] static Result<RunLock> take(const std::filesystem::path& directory);

  // The process that holds the lock; none when it is free or was never taken. Takes nothing.
  [[nodiscard]] static std::optional<pid_t> holder(const std::filesystem::path& directory);

 private:
  explicit RunLock(UniqueFd file) : file_(std::move(file)) {}
  UniqueFd file_;
};

}  // namespace colo::app
