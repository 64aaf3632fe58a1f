// One card at the gate: its end to the network and its end to the guest.
// Threads: none; the gate serializes.
#pragma once

#include <sys/types.h>

#include "io/outside_end.h"
#include "io/packet_stream.h"

namespace colo::io {

struct GatePort {
  explicit GatePort(OutsidePort port) : outside(std::move(port)) {}

  // A socket that was open before goes on in the middle of its frames; another starts anew, and is
  // another guest's. Returns whether it is another.
  bool attach(int fd);
  [[nodiscard]] bool has_guest() const { return inside >= 0; }
  // The guest does not read now.
  [[nodiscard]] bool stuck() const { return has_guest() && stream.write_pending(); }
  // REQUIRES: has_guest(). write(): and !stuck().
  void write(ByteView frame);
  void finish_write();
  // The guest has read all that was written to it.
  [[nodiscard]] bool all_read() const;

  OutsideEnd outside;
  PacketStream stream;
  int inside = -1;          // -1: closed, ended or broken
  ino_t inside_socket = 0;  // whose partial frames `stream` has
};

}  // namespace colo::io
