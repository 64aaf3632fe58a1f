// Frames of the network between the hosts in COLO mode: for the replica, or from it. The tag is
// header.epoch: the epoch that is open while the incarnation runs, so n + 1 for that of checkpoint
// n.
//
// A body of several, so that a burst of small ones costs one header. Both ways over the control
// lane, where they keep their order among cuts, commits and words.
// Threads: none.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "wire/messages.h"

namespace colo::wire {

// A guest's largest: 64 KiB of payload behind its link header, as its sockets hand it over.
inline constexpr std::uint32_t packet_bytes_max = 65'550;
// Of one frame's body: large ones go out alone, so that a word between them does not wait for long.
inline constexpr std::size_t packets_body_bytes_max = 128U << 10;
// With their headers the smallest packets still fill a body: a bound for who allocates by count.
inline constexpr std::size_t packets_max = 1024;

struct PacketView {
  std::uint8_t port = 0;  // which network card
  ByteView bytes;         // points into the body; 1 to packet_bytes_max
};

// Builds one frame; reuse it: finish() empties it.
class PacketsFrame {
 public:
  PacketsFrame();
  // False: it does not fit beside those it has; send them first. REQUIRES: the packet's bounds.
  [[nodiscard]] bool add(std::uint8_t port, ByteView packet);
  [[nodiscard]] bool empty() const { return count_ == 0; }
  // REQUIRES: not empty.
  [[nodiscard]] Bytes finish(FrameNumbers numbers);

 private:
  Bytes frame_;
  std::size_t count_ = 0;
};

// At least one; views into `body`. Errors: "bad-body".
[[nodiscard]] Result<std::vector<PacketView>> decode_packets(ByteView body);

}  // namespace colo::wire
