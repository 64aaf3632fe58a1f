#include "app/hooks.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <optional>
#include <utility>

#include "io/clock.h"

namespace colo::app {

std::string_view name(HookCause cause) {
  switch (cause) {
    case HookCause::boot:
      return "boot";
    case HookCause::takeover:
      return "takeover";
    case HookCause::switchover:
      return "switchover";
    case HookCause::give_back:
      return "give-back";
    case HookCause::lost:
      return "lost";
  }
  return "";
}

HookRunner::HookRunner(const Config& config, std::string host)
    : hooks_(config.hooks),
      // Nothing of ours is inherited: what a hook sees is the same on every day.
      environment_{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                   "LC_ALL=C.UTF-8", "COLO_GUEST=" + config.name,
                   "COLO_PEER=" + config.peer_of(host).name, "COLO_HOST=" + host} {}

Result<void> HookRunner::run(const HookConfig& hook, const char* verb, HookCause cause,
                             Generation generation, const HookCancel& cancel) const {
  HookRun run{hook.name, hook.command, environment_, hook.timeout};
  run.command.emplace_back(verb);
  run.environment.push_back("COLO_HOOK=" + hook.name);
  run.environment.push_back("COLO_GENERATION=" + std::to_string(generation.value));
  run.environment.push_back("COLO_CAUSE=" + std::string(name(cause)));
  spdlog::info("hook {}: {} ({})", hook.name, verb, name(cause));
  const Instant begun = io::steady_now();
  const auto done = run_hook(run, cancel);
  if (!done) {
    spdlog::error("{}", done.error().text());
    return done;
  }
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(io::steady_now() - begun);
  spdlog::info("hook {}: {} done in {} ms", hook.name, verb, took.count());
  return {};
}

Result<void> HookRunner::acquire(HookCause cause, Generation generation, const HookCancel& cancel) {
  while (acquired_ < hooks_.size()) {
    begun_ = acquired_ + 1;
    if (auto done = run(hooks_[acquired_], "acquire", cause, generation, cancel); !done) {
      return done;
    }
    ++acquired_;
  }
  return {};
}

Result<void> HookRunner::release(Of which, HookCause cause, Generation generation,
                                 const HookCancel& cancel) {
  std::optional<Error> first;
  for (std::size_t left = which == Of::all ? hooks_.size() : begun_; left > 0; --left) {
    auto done = run(hooks_[left - 1], "release", cause, generation, cancel);
    if (!done && !first) first = std::move(done.error());
  }
  acquired_ = begun_ = 0;
  if (first) return fail(*first);
  return {};
}

}  // namespace colo::app
