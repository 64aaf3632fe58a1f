#include "compare/hold_queue.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace colo::compare {

void HoldQueue::open(Epoch epoch) {
  if (epoch < open_) {
    COLO_CHECK(!holding_ || frames_.empty() || frames_.rbegin()->first <= free_);
    released_ = epoch.previous();  // what an earlier session released says nothing about this one
  }
  open_ = epoch;
}

FrameId HoldQueue::push(std::uint32_t port, Frame frame, Instant now) {
  bytes_ += frame->size();
  last_ = last_.next();
  frames_.emplace_hint(frames_.end(), last_, HeldFrame{last_, open_, port, now, std::move(frame)});
  return last_;
}

FrameId HoldQueue::push(std::uint32_t port, Bytes frame, Instant now) {
  return push(port, std::make_shared<const Bytes>(std::move(frame)), now);
}

bool HoldQueue::full() const {
  return frames_.size() >= limits_.packets || bytes_ >= limits_.bytes;
}

void HoldQueue::release(Epoch up_to) {
  COLO_CHECK(up_to < open_);  // L1
  released_ = std::max(released_, up_to);
}

bool HoldQueue::release_one(FrameId id) {
  if (frames_.find(id) == frames_.end()) return false;
  early_.push(id);
  return true;
}

void HoldQueue::release_all() { holding_ = false; }

void HoldQueue::hold() {
  if (holding_) return;
  holding_ = true;
  free_ = last_;
}

bool HoldQueue::may_leave(const HeldFrame& frame) const {
  return !holding_ || frame.id <= free_ || frame.epoch <= released_;
}

std::optional<HeldFrame> HoldQueue::pop_released() {
  auto next = frames_.begin();
  if (next == frames_.end()) return std::nullopt;
  if (!may_leave(next->second)) {
    next = frames_.end();
    while (next == frames_.end() && !early_.empty()) {
      next = frames_.find(early_.top());
      early_.pop();
    }
    if (next == frames_.end()) return std::nullopt;
  }
  HeldFrame frame = std::move(next->second);
  frames_.erase(next);
  if (frames_.empty()) early_ = {};
  bytes_ -= frame.frame->size();
  return frame;
}

std::size_t HoldQueue::drop_all() {
  const std::size_t dropped = frames_.size();
  frames_.clear();
  early_ = {};
  bytes_ = 0;
  return dropped;
}

std::optional<Instant> HoldQueue::oldest() const {
  if (frames_.empty()) return std::nullopt;
  return frames_.begin()->second.since;
}

}  // namespace colo::compare
