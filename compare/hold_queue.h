// Output commit (law L1): a frame that the guest sent waits here until the checkpoint that its
// sending belongs to is committed on the secondary.
//
// A frame carries the epoch that was open when it was read: epoch n is open from the end of the
// standstill of checkpoint n-1 to the standstill of checkpoint n, and its frames may leave once
// checkpoint n is committed. A frame that is read late gets a later epoch: held a little longer,
// never released too early.
//
// In colo mode a frame may leave before that, by itself: when the replica was seen to send the
// same.
//
// Role: pure bookkeeping; who reads and writes frames is in io/.
// Threads: none; callers serialize. Units: bytes are of the frames alone, without headers.
// Errors: none; at a bound the queue is full(), and the caller stops reading, so that the guest
//   waits and no frame is lost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <vector>

#include "base/types.h"
#include "compare/frame.h"

namespace colo::compare {

struct HeldFrame {
  FrameId id;
  Epoch epoch;
  std::uint32_t port = 0;  // which network card
  Instant since{};
  Frame frame;  // never null
};

struct HoldLimits {
  std::size_t packets = 16384;
  std::size_t bytes = 64ULL << 20;
};

class HoldQueue {
 public:
  explicit HoldQueue(HoldLimits limits) : limits_(limits) {}

  // The epoch of frames pushed from now on; the one that is open already changes nothing (a session
  // that resumes may cut the same epoch again: what was sent between the two cuts is held a little
  // longer). REQUIRES: not earlier than before, unless nothing is held: the numbers of a whole copy
  // begin again at 1.
  void open(Epoch epoch);
  [[nodiscard]] Epoch open_epoch() const { return open_; }

  // Always takes the frame. Then ask full(): at or past a bound, stop reading, ask for a
  // checkpoint. (The caller reads one frame at a time, so the bounds are passed by less than one
  // frame.) REQUIRES: a frame.
  FrameId push(std::uint32_t port, Frame frame, Instant now);
  FrameId push(std::uint32_t port, Bytes frame, Instant now);
  [[nodiscard]] bool full() const;

  // Frames of epochs up to and including this one may leave; pop_released() gives them in order.
  // REQUIRES: earlier than open_epoch(): a checkpoint can't be complete before its epoch was
  // closed.
  void release(Epoch up_to);
  // That one frame may leave, whatever its epoch. False: it is not held (any more).
  bool release_one(FrameId id);
  // Everything held and everything pushed later may leave at once (solo); hold() ends that for what
  // is pushed from then on. A new queue does not hold.
  void release_all();
  void hold();
  [[nodiscard]] bool holding() const { return holding_; }
  // Of the frames that may leave, the one that was pushed first.
  [[nodiscard]] std::optional<HeldFrame> pop_released();

  // Forgets every frame, the released ones too: this side lost the claim. Returns how many frames.
  std::size_t drop_all();

  [[nodiscard]] std::size_t packets() const { return frames_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::optional<Instant> oldest() const;

 private:
  [[nodiscard]] bool may_leave(const HeldFrame& frame) const;

  HoldLimits limits_;
  std::map<FrameId, HeldFrame> frames_;  // with epochs that never fall
  // Released one by one; may name frames that are gone.
  std::priority_queue<FrameId, std::vector<FrameId>, std::greater<>> early_;
  std::size_t bytes_ = 0;
  Epoch open_{1};
  Epoch released_{0};
  FrameId last_{0};
  FrameId free_{0};  // up to here frames were released by release_all()
  bool holding_ = false;
};

}  // namespace colo::compare
