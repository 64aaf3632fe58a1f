// Plays rounds in processes of their own, several at once: whatever happens to one, the others go
// on and everything it had started is ended and removed.
//
// Threads: the main one, before any other is made. Ownership: no process of a round outlives this.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <list>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/unique_fd.h"
#include "drill/play.h"

namespace colo::drill {

struct Job {
  const Drill* drill = nullptr;
  Assignment assignment;
};

struct Finished {
  Job job;
  nlohmann::ordered_json record;
  std::string logs;
};

class Workers {
 public:
  Workers() = default;
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  // Asks those that still play to end, waits for them, then kills.
  ~Workers();

  [[nodiscard]] std::size_t busy() const { return playing_.size(); }
  // Errors: "fork-failed".
  Result<void> start(const Job& job);
  // A round that has ended since, if any.
  std::optional<Finished> take();

 private:
  struct Playing {
    Job job;
    pid_t pid = 0;
    UniqueFd report;
    std::string text;
  };
  [[noreturn]] static void work(const Job& job, int report, pid_t parent);
  std::optional<Finished> finish(std::list<Playing>::iterator at);

  std::list<Playing> playing_;
};

}  // namespace colo::drill
