#include "io/gate_inbox.h"

#include <algorithm>
#include <utility>

namespace colo::io {

bool GateInbox::add(Epoch tag, std::uint32_t port, ByteView frame) {
  if (tag <= over_ || (running_ && !foreign_ && tag < *running_)) {
    ++late_;
    return true;
  }
  behind_ = behind_ || packets_ >= limits_.packets || frame.size() > limits_.bytes - bytes_;
  if (behind_) return false;
  ++packets_;
  bytes_ += frame.size();
  Bytes bytes(frame.begin(), frame.end());
  if (tag == running_) {
    now_[port].push_back(std::move(bytes));
  } else {
    later_.push_back({tag, port, std::move(bytes)});
  }
  return true;
}

void GateInbox::open(Epoch tag) {
  close();
  running_ = tag;
  std::deque<Later> later = std::exchange(later_, {});
  for (Later& one : later) {
    if (one.tag > tag) {
      later_.push_back(std::move(one));
    } else if (one.tag == tag) {
      now_[one.port].push_back(std::move(one.frame));
    } else {
      took(one.frame);
      ++late_;
    }
  }
}

void GateInbox::close() {
  for (std::deque<Bytes>& frames : now_) {
    for (const Bytes& frame : frames) took(frame);
    frames.clear();
  }
  if (running_ && !foreign_) over_ = std::max(over_, *running_);
  running_.reset();
  foreign_ = false;
}

void GateInbox::over(Epoch tag) {
  over_ = std::max(over_, tag);
  std::deque<Later> later = std::exchange(later_, {});
  for (Later& one : later) {
    if (one.tag > over_) {
      later_.push_back(std::move(one));
    } else {
      took(one.frame);
      ++late_;
    }
  }
}

void GateInbox::forget() {
  for (const Later& one : later_) took(one.frame);
  later_.clear();
  over_ = {};
  foreign_ = running_.has_value();
  behind_ = false;
}

void GateInbox::settle() {
  running_.reset();
  forget();
}

std::optional<Bytes> GateInbox::next(std::size_t port) {
  if (now_[port].empty()) return std::nullopt;
  Bytes frame = std::move(now_[port].front());
  now_[port].pop_front();
  took(frame);
  return frame;
}

void GateInbox::took(const Bytes& frame) {
  --packets_;
  bytes_ -= frame.size();
}

}  // namespace colo::io
