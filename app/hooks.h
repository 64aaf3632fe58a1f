// The hooks of a guest: programs of the operator that acquire what the guest needs on a host
// (addresses, locks, storage) before it runs there, and release it after it left.
//
// Each is called with one more argument, `acquire` or `release`, and the environment that
// docs/operations.md lists. Both must be repeatable, and `release` must succeed where nothing is
// held: it is also called after an acquire that failed halfway.
// Threads: one caller at a time, which is blocked; cancel from any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "app/config.h"
#include "app/hook_process.h"
#include "base/result.h"
#include "base/types.h"

namespace colo::app {

// Why: COLO_CAUSE.
enum class HookCause { boot, takeover, switchover, give_back, lost };
[[nodiscard]] std::string_view name(HookCause cause);  // "boot", .. "give-back", "lost"

class HookRunner {
 public:
  // Errors: as run_hook(), the reason begins with "hook NAME: ".
  HookRunner(const Config& config, std::string host);

  // In order, from the first that is not acquired: so a retry begins with the hook that failed, and
  // what is acquired is not acquired again. The first failure ends it.
  Result<void> acquire(HookCause cause, Generation generation, const HookCancel& cancel);

  // acquired: those that acquire() did, or began. all: for what an earlier run of this engine may
  // have left.
  enum class Of { acquired, all };
  // In reverse order. One that fails is named in the error (the first of them) and does not keep
  // the others; afterwards all count as released.
  Result<void> release(Of which, HookCause cause, Generation generation, const HookCancel& cancel);

  [[nodiscard]] std::size_t acquired() const { return acquired_; }
  [[nodiscard]] std::size_t count() const { return hooks_.size(); }

 private:
  Result<void> run(const HookConfig& hook, const char* verb, HookCause cause, Generation generation,
                   const HookCancel& cancel) const;

  std::vector<HookConfig> hooks_;
  std::vector<std::string> environment_;  // what is the same for every run
  std::size_t acquired_ = 0;
  std::size_t begun_ = 0;  // acquired_, and one more if that one failed
};

}  // namespace colo::app
