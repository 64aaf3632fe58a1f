// Sends and receives frames at the network's end of a port, and judges its errors: which mean "a
// little later", which "dropped, as any network does", which "this port is down".
// Threads: none; the gate serializes.
#pragma once

#include <deque>
#include <optional>

#include "io/packet_gate.h"

namespace colo::io {

class OutsideEnd {
 public:
  explicit OutsideEnd(OutsidePort port) : port_(std::move(port)) {}

  // Frames that may leave: written at once, in order; those that the network cannot take now wait.
  void send(compare::Frame frame);
  // Tries again what waits. True: nothing waits any more.
  bool flush();
  [[nodiscard]] std::size_t waiting_frames() const { return waiting_.size(); }
  [[nodiscard]] std::size_t waiting_bytes() const { return waiting_bytes_; }
  std::size_t drop_waiting();

  // For the end of the engine: removes the file of our own socket. REQUIRES: nothing follows.
  void leave();

  // One frame from outside into `space`; nothing: none there now.
  std::optional<MutableBytes> receive(MutableBytes space);

  [[nodiscard]] const std::string& port() const { return port_.port; }
  // -1: the port can give no more frames.
  [[nodiscard]] int fd() const { return gone_ ? -1 : port_.fd.get(); }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  // An error worth telling, once until the port works again.
  [[nodiscard]] std::optional<Error> take_trouble();

 private:
  // 0, or the errno value.
  [[nodiscard]] int write(ByteView frame) const;
  void down(int error);

  OutsidePort port_;
  std::deque<compare::Frame> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::uint64_t sent_ = 0;
  bool gone_ = false;  // deleted: reading it would fail for ever
  bool told_ = false;
  std::optional<Error> trouble_;
};

}  // namespace colo::io
