// Changes numbers inside a frame and keeps its checksum as right, or as wrong, as it was
// (RFC 1624, equation 3): a frame that was damaged on its way stays damaged.
//
// The checksum must be a full one. A frame of a stock QEMU without a virtio-net header (-netdev
// stream) has no other: offloads are not offered to the guest.
//
// Role: pure. Threads: none. Units: bytes from the frame's begin. Errors: none; what lies outside
// the frame or an option that does not read as one is left alone.
#pragma once

#include <optional>

#include "compare/packet.h"

namespace colo::compare {

// Replaces the 4 bytes at `at`, which may be odd, covered by the 16-bit checksum at `checksum`.
// `begin`: where the sum begins; decides which byte of a pair one is. REQUIRES: all are inside.
void replace32(MutableBytes frame, std::size_t at, std::uint32_t value, std::size_t begin,
               std::size_t checksum);

// A TCP header in a frame. REQUIRES: packet.tcp_header > 0, parsed from this frame.
class TcpEdit {
 public:
  TcpEdit(MutableBytes frame, const Packet& packet);

  [[nodiscard]] std::uint32_t seq() const { return read32(frame_, at_ + 4); }
  [[nodiscard]] std::uint32_t ack() const { return read32(frame_, at_ + 8); }
  [[nodiscard]] bool has(std::uint8_t flags) const { return (flags_ & flags) == flags; }
  [[nodiscard]] bool stamped() const { return stamps_ != 0; }
  // REQUIRES: stamped().
  [[nodiscard]] std::uint32_t stamp() const { return read32(frame_, stamps_); }
  [[nodiscard]] std::uint32_t echo() const { return read32(frame_, stamps_ + 4); }

  void set_seq(std::uint32_t value) { replace(at_ + 4, value); }
  void set_ack(std::uint32_t value) { replace(at_ + 8, value); }
  void set_stamp(std::uint32_t value) { replace(stamps_, value); }
  void set_echo(std::uint32_t value) { replace(stamps_ + 4, value); }
  void shift_sacks(std::uint32_t by);

 private:
  void replace(std::size_t at, std::uint32_t value) { replace32(frame_, at, value, at_, at_ + 16); }

  MutableBytes frame_;
  std::size_t at_;
  std::uint8_t flags_;
  std::size_t stamps_ = 0;  // 0: none
  std::size_t sacks_ = 0, sacks_end_ = 0;
};

}  // namespace colo::compare
