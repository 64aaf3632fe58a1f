// What is still to happen, by time. Deterministic: what is due at one instant happens in the order
// in which it was added. A task belongs to a process or to none (the network, the arbiter, a
// fault): the tasks of a process that died never happen, those of one that is frozen wait until it
// thaws.
//
// Role: the simulator's clock and scheduler. Tasks live in recycled slots without an allocation.
// Threads: none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/types.h"

namespace colo::sim {

inline constexpr int no_process = -1;
inline constexpr int processes = 2;  // the engines of both hosts

class Queue {
 public:
  Queue() = default;
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue();

  [[nodiscard]] Instant now() const { return now_; }
  [[nodiscard]] std::uint64_t steps() const { return steps_; }
  [[nodiscard]] bool empty() const { return heap_.empty(); }
  [[nodiscard]] Instant next() const { return heap_.front().at; }

  template <class Task>
  void add(Instant at, int process, Task&& task) {
    using Kind = std::decay_t<Task>;
    static_assert(sizeof(Kind) <= task_bytes && alignof(Kind) <= alignof(std::max_align_t));
    const std::uint32_t slot = take_slot();
    Slot& node = slots_[slot / slab]->at(slot % slab);
    ::new (static_cast<void*>(node.bytes)) Kind(std::forward<Task>(task));
    node.run = [](void* bytes) { (*static_cast<Kind*>(bytes))(); };
    node.drop = [](void* bytes) { static_cast<Kind*>(bytes)->~Kind(); };
    node.process = process;
    node.life = process == no_process ? 0 : life_[index(process)];
    push({at < now_ ? now_ : at, order_++, slot});
  }
  template <class Task>
  void after(Duration delay, int process, Task&& task) {
    add(now_ + delay, process, std::forward<Task>(task));
  }

  // Takes the first task. REQUIRES: !empty(). False: it never happens, or not yet.
  bool step();

  void kill(int process) { ++life_[index(process)]; }
  [[nodiscard]] std::uint32_t life(int process) const { return life_[index(process)]; }
  void freeze(int process) { frozen_[index(process)] = true; }
  void thaw(int process);
  [[nodiscard]] bool frozen(int process) const { return frozen_[index(process)]; }

 private:
  static constexpr std::size_t task_bytes = 176;
  static constexpr std::size_t slab = 64;
  struct Slot {
    alignas(std::max_align_t) std::byte bytes[task_bytes];
    void (*run)(void*) = nullptr;
    void (*drop)(void*) = nullptr;
    int process = no_process;
    std::uint32_t life = 0;
  };
  struct Entry {
    Instant at;
    std::uint64_t order = 0;
    std::uint32_t slot = 0;
    friend bool operator<(const Entry& a, const Entry& b) {
      return a.at != b.at ? a.at > b.at : a.order > b.order;  // the earliest first
    }
  };

  static std::size_t index(int process) { return static_cast<std::size_t>(process); }
  std::uint32_t take_slot();
  void push(Entry entry);
  Slot& node(std::uint32_t slot) { return slots_[slot / slab]->at(slot % slab); }
  void discard(std::uint32_t slot);

  Instant now_{};
  std::uint64_t order_ = 0;
  std::uint64_t steps_ = 0;
  std::vector<Entry> heap_;
  std::vector<std::unique_ptr<std::array<Slot, slab>>> slots_;
  std::vector<std::uint32_t> free_;
  std::array<std::uint32_t, processes> life_{};
  std::array<bool, processes> frozen_{};
  std::array<std::vector<Entry>, processes> parked_;
};

}  // namespace colo::sim
