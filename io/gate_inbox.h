// Frames that come over the lane for the replica, by tag: of the incarnation that runs they are
// given in their order; of one that does not run yet they wait; of one that is over they are
// dropped.
// Threads: none; the gate serializes. Bounded: at a bound the replica has fallen behind for good.
#pragma once

#include <deque>
#include <optional>
#include <vector>

#include "base/types.h"

namespace colo::io {

struct InboxLimits {
  std::size_t packets = 65'536;
  std::size_t bytes = 64U << 20;
};

class GateInbox {
 public:
  GateInbox(std::size_t ports, InboxLimits limits) : limits_(limits), now_(ports) {}

  // False: no room; this frame and all further ones are dropped, until forget().
  // REQUIRES: a port of ours.
  bool add(Epoch tag, std::uint32_t port, ByteView frame);
  // The incarnation of `tag` runs.
  void open(Epoch tag);
  // It is over; what waits for later ones goes on waiting.
  void close();
  // No incarnation up to that tag is to run any more, whether it ever did or not.
  void over(Epoch tag);
  // Of the incarnations to come nothing is known any more, so their tags may be any. The running
  // one goes on.
  void forget();
  // The running one became the guest: what came for it is still given, and nothing is taken more.
  void settle();

  [[nodiscard]] bool waiting(std::size_t port) const { return !now_[port].empty(); }
  // REQUIRES: waiting().
  [[nodiscard]] const Bytes& first(std::size_t port) const { return now_[port].front(); }
  [[nodiscard]] std::optional<Bytes> next(std::size_t port);

  [[nodiscard]] std::size_t packets() const { return packets_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t late() const { return late_; }

 private:
  struct Later {
    Epoch tag;
    std::uint32_t port = 0;
    Bytes frame;
  };
  void took(const Bytes& frame);

  InboxLimits limits_;
  std::vector<std::deque<Bytes>> now_;  // by port
  std::deque<Later> later_;
  std::optional<Epoch> running_;
  Epoch over_{0};         // incarnations up to here are over
  bool foreign_ = false;  // the running one's tag is of an earlier session
  std::size_t packets_ = 0, bytes_ = 0;
  std::uint64_t late_ = 0;
  bool behind_ = false;
};

}  // namespace colo::io
