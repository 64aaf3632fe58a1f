// The two engines of a scene: started, watched through their status, ended.
//
// Threads: the main one. Ownership: destroying it kills the engines.
#pragma once

#include <map>
#include <optional>
#include <string>

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
  [[nodiscard]] bool in_state(const std::string& host, const std::string& state) const;

  // Errors: "engine-ended", unless it was us who killed it.
  Result<void> check_alive();
  // Everything of the host, with SIGKILL.
  Result<void> kill_host(const std::string& host);
  // SIGTERM, the secondary first, so that nobody takes over from a primary that says goodbye.
  // Errors: "engine-ended" naming an engine that did not end cleanly.
  Result<void> end();

 private:
  struct Engine {
    std::optional<Child> child;
    std::optional<EngineStatus> status;
    bool killed = false;
  };
  [[nodiscard]] tl::unexpected<Error> ended(const std::string& host, const std::string& how) const;

  Scene& scene_;
  std::map<std::string, Engine> engines_;
};

}  // namespace colo::demo
