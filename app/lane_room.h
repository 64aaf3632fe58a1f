// How much of the network's traffic is on its way into the control lane, so that the gate stops
// reading in time: what its thread gave to the loop, and what the lane has queued since.
//
// Threads: left() and given() any; the others the loop's.
#pragma once

#include <atomic>

#include "io/control_lane.h"
#include "io/packet_gate.h"

namespace colo::app {

class LaneRoom {
 public:
  [[nodiscard]] std::size_t left() const {
    if (free() < io::PacketGate::room_bytes_min) refused_ = true;
    return free();  // anew: what became free in between saw nothing refused
  }
  // There is room again for who was refused. The lane says so only where it was crowded itself.
  [[nodiscard]] bool again() {
    return refused_ && free() >= io::PacketGate::room_bytes_min && refused_.exchange(false);
  }
  void given(std::size_t bytes) { given_ += bytes; }
  void taken(std::size_t bytes) { given_ -= bytes; }
  void queued(std::size_t bytes) { queued_ = bytes; }

 private:
  // A lane calls only once it was past its bound: a little below that there must be room yet.
  static constexpr std::size_t bytes_max =
      io::control_room_bytes + 2 * io::PacketGate::room_bytes_min;
  [[nodiscard]] std::size_t free() const {
    const std::size_t used = given_ + queued_;
    return used < bytes_max ? bytes_max - used : 0;
  }

  mutable std::atomic<bool> refused_{false};
  std::atomic<std::size_t> given_{0};
  std::atomic<std::size_t> queued_{0};
};

}  // namespace colo::app
