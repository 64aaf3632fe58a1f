#include "compare/hold_queue.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace colo::compare {

void HoldQueue::open(Epoch epoch) {
  if (epoch < open_) {
    COLO_CHECK(!holding_ || frames_.size() == free_);
    released_ = epoch.previous();  // what an earlier session released says nothing about this one
  }
  open_ = epoch;
}

bool HoldQueue::push(std::uint32_t port, Bytes frame, Instant now) {
  bytes_ += frame.size();
  frames_.push_back({open_, port, now, std::move(frame)});
  return full();
}

bool HoldQueue::full() const {
  return frames_.size() >= limits_.packets || bytes_ >= limits_.bytes;
}

void HoldQueue::release(Epoch up_to) {
  COLO_CHECK(up_to < open_);  // L1
  released_ = std::max(released_, up_to);
}

void HoldQueue::release_all() { holding_ = false; }

void HoldQueue::hold() {
  if (holding_) return;
  holding_ = true;
  free_ = frames_.size();
}

std::optional<HeldFrame> HoldQueue::pop_released() {
  if (frames_.empty()) return std::nullopt;
  if (holding_ && free_ == 0 && frames_.front().epoch > released_) return std::nullopt;
  HeldFrame frame = std::move(frames_.front());
  frames_.pop_front();
  bytes_ -= frame.bytes.size();
  if (free_ > 0) --free_;
  return frame;
}

std::size_t HoldQueue::drop_all() {
  const std::size_t dropped = frames_.size();
  frames_.clear();
  bytes_ = 0;
  free_ = 0;
  return dropped;
}

std::optional<Instant> HoldQueue::oldest() const {
  if (frames_.empty()) return std::nullopt;
  return frames_.front().since;
}

}  // namespace colo::compare
