// SIGINT, SIGTERM and SIGHUP as something to wait for, so that an interrupted demonstration
// unwinds like a finished one and leaves nothing behind.
//
// REQUIRES: made before any other thread, which inherit its signal mask.
#pragma once

#include <chrono>
#include <functional>

#include "base/result.h"
#include "base/unique_fd.h"

namespace colo::demo {

class Interrupt {
 public:
  Interrupt();
  // Waits; true as soon as a signal has come, now or earlier.
  bool wait(std::chrono::milliseconds time);

  // Asks `condition` again and again until it says true, fails, or the time is over.
  // Errors: "interrupted", "timeout" (naming `what`), and those of the condition.
  Result<void> until(const std::string& what, std::chrono::milliseconds patience,
                     const std::function<Result<bool>()>& condition);

 private:
  UniqueFd signals_;
  bool seen_ = false;
};

}  // namespace colo::demo
