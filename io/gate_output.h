// What the guest sent, on its way out: it waits until its checkpoint is committed, or, while
// comparing, until the replica has said the same. The hold queue has the frames, the comparator's
// verdicts release them one by one; both see the same frames and the same cuts.
// Threads: none; the gate serializes.
#pragma once

#include <optional>

#include "compare/comparator.h"
#include "compare/hold_queue.h"

namespace colo::io {

class GateOutput {
 public:
  GateOutput(compare::HoldLimits hold, const compare::ComparatorLimits& compare)
      : held_(hold), comparator_(compare) {}

  // As io::PacketGate's. Behind each of them, and behind all that says something to the comparator,
  // pop_released() may have more.
  void hold(Epoch open);
  void cut(Epoch next);
  void release(Epoch up_to);
  void release_all();
  std::size_t drop_all();
  void compare();
  void compare_not();

  void push(std::uint32_t port, Bytes frame, Instant now);
  void replica_runs(Epoch tag, Instant now);
  void replica_said(Epoch tag, std::uint32_t port, ByteView frame, Instant now);
  void expire(Instant now);
  // When expire() has something to do.
  [[nodiscard]] std::optional<Instant> deadline() const;

  [[nodiscard]] std::optional<compare::HeldFrame> pop_released() { return held_.pop_released(); }
  // Of the epoch that is open.
  [[nodiscard]] std::optional<compare::Ask> take_ask();

  // Since the last hold() or cut().
  [[nodiscard]] bool comparing() const { return state_ == State::on; }
  [[nodiscard]] Epoch open_epoch() const { return held_.open_epoch(); }
  [[nodiscard]] bool full() const { return held_.holding() && held_.full(); }
  [[nodiscard]] const compare::HoldQueue& held() const { return held_; }
  [[nodiscard]] compare::CompareFigures figures() const { return comparator_.figures(); }

 private:
  enum class State { off, from_next_cut, on };
  void settle();

  compare::HoldQueue held_;
  compare::Comparator comparator_;
  State state_ = State::off;
};

}  // namespace colo::io
