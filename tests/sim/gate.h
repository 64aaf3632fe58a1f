// The packet gate of a simulated engine: as io::PacketGate, over the real hold queue. The guest's
// socket is read a little late, so that frames wait in it when a cut comes.
// Threads: none.
#pragma once

#include <memory>

#include "compare/hold_queue.h"
#include "tests/sim/sim_guest.h"

namespace colo::sim {

class Gate {
 public:
  Gate(World& world, std::size_t host);

  void open(std::shared_ptr<SimGuest> inside);
  void close() { inside_.reset(); }
  void hold(Epoch open);
  void release_all();
  void cut(Epoch next);
  void release(Epoch up_to);
  void drop_held();
  // Reads what the guest's socket has. True: the queue is full, and it was not a moment ago.
  bool read();
  [[nodiscard]] bool holding() const { return queue_.holding(); }

 private:
  void pump();

  World& world_;
  const std::size_t host_;
  compare::HoldQueue queue_;
  std::shared_ptr<SimGuest> inside_;
  bool stuffed_ = false;
};

}  // namespace colo::sim
