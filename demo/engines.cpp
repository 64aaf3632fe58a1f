#include "demo/engines.h"

#include <sys/wait.h>

#include <algorithm>

namespace colo::demo {
namespace {

constexpr auto end_patience = std::chrono::seconds(15);

}  // namespace

Result<void> Engines::start() {
  for (const char* host : {"alpha", "beta"}) {
    if (auto started = start(host); !started) return started;
  }
  return {};
}

Result<void> Engines::start(const std::string& host) {
  Engine& engine = engines_[host];
  engine = {};  // kills and reaps what may be left of the last one
  auto child = scene_.start_engine(host);
  if (!child) return fail(child.error());
  engine.child.emplace(std::move(*child));
  return {};
}

pid_t Engines::pid(const std::string& host) const {
  const auto found = engines_.find(host);
  return found == engines_.end() || !found->second.child ? 0 : found->second.child->pid();
}

std::vector<pid_t> Engines::processes_of(const std::string& host) const {
  const auto found = engines_.find(host);
  if (found == engines_.end() || !found->second.child) return {};
  return scene_.processes_of(host, *found->second.child);
}

bool Engines::gone(const std::string& host) {
  Engine& engine = engines_[host];
  return !engine.child || engine.child->ended().has_value();
}

void Engines::set_frozen(const std::string& host, bool frozen) { engines_[host].frozen = frozen; }

void Engines::expect_end(const std::string& host) { engines_[host].killed = true; }

void Engines::look() {
  for (auto& [host, engine] : engines_) {
    if (engine.killed || engine.frozen || !engine.child || engine.child->ended()) continue;
    const auto asked = std::chrono::steady_clock::now();
    auto status = ask_status(scene_.folder().control_socket(host));
    if (!status) continue;
    engine.status = std::move(*status);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - asked;
    slowest_ms_ = std::max(slowest_ms_, took.count());
  }
}

const std::optional<EngineStatus>& Engines::status(const std::string& host) const {
  static const std::optional<EngineStatus> none;
  const auto found = engines_.find(host);
  return found == engines_.end() ? none : found->second.status;
}

bool Engines::in_state(const std::string& host, const std::string& state) const {
  const auto& known = status(host);
  return known && known->state == state;
}

tl::unexpected<Error> Engines::ended(const std::string& host, const std::string& how) const {
  return fail("engine-ended",
              "the engine of " + host + " ended with " + how + ":\n" + scene_.folder().tail(host));
}

Result<void> Engines::check_alive() {
  for (auto& [host, engine] : engines_) {
    if (engine.killed || !engine.child) continue;
    if (const auto how = engine.child->ended()) return ended(host, *how);
  }
  return {};
}

Result<void> Engines::kill_host(const std::string& host) {
  Engine& engine = engines_[host];
  engine.killed = true;
  return scene_.kill_host(host, *engine.child);
}

Result<void> Engines::end(const std::string& secondary) {
  Result<void> result;
  for (const std::string& host : {secondary, std::string(secondary == "beta" ? "alpha" : "beta")}) {
    Engine& engine = engines_[host];
    if (!engine.child) continue;
    const std::string how = engine.child->end(end_patience);
    if (!engine.killed && how != "exit status 0" && result) result = ended(host, how);
  }
  // Guests of killed engines are our orphans now.
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  return result;
}

}  // namespace colo::demo
