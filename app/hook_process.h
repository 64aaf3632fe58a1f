// One run of one hook: a child process with a deadline.
//
// The child is the leader of a process group of its own, in /, with /dev/null as input, a minimal
// environment, default signal dispositions and no descriptor of ours. What it prints goes to the
// log, line by line, bounded. It is ended with SIGTERM, then SIGKILL, to its group, at its timeout
// or when canceled; the kernel kills it when our process dies, since nobody may acquire what a
// guest needs for an engine that is gone. What it leaves in the background when it ends by itself
// lives on. Threads: run_hook() blocks its caller; any number at once. HookCancel: any thread.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "base/unique_fd.h"

namespace colo::app {

// Calls off the run that it was given to, under way or still to come.
class HookCancel {
 public:
  HookCancel();
  void cancel();
  [[nodiscard]] int fd() const { return fd_.get(); }  // readable from cancel() on

 private:
  UniqueFd fd_;
};

struct HookRun {
  std::string name;                      // for messages
  std::vector<std::string> command;      // an absolute path, and arguments
  std::vector<std::string> environment;  // "NAME=value"
  Duration timeout{};
};

// Errors, each with the hook's name and the last line it printed: "hook-failed" (exit status or
// signal), "hook-not-started", "hook-timed-out", "hook-canceled".
[[nodiscard]] Result<void> run_hook(const HookRun& run, const HookCancel& cancel);

}  // namespace colo::app
