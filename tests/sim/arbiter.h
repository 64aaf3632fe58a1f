// The simulated arbiter: the semantics of heartbeat::Arbiter (a claim is atomic, idempotent by
// owner and run), behind a service that may be down, slow, out of reach of one host, or late: a
// request can count after its asker has given up, and an answer can be lost. Threads: none.
#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "base/result.h"
#include "heartbeat/arbiter.h"

namespace colo::sim {

class World;

class SimArbiter {
 public:
  explicit SimArbiter(World& world) : world_(world) {}

  using Claimed = std::function<void(Result<heartbeat::ClaimAnswer>)>;
  using Read = std::function<void(Result<heartbeat::Ownership>)>;
  // Answered on the asking engine, once; never if its process ends before. One engine asks one
  // thing after the other: the caller sees to it.
  void claim(std::size_t host, heartbeat::Claim claim, Claimed answered);
  void current(std::size_t host, Read answered);

  [[nodiscard]] heartbeat::Ownership owner() const {
    return owners_.empty() ? heartbeat::Ownership{} : owners_.back();
  }

  // As the history tells; empty if that host never owned the guest.
  [[nodiscard]] std::string last_run_of(const std::string& host) const;
  [[nodiscard]] bool reachable(std::size_t host) const { return down_[host] == 0 && !slow_; }

  // --- faults --------------------------------------------------------------------------------
  void down(std::size_t host, bool is) { down_[host] += is ? 1 : -1; }
  void slow(bool is) { slow_ = is; }
  void lose_answers(int count) { lost_answers_ += count; }
  void be_late(int count) { late_ += count; }
  void heal();

 private:
  heartbeat::ClaimAnswer decide(std::size_t host, const heartbeat::Claim& claim);
  [[nodiscard]] Duration latency();
  template <class Answer>
  void unanswered(std::size_t host, const Answer& answered, bool slowly);

  World& world_;
  std::vector<heartbeat::Ownership> owners_;
  int down_[2] = {0, 0};
  bool slow_ = false;
  int lost_answers_ = 0;
  int late_ = 0;
};

}  // namespace colo::sim
