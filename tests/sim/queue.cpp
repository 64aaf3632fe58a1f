#include "tests/sim/queue.h"

#include <algorithm>

namespace colo::sim {

Queue::~Queue() {
  for (const Entry& entry : heap_) discard(entry.slot);
  for (const auto& parked : parked_) {
    for (const Entry& entry : parked) discard(entry.slot);
  }
}

std::uint32_t Queue::take_slot() {
  if (free_.empty()) {
    const auto first = static_cast<std::uint32_t>(slots_.size() * slab);
    slots_.push_back(std::make_unique<std::array<Slot, slab>>());
    for (std::uint32_t i = slab; i > 0; --i) free_.push_back(first + i - 1);
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  return slot;
}

void Queue::push(Entry entry) {
  heap_.push_back(entry);
  std::push_heap(heap_.begin(), heap_.end());
}

void Queue::discard(std::uint32_t slot) {
  node(slot).drop(node(slot).bytes);
  free_.push_back(slot);
}

bool Queue::step() {
  std::pop_heap(heap_.begin(), heap_.end());
  const Entry entry = heap_.back();
  heap_.pop_back();
  if (entry.at > now_) now_ = entry.at;
  Slot& task = node(entry.slot);
  if (task.process != no_process) {
    if (task.life != life_[index(task.process)]) {
      discard(entry.slot);
      return false;
    }
    if (frozen_[index(task.process)]) {
      parked_[index(task.process)].push_back(entry);
      return false;
    }
  }
  ++steps_;
  task.run(task.bytes);
  discard(entry.slot);
  return true;
}

void Queue::thaw(int process) {
  frozen_[index(process)] = false;
  std::vector<Entry> parked;
  parked.swap(parked_[index(process)]);
  for (const Entry& entry : parked) push({now_, order_++, entry.slot});
}

}  // namespace colo::sim
