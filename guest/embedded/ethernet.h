// Ethernet frames that carry ARP or UDP over IPv4: what the embedded guest and its clients speak.
//
// Role: builds and takes apart whole frames; knows no socket. What does not fit, or whose checksum
//   is wrong, is no such frame: the parsers then give nothing, as a host's network stack would.
// Units: addresses and ports in host order. Threads: any.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "base/types.h"

namespace colo::guest::embedded {

struct MacAddress {
  std::array<std::uint8_t, 6> bytes{};
  friend bool operator==(const MacAddress&, const MacAddress&) = default;
};
inline constexpr MacAddress broadcast_mac{{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}};

struct Ipv4Address {
  std::uint32_t value = 0;
  friend bool operator==(const Ipv4Address&, const Ipv4Address&) = default;
};
[[nodiscard]] constexpr Ipv4Address ipv4(std::uint8_t a, std::uint8_t b, std::uint8_t c,
                                         std::uint8_t d) {
  return {static_cast<std::uint32_t>(a) << 24 | static_cast<std::uint32_t>(b) << 16 |
          static_cast<std::uint32_t>(c) << 8 | d};
}

struct ArpMessage {
  MacAddress destination;  // of the frame
  bool request = false;
  MacAddress sender_mac;
  Ipv4Address sender_ip;
  MacAddress target_mac;
  Ipv4Address target_ip;
};

struct UdpDatagram {
  MacAddress source_mac, destination_mac;
  Ipv4Address source_ip, destination_ip;
  std::uint16_t source_port = 0, destination_port = 0;
  Bytes payload;
};

inline constexpr std::size_t udp_payload_max = 1472;  // of an unfragmented frame of 1500 bytes

[[nodiscard]] Bytes build_frame(const ArpMessage& message);
// REQUIRES: payload.size() <= udp_payload_max.
[[nodiscard]] Bytes build_frame(const UdpDatagram& datagram);
[[nodiscard]] std::optional<ArpMessage> parse_arp(ByteView frame);
[[nodiscard]] std::optional<UdpDatagram> parse_udp(ByteView frame);

}  // namespace colo::guest::embedded
