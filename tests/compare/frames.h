// Frames as a guest sends them, for tests and fuzzers: made with correct lengths and checksums, and
// read back by code that shares nothing with compare/.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace colo::compare::frames {

inline constexpr std::uint8_t fin = 1, syn = 2, rst = 4, push = 8, ack = 16;

// Between the guest (10.0.0.2, or fd00::2) and a client (10.0.0.9, fd00::9).
struct Ends {
  bool ip6 = false;
  bool from_guest = true;
  std::vector<std::uint16_t> vlans = {};  // outer first
  std::uint16_t guest_port = 80;
  std::uint16_t client_port = 50000;
  [[nodiscard]] Ends back() const {
    Ends other = *this;
    other.from_guest = !from_guest;
    return other;
  }
};

// What may differ between the guests without being a difference.
struct Garnish {
  std::uint16_t id = 7;
  std::uint8_t ttl = 64;
  std::size_t padding = 0;  // behind the packet, as Ethernet does below 60 bytes
};

struct Segment {
  std::uint32_t seq = 0, ack = 0;
  std::uint8_t flags = frames::ack;
  std::string payload = {};
  std::uint16_t window = 500;
  std::optional<std::pair<std::uint32_t, std::uint32_t>> timestamps = {};  // value, echo
  std::vector<std::pair<std::uint32_t, std::uint32_t>> sacks = {};
  std::size_t odd = 0;  // NOPs in front of the options, to put them at odd places
};

Bytes tcp(const Ends& ends, const Segment& segment, const Garnish& garnish = {});
Bytes udp(const Ends& ends, std::string_view payload, const Garnish& garnish = {});
Bytes icmp_echo_reply(const Ends& ends, std::uint16_t id, std::string_view payload);
Bytes arp(std::uint16_t operation, std::uint32_t target, std::uint64_t target_mac = 0);
// ICMPv6 133, to ff02::2.
Bytes router_solicitation();
// Any IP payload.
Bytes ip(const Ends& ends, std::uint8_t protocol, const Bytes& payload,
         const Garnish& garnish = {});
// A packet without IP options cut into pieces of `piece` bytes (a multiple of 8), in order.
std::vector<Bytes> cut(const Bytes& frame, std::size_t piece, std::uint32_t id);
Bytes raw(std::uint16_t type, std::string_view text);

// What the other end reads; nothing: not TCP, or a checksum is wrong.
std::optional<Segment> read_tcp(const Bytes& frame);

}  // namespace colo::compare::frames
