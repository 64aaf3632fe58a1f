// The two engines of a scene: started, watched through their status, ended.
//
// Threads: the main one. Ownership: destroying it kills the engines.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "demo/engine_status.h"
#include "demo/process.h"
#include "demo/scene.h"

namespace colo::demo {

class Engines {
 public:
  explicit Engines(Scene& scene) : scene_(scene) {}

  Result<void> start();
  // Asks every living engine once. An engine that does not answer keeps its last status.
  void look();
  // The last status, also of a dead engine; empty before the first.
  [[nodiscard]] const std::optional<EngineStatus>& status(const std::string& host) const;
  // The longest time that a living engine took to answer, since it was last asked for.
  [[nodiscard]] double take_slowest_ms() { return std::exchange(slowest_ms_, 0.0); }
  [[nodiscard]] bool in_state(const std::string& host, const std::string& state) const;

  // One of them, again after it was killed or has ended. REQUIRES: called from the main thread.
  Result<void> start(const std::string& host);
  [[nodiscard]] pid_t pid(const std::string& host) const;
  [[nodiscard]] std::vector<pid_t> processes_of(const std::string& host) const;
  // Nobody is left of it.
  [[nodiscard]] bool gone(const std::string& host);
  // An engine that cannot answer is not asked: it would only be waited for.
  void set_frozen(const std::string& host, bool frozen);
  // From now on its end is no surprise.
  void expect_end(const std::string& host);

  // Errors: "engine-ended", unless it was us who killed it.
  Result<void> check_alive();
  // Everything of the host, with SIGKILL.
  Result<void> kill_host(const std::string& host);
  // SIGTERM, to the secondary first, so that nobody takes over from a primary that says goodbye.
  // Errors: "engine-ended" naming an engine that did not end cleanly.
  Result<void> end(const std::string& secondary = "beta");

 private:
  struct Engine {
    std::optional<Child> child;
    std::optional<EngineStatus> status;
    bool killed = false;
    bool frozen = false;
  };
  [[nodiscard]] tl::unexpected<Error> ended(const std::string& host, const std::string& how) const;

  Scene& scene_;
  std::map<std::string, Engine> engines_;
  double slowest_ms_ = 0;
};

}  // namespace colo::demo
