// The stage of a gate whose guest is a replica.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/io/gate_stage.h"

namespace colo::io::test {

class GateReplica : public GateStage {
 protected:
  void start_replica(Epoch tag, GateLimits limits = {}, ByteView flows = {}) {
    start(limits);
    ASSERT_TRUE(gate_->open_replica(tag, inside(), flows));
  }
  void deliver(Epoch tag, std::string_view text, std::uint32_t port = 0) {
    ASSERT_TRUE(gate_->deliver(tag, port, bytes_of(text)));
  }
  // Another guest process with sockets of its own.
  std::vector<InsidePort> another_guest() {
    cards_.push_back(std::make_unique<Card>(directory_, "spare" + std::to_string(cards_.size())));
    return {{"net0", cards_.back()->inside.get()}};
  }
  [[nodiscard]] bool something_reached(const Card& card) const {
    pollfd polled{card.guest.get(), POLLIN, 0};
    return ::poll(&polled, 1, 0) == 1;
  }
};

}  // namespace colo::io::test
