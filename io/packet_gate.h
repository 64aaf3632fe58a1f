// Every frame of the guest passes here, so nothing leaves without it (law L1): an engine that dies
// takes its guest's output along. Outbound frames wait in compare::HoldQueue; inbound frames pass
// at once.
//
// In COLO mode the primary's gate also compares what leaves with what the replica sent, and gives
// every inbound frame to the lane too; the secondary's gate keeps its replica from the network: it
// gets its frames from the lane and sends to the lane. Frames between the hosts carry the clients'
// numbers: the secondary's gate rewrites the replica's (compare/rewriter.h), and goes on doing so
// when the replica has taken over. So a frame is rewritten right behind the guest's socket, and
// holding, comparing and the lane see what clients see.
//
// Threads: one thread of its own moves frames; all calls are safe from any thread and take effect
//   before they return. Handlers run on that thread, without a lock, and may call the gate; they
//   must not destroy it. One may still be under way when a call that ends its cause returns.
// Errors: those of a port while frames flow come through `trouble`, once until it works again:
//   "outside-down" (frames are dropped meanwhile, as by any network), "bad-frame" (the guest's
//   socket gave a length that no frame has; that port is closed).
// A gate starts closed: nothing passes in either direction, frames from outside are discarded,
//   frames of the guest stay in its socket.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "base/unique_fd.h"
#include "compare/comparator.h"
#include "compare/hold_queue.h"
#include "compare/rewriter.h"
#include "io/gate_inbox.h"

namespace colo::io {

// The network's end: "tap:NAME" or "unix:OWN,OTHER" (a datagram socket pair by paths, one Ethernet
// frame each, for guests without privileges). `port` is the nic's id.
// Errors: "outside-missing", "outside-busy", "no-permission", "bad-address": each with a remedy.
struct OutsidePort {
  std::string port;
  UniqueFd fd;
  std::string name;   // "tap0" or the path of our own socket, for messages
  std::string other;  // "unix:" only: where our frames go
};
[[nodiscard]] Result<OutsidePort> open_outside(const std::string& port, const std::string& spec);

// The guest's end, as guest::PacketPort has it (be32 length before each frame).
struct InsidePort {
  std::string port;
  int fd = -1;
};

// A frame on its way to or from the other host. Ports are numbered in the order of the nics' ids,
// so that both hosts mean the same card.
struct PortFrame {
  std::uint32_t port = 0;
  Bytes bytes;
};

struct GateLimits {
  compare::HoldLimits hold = {};
  compare::ComparatorLimits compare = {};
  compare::RewriterLimits rewriter = {};
  InboxLimits inbox = {};
};

struct GateFigures {
  std::size_t held_packets = 0, held_bytes = 0;
  Duration oldest{};
  std::uint64_t frames_out = 0, frames_in = 0, dropped_in = 0;
  compare::CompareFigures compare;
  // Of a replica: what it sent; what waits for it or for a later one, or came too late.
  std::uint64_t replica_sent = 0, late_in = 0;
  std::size_t waiting_packets = 0, waiting_bytes = 0;
};

class PacketGate {
 public:
  struct Handlers {
    std::function<void()> full;  // at a bound of the hold queue, once until there is room again
    std::function<void(Error)> trouble;

    // COLO mode. A handler that is absent is not called.
    //
    // The frames of epoch `tag` begin, for the incarnation that is loaded from the checkpoint of
    // the cut. flows: the table of rewritten connections at that cut; empty: none. Before the first
    // inbound() of that tag; one at each hold() and cut() while comparing, and of a guest that has
    // taken over, whose later secondary needs the table in any mode.
    std::function<void(Epoch tag, Bytes flows)> began = {};
    // Given to the primary's guest in this order, in the epoch `tag`.
    std::function<void(Epoch tag, std::vector<PortFrame>)> inbound = {};
    // Sent by the replica, as the clients would see it.
    std::function<void(Epoch tag, std::vector<PortFrame>)> replica_sent = {};
    // A checkpoint is asked for: by the comparator, or because the replica has more connections
    // than can be followed. tag: the epoch that is open, or the replica's.
    std::function<void(Epoch tag, compare::Ask)> asked = {};
    // More frames wait for the replica, or for the next, than may: frames are lost to it from here
    // on. Once until forget_inbound().
    std::function<void()> behind = {};
    // How many bytes inbound() and replica_sent() may be given now; below `room_bytes_min` they get
    // none: the network queues, or the replica waits, until room_again(). What a handler was given
    // counts from its call on. Called with a lock held: it only reads a number. Absent: no bound.
    std::function<std::size_t()> room = {};
  };
  // A read of a guest's socket gives no more: 64 KiB, and what was left of a frame before.
  static constexpr std::size_t room_bytes_min = 160U << 10;

