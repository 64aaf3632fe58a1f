#include "tests/sim/gate.h"

#include <cstring>

#include "tests/sim/world.h"

namespace colo::sim {

namespace {

Bytes frame_of(Point point) {
  Bytes bytes(sizeof point);
  std::memcpy(bytes.data(), &point, sizeof point);
  return bytes;
}

Point point_of(const Bytes& frame) {
  Point point = 0;
  std::memcpy(&point, frame.data(), sizeof point);
  return point;
}

}  // namespace

Gate::Gate(World& world, std::size_t host)
    : world_(world), host_(host), queue_(world.settings.hold) {}

void Gate::open(std::shared_ptr<SimGuest> inside) {
  inside_ = std::move(inside);
  pump();
}

bool Gate::read() {
  if (!inside_) return false;
  auto& outbox = inside_->outbox();
  while (!outbox.empty() && !queue_.full()) {
    queue_.push(0, frame_of(outbox.front()), world_.queue.now());
    outbox.pop_front();
    pump();
  }
  return queue_.full() && !std::exchange(stuffed_, queue_.full());
}

void Gate::hold(Epoch open) {
  pump();
  queue_.hold();
  queue_.open(open);
}

void Gate::release_all() {
  queue_.release_all();
  pump();
}

void Gate::cut(Epoch next) {
  if (inside_) {
    for (auto& outbox = inside_->outbox(); !outbox.empty(); outbox.pop_front()) {
      queue_.push(0, frame_of(outbox.front()), world_.queue.now());
    }
  }
  queue_.open(next);
  pump();
}

void Gate::release(Epoch up_to) {
  queue_.release(up_to);
  pump();
}

void Gate::drop_held() {
  queue_.drop_all();
  stuffed_ = false;
}

void Gate::pump() {
  while (const auto frame = queue_.pop_released()) {
    if (queue_.holding()) world_.reach.mark(Mark::frame_released_after_hold);
    world_.judge.spoke(host_, world_.generation_of(host_), point_of(*frame->frame),
                       queue_.holding());
  }
  if (!queue_.full()) stuffed_ = false;
}

}  // namespace colo::sim
