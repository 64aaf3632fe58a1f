// What the comparator and the rewriter need to know of an Ethernet frame: whose conversation it
// belongs to, and which of its bytes say something.
//
// parse() understands VLAN tags (802.1Q, 802.1ad, two of them), ARP, IPv4 with options, IPv6 with
// extension headers, fragments, TCP, UDP, ICMP and ICMPv6. Whatever does not read as one of these,
// to the last length field, is Kind::other: the whole frame speaks, none of it is trusted.
//
// Role: pure; never reads outside the frame, which may hold anything.
// Threads: none. Units: bytes from the frame's begin. Errors: none.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/types.h"

namespace colo::compare {

inline constexpr std::uint8_t protocol_tcp = 6;

enum class Kind : std::uint8_t { other, arp, tcp, udp, icmp, icmp6, ip, fragment };

// An IPv6 address, or an IPv4 address in `low`; numbers in host order.
struct Address {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend constexpr auto operator<=>(const Address&, const Address&) = default;
};

// Who speaks to whom. Two frames of one key belong to one conversation, of one direction.
struct FlowKey {
  std::uint32_t port = 0;  // which network card
  Kind kind = Kind::other;
  std::uint8_t ip = 0;             // 4, 6, or 0
  std::uint8_t protocol = 0;       // of IP
  std::uint16_t ether_type = 0;    // behind the tags
  std::uint16_t tags[2] = {0, 0};  // VLAN numbers + 1, outer first; 0: no tag
  std::uint64_t destination_mac = 0, source_mac = 0;
  Address source, destination;  // of ARP: the sender's and the target's
  // TCP, UDP. ICMP: type and code, then the identifier of an echo. ARP: the operation.
  std::uint16_t source_port = 0, destination_port = 0;
  friend constexpr auto operator<=>(const FlowKey&, const FlowKey&) = default;
};

namespace flag {
inline constexpr std::uint8_t fin = 1, syn = 2, rst = 4, ack = 16;
}

// The part of a packet that is compared. content: TCP and UDP payload, a whole ICMP message, what
// follows the IP header of other protocols, an ARP message, a whole frame.
struct Said {
  std::uint32_t content = 0;  // from here
  std::uint32_t end = 0;      // to here; Ethernet padding is behind it
  std::uint32_t seq = 0, ack = 0;
  std::uint8_t flags = 0;  // of flag::
  [[nodiscard]] std::uint32_t size() const { return end - content; }
};

struct Packet {
  FlowKey key;
  Said said;
  std::uint32_t network = 0;    // the IP or ARP header
  std::uint32_t transport = 0;  // what follows the IP header; of a fragment: its piece
  // A complete TCP header is at `transport`: Kind::tcp, or the first fragment of a TCP packet.
  std::uint32_t tcp_header = 0;  // its size; 0: none
  // Kind::fragment only.
  std::uint32_t fragment_id = 0;
  std::uint32_t fragment_at = 0;  // of this piece in the datagram
  bool fragment_more = false;
};

[[nodiscard]] Packet parse(std::uint32_t port, ByteView frame);

// Big-endian numbers. REQUIRES: they are inside.
[[nodiscard]] inline std::uint16_t read16(ByteView bytes, std::size_t at) {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[at]) << 8 |
                                    std::to_integer<unsigned>(bytes[at + 1]));
}
[[nodiscard]] inline std::uint32_t read32(ByteView bytes, std::size_t at) {
  return static_cast<std::uint32_t>(read16(bytes, at)) << 16 | read16(bytes, at + 2);
}

// For people: "tcp 10.0.0.2:80 > 10.0.0.9:50123", "icmpv6 router-solicitation fe80::1 > ff02::2".
[[nodiscard]] std::string describe(const FlowKey& key);

}  // namespace colo::compare