  // Errors: "no-descriptors".
  static Result<std::unique_ptr<PacketGate>> start(std::vector<OutsidePort> outside,
                                                   GateLimits limits, Handlers handlers);
  virtual ~PacketGate() = default;

  // Opens both directions. REQUIRES: a port for each outside port; no replica is open. The fds stay
  // the guest's; the gate must be closed before they are. A guest that was open before goes on as
  // it was, its connections still rewritten if they were.
  virtual void open(std::span<const InsidePort> inside) = 0;
  // Frames held stay held until release() after a further open(), or drop_held().
  virtual void close() = 0;

  // Output waits from here on (protection begins) / leaves at once (solo; nothing is compared any
  // more). hold(epoch) opens that epoch; frames read before it are free to leave.
  virtual void hold(Epoch open) = 0;
  virtual void release_all() = 0;
  // The cut between two epochs. REQUIRES: the guest stands still. Reads what its socket still has,
  // which belongs to the epoch that ends, then opens `next`. The epoch that is open already may be
  // cut to again (a session that resumes): its frames are held a little longer, never less.
  virtual void cut(Epoch next) = 0;
  virtual void release(Epoch up_to) = 0;
  // Forgets all output that has not left, and compares no more. Returns how many frames.
  virtual std::size_t drop_held() = 0;

  // --- COLO mode, primary ---------------------------------------------------------------------

  // From the next hold() or cut() on: frames leave when the replica has sent the same, and what
  // comes from outside is given to `inbound` too. Begins anew if it is on already.
  virtual void compare() = 0;
  // What is held waits for its commit; `inbound` gets nothing any more.
  virtual void compare_not() = 0;
  // The incarnation whose frames carry `tag` runs: from here on its silence counts.
  virtual void replica_runs(Epoch tag) = 0;
  // A frame that the replica sent. What it sets free leaves before the call returns.
  // Errors: "bad-packet": no such port, or no frame's size.
  virtual Result<void> replica_frame(Epoch tag, std::uint32_t port, ByteView frame) = 0;

  // Makes the cut exact for inbound frames too: nothing more is taken from outside, and it waits up
  // to `patience` until the guest has read all that was written to it. True: it has. What it has
  // not read when it is stopped is neither in the checkpoint nor given to the incarnation that is
  // loaded from it. That harms no law: it is a frame that the network lost for the replica, TCP
  // sends it again, and what only one guest answers is held until the next checkpoint. (Nor can a
  // frame be known to be in the checkpoint that QEMU has read and its card has not taken.)
  // open(), release_all() and close() end it, as start_inbound() does.
  virtual bool stop_inbound(Duration patience) = 0;
  virtual void start_inbound() = 0;

  // --- COLO mode, secondary -------------------------------------------------------------------

  // The replica of an incarnation is about to run: closed to the network, whose frames are
  // discarded as by any closed gate; what waits for `tag` goes to it. flows: as `began` gave them
  // on the primary. Errors: "bad-flow-table": from the peer; the gate is as it was.
  // REQUIRES: as open(); the gate is closed.
  virtual Result<void> open_replica(Epoch tag, std::span<const InsidePort> inside,
                                    ByteView flows) = 0;
  // What the replica sends from here on waits in its socket: for take_over(), or its end.
  virtual void hold_replica() = 0;
  // The incarnation is over, and with it all that was on its way from or to it.
  virtual void close_replica() = 0;
  // A frame for the incarnation of `tag`, in the order they come. One that does not run yet has it
  // wait; of one that is over it is dropped. Errors: "bad-packet".
  virtual Result<void> deliver(Epoch tag, std::uint32_t port, ByteView frame) = 0;
  // A checkpoint was committed: of the incarnations up to `tag` none is to begin any more, and what
  // waits for one that never ran is dropped. One that runs is ended by close_replica().
  virtual void inbound_over(Epoch tag) = 0;
  // A session begins: its tags say nothing about those before. What waits for an incarnation to
  // come is dropped; a replica that runs goes on.
  virtual void forget_inbound() = 0;
  // The replica is the guest from here on: both directions open and nothing is held. Its frames
  // that are still here leave. Those that were on their way to a lost primary are not kept: TCP
  // sends them again, and other protocols know loss. False: no replica is open; whoever closed it,
  // from another thread, wants nothing of it to be heard.
  [[nodiscard]] virtual bool take_over() = 0;

  // `room` has more than when it was last asked.
  virtual void room_again() = 0;
  [[nodiscard]] virtual GateFigures figures() const = 0;
};

}  // namespace colo::io
