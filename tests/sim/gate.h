// The packet gate of a simulated engine: as io::PacketGate, over the real hold queue, comparator
// and rewriter. The guest's socket is read a little late, so that frames wait in it when a cut
// comes. What it says to its engine comes in the engine's next turn, in its order. Threads: none.
#pragma once

#include <deque>
#include <memory>

#include "compare/comparator.h"
#include "compare/hold_queue.h"
#include "compare/rewriter.h"
#include "tests/sim/sim_guest.h"

namespace colo::sim {

class Gate {
 public:
  Gate(World& world, std::size_t host);

  void open(std::shared_ptr<SimGuest> inside);
  void close();
  void hold(Epoch open);
  void release_all();
  void cut(Epoch next);
  void release(Epoch up_to);
  void drop_held();
  // Reads what the guest's socket has. True: the queue is full, and it was not a moment ago.
  bool read();
  [[nodiscard]] bool holding() const { return queue_.holding(); }
  [[nodiscard]] bool is_inside(const SimGuest& guest) const { return inside_.get() == &guest; }
  // From the network.
  void outside(const Bytes& frame);

  // --- COLO mode -------------------------------------------------------------------------------
  void compare();  // from the next cut on
  void compare_not();
  void replica_runs(Epoch tag);
  void replica_frame(Epoch tag, const Bytes& frame);

  Result<void> open_replica(Epoch tag, std::shared_ptr<SimGuest> inside, ByteView flows);
  void hold_replica() { replica_held_ = true; }
  void close_replica();
  void deliver(Epoch tag, const Bytes& frame);
  void forget_inbound();
  void take_over();

 private:
  enum class Who { nobody, guest, replica };
  enum class Comparing { no, from_next_cut, yes };
  struct Later {
    Epoch tag;
    Bytes frame;
  };

  void pump();
  void judged();
  void arm();
  void new_epoch();
  void from_guest(Bytes frame);
  void push(Bytes frame);
  void to_guest(Bytes frame);
  void close_inbox();
  void give_waiting();
  void pass_sent();

  World& world_;
  const std::size_t host_;
  compare::HoldQueue queue_;
  compare::Comparator comparator_;
  Comparing comparing_ = Comparing::no;
  std::optional<compare::Rewriter> rewriter_;
  std::shared_ptr<SimGuest> inside_;
  std::weak_ptr<SimGuest> last_inside_;  // also where it is closed
  Who who_ = Who::nobody;
  bool stuffed_ = false;
  std::optional<Instant> armed_;

  // of a replica
  Epoch replica_;  // its tag
  bool replica_held_ = false;
  std::deque<Later> sent_;   // on its way to the lane
  std::deque<Later> later_;  // for incarnations that do not run yet
  std::deque<Bytes> now_;    // for the one that runs
  std::optional<Epoch> running_;
  Epoch over_{0};         // incarnations up to here are over
  bool foreign_ = false;  // the running one's tag is of an earlier session
  bool behind_ = false;
};

}  // namespace colo::sim
