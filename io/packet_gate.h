// Every frame of the guest passes here, so nothing leaves without it (law L1): an engine that dies
// takes its guest's output along. Outbound frames wait in compare::HoldQueue; inbound frames pass
// at once.
//
// Threads: one thread of its own moves frames; all calls are safe from any thread and take effect
//   before they return. Handlers run on that thread, without a lock, and may call the gate; they
//   must not destroy it.
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
#include "compare/hold_queue.h"

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

struct GateFigures {
  std::size_t held_packets = 0, held_bytes = 0;
  Duration oldest{};
  std::uint64_t frames_out = 0, frames_in = 0, dropped_in = 0;
};

class PacketGate {
 public:
  struct Handlers {
    std::function<void()> full;  // at a bound of the hold queue, once until there is room again
    std::function<void(Error)> trouble;
  };
  // Errors: "no-descriptors".
  static Result<std::unique_ptr<PacketGate>> start(std::vector<OutsidePort> outside,
                                                   compare::HoldLimits limits, Handlers handlers);
  virtual ~PacketGate() = default;

  // Opens both directions. REQUIRES: a port for each outside port. The fds stay the guest's; the
  // gate must be closed before they are.
  virtual void open(std::span<const InsidePort> inside) = 0;
  // Frames held stay held until release() after a further open(), or drop_held().
  virtual void close() = 0;

  // Output waits from here on (protection begins) / leaves at once (solo). hold(epoch) opens that
  // epoch; frames read before it are free to leave.
  virtual void hold(Epoch open) = 0;
  virtual void release_all() = 0;
  // The cut between two epochs. REQUIRES: the guest stands still. Reads what its socket still has,
  // which belongs to the epoch that ends, then opens `next`. The epoch that is open already may be
  // cut to again (a session that resumes): its frames are held a little longer, never less.
  virtual void cut(Epoch next) = 0;
  virtual void release(Epoch up_to) = 0;
  // Forgets all output that has not left. Returns how many frames.
  virtual std::size_t drop_held() = 0;
  [[nodiscard]] virtual GateFigures figures() const = 0;
};

}  // namespace colo::io
