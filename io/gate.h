// The packet gate's inside: what io/packet_gate.h promises, on one thread and one lock. The calls
// are in packet_gate.cpp, the thread's turns in gate_turns.cpp; the parts that need no socket are
// GateOutput (hold, compare), GateInbox (what comes for a replica) and FrameBatches (what goes to
// the lane).
// Threads: a function that is not a call of PacketGate's is called with the lock held.
#pragma once

#include <poll.h>

#include <array>
#include <mutex>
#include <thread>

#include "io/gate_batches.h"
#include "io/gate_inbox.h"
#include "io/gate_output.h"
#include "io/gate_port.h"
#include "io/packet_gate.h"

namespace colo::io {

class Gate : public PacketGate {
 public:
  Gate(UniqueFd wake, std::vector<OutsidePort> outside, GateLimits limits, Handlers handlers);
  ~Gate() override;

  void open(std::span<const InsidePort> inside) override;
  void close() override;
  void hold(Epoch open) override;
  void release_all() override;
  void cut(Epoch next) override;
  void release(Epoch up_to) override;
  std::size_t drop_held() override;

  void compare() override;
  void compare_not() override;
  void replica_runs(Epoch tag) override;
  Result<void> replica_frame(Epoch tag, std::uint32_t port, ByteView frame) override;
  bool stop_inbound(Duration patience) override;
  void start_inbound() override;

  Result<void> open_replica(Epoch tag, std::span<const InsidePort> inside, ByteView flows) override;
  void hold_replica() override;
  void close_replica() override;
  Result<void> deliver(Epoch tag, std::uint32_t port, ByteView frame) override;
  void inbound_over(Epoch tag) override;
  void forget_inbound() override;
  bool take_over() override;

  void room_again() override { wake(); }
  [[nodiscard]] GateFigures figures() const override;

 private:
  // Whose frames pass: nobody's; the guest's, to and from the network; a replica's, to and from the
  // lane.
  enum class Who { nobody, guest, replica };
  struct Asked {
    Epoch tag;
    compare::Ask ask;
  };
  // What the handlers are to be told.
  struct News {
    bool full = false, behind = false;
    std::vector<Error> troubles;
    std::vector<FrameBatch> inbound, sent;
    std::vector<Asked> asked;
  };

  void wake() const;
  bool attach(std::span<const InsidePort> inside);
  void detach();
  void new_epoch();
  [[nodiscard]] Result<void> check(std::uint32_t port, ByteView frame) const;

  void pump();
  [[nodiscard]] bool waiting() const;
  [[nodiscard]] bool stuffed() const;
  [[nodiscard]] bool room_for(const FrameBatches& batches) const;
  [[nodiscard]] bool may_read_guest() const;
  [[nodiscard]] bool may_read_outside(std::size_t index) const;
  void judged();
  void note_trouble(GatePort& port);
  void from_guest(std::size_t index, Bytes frame);
  bool read_inside(std::size_t index);
  void take_output(std::size_t index);
  void take_input(std::size_t index);
  void give_waiting(std::size_t index);
  [[nodiscard]] std::optional<Instant> early_until(std::size_t index);
  void to_guest(std::size_t index, MutableBytes frame, Instant now);

  // The thread.
  void run();
  void tell(std::unique_lock<std::mutex>& lock);
  [[nodiscard]] News news();
  int prepare(std::vector<pollfd>& polled);
  void move(const std::vector<pollfd>& polled);

  const GateLimits limits_;
  const Handlers handlers_;
  const UniqueFd wake_;

  mutable std::mutex mutex_;     // guards all below
  std::vector<GatePort> ports_;  // in the order of their names
  Who who_ = Who::nobody;
  GateOutput output_;
  // At work for a replica, and for a guest that was one.
  std::optional<compare::Rewriter> rewriter_;
  FrameBatches inbound_;  // for the handlers of these names
  FrameBatches sent_;
  GateInbox inbox_;
  Epoch replica_;  // its tag
  bool replica_held_ = false;
  bool inbound_stopped_ = false;
  std::vector<Error> troubles_;
  std::vector<Asked> asked_;
  std::uint64_t frames_in_ = 0;
  std::uint64_t dropped_in_ = 0;
  std::uint64_t replica_sent_ = 0;
  std::uint64_t turn_ = 0;                 // grows whenever the descriptors change
  Instant asleep_until_ = Instant::max();  // the thread, unless it is woken
  bool told_full_ = false;
  bool told_flows_ = false;
  bool behind_ = false;
  bool told_behind_ = false;
  bool stop_ = false;
  std::array<std::byte, packet_bytes_max + 1> space_{};
  std::thread thread_;
};

}  // namespace colo::io
