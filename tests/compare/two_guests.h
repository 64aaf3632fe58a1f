// A comparator between a primary and a replica that was loaded from checkpoint 1 and runs.
#pragma once

#include <vector>

#include "compare/comparator.h"
#include "tests/compare/frames.h"

namespace colo::compare {

inline Instant at_ms(std::int64_t milliseconds) {
  return Instant(std::chrono::milliseconds(milliseconds));
}

class TwoGuests {
 public:
  explicit TwoGuests(ComparatorLimits limits = {}) : comparator(limits) {
    comparator.cut(Epoch{2});
    comparator.committed(Epoch{1});
    comparator.replica_runs(Epoch{2}, now);
  }

  // Returns the number of the frame: 1, 2, ...
  std::uint64_t primary(const Bytes& frame) {
    last = last.next();
    comparator.primary_sent(last, 0, std::make_shared<const Bytes>(frame), now);
    return last.value;
  }
  void replica(const Bytes& frame, Epoch tag) { comparator.secondary_sent(tag, 0, frame, now); }
  void replica(const Bytes& frame) { replica(frame, open); }
  void both(const Bytes& frame) {
    primary(frame);
    replica(frame);
  }

  // A whole checkpoint: the replica is replaced by one that goes on from here.
  void checkpoint() {
    open = open.next();
    comparator.cut(open);
    comparator.committed(open.previous());
    comparator.replica_runs(open, now);
  }

  // The numbers of the frames that left since the last call.
  std::vector<std::uint64_t> left() {
    std::vector<std::uint64_t> ids;
    while (const auto id = comparator.pop_released()) ids.push_back(id->value);
    return ids;
  }
  // The reason, or "".
  std::string asked() {
    const auto ask = comparator.take_ask();
    return ask ? word(ask->reason) : "";
  }
  void wait_ms(std::int64_t milliseconds) {
    now += std::chrono::milliseconds(milliseconds);
    comparator.expire(now);
  }

  Comparator comparator;
  Epoch open{2};
  FrameId last{0};
  Instant now = at_ms(1000);
};

using Ids = std::vector<std::uint64_t>;

}  // namespace colo::compare
