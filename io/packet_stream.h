// The guest's socket as a stream of frames: each behind its length (be32), both ways.
//
// Threads: none; the gate serializes. Bounded: one partial frame and one read beyond it inward,
//   one frame outward.
#pragma once

#include <functional>

#include "base/result.h"
#include "base/types.h"
#include "wire/packets.h"

namespace colo::io {

// What the guest's socket gives has to fit on the wire.
inline constexpr std::uint32_t packet_bytes_max = wire::packet_bytes_max;

class PacketStream {
 public:
  enum class State {
    open,
    blocked,  // read: nothing there now; write: the guest does not read now
    ended,    // the guest's end is closed
  };

  // Reads once and gives every frame that is whole. Errors: "bad-frame" (a length past the bound).
  Result<State> read(int fd, const std::function<void(Bytes)>& give);

  // Writes a frame; what does not fit is kept, and finish_write() goes on with it.
  // REQUIRES: !write_pending().
  State write(int fd, ByteView frame);
  State finish_write(int fd);
  [[nodiscard]] bool write_pending() const { return written_ < writing_.size(); }

  // Forgets what is partly read and written: another guest's socket comes.
  void reset();

 private:
  Bytes arrived_;
  Bytes writing_;
  std::size_t written_ = 0;
};

}  // namespace colo::io
