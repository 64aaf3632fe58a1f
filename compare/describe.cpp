// Flows in words, for asks, events and status.
#include <cstdio>
#include <string>

#include "compare/packet.h"

namespace colo::compare {
namespace {

std::string ip4_text(std::uint64_t address) {
  std::string text;
  for (int shift = 24; shift >= 0; shift -= 8) {
    text += std::to_string((address >> shift) & 0xffU);
    if (shift > 0) text += '.';
  }
  return text;
}

// RFC 5952: the longest run of zero groups as "::".
std::string ip6_text(const Address& address) {
  unsigned groups[8] = {};
  for (int i = 0; i < 8; ++i) {
    const std::uint64_t half = i < 4 ? address.high : address.low;
    groups[i] = static_cast<unsigned>((half >> (48 - 16 * (i % 4))) & 0xffffU);
  }
  int run_at = -1;
  int run = 1;
  for (int i = 0; i < 8; ++i) {
    int length = 0;
    while (i + length < 8 && groups[i + length] == 0) ++length;
    if (length > run) run = length, run_at = i;
  }
  std::string text;
  for (int i = 0; i < 8; ++i) {
    if (i == run_at) {
      text += "::";
      i += run - 1;
      continue;
    }
    if (!text.empty() && text.back() != ':') text += ':';
    char group[8];
    std::snprintf(group, sizeof group, "%x", groups[i]);
    text += group;
  }
  return text;
}

std::string end_text(const FlowKey& key, const Address& address, std::uint16_t port) {
  const bool ports = key.kind == Kind::tcp || key.kind == Kind::udp;
  if (key.ip != 6) return ip4_text(address.low) + (ports ? ":" + std::to_string(port) : "");
  return ports ? "[" + ip6_text(address) + "]:" + std::to_string(port) : ip6_text(address);
}

std::string icmp6_text(unsigned type) {
  switch (type) {
    case 130:
      return " listener-query";
    case 131:
    case 143:
      return " listener-report";
    case 132:
      return " listener-done";
    case 133:
      return " router-solicitation";
    case 134:
      return " router-advertisement";
    case 135:
      return " neighbour-solicitation";
    case 136:
      return " neighbour-advertisement";
    case 128:
    case 129:
      return " echo";
    default:
      return " type " + std::to_string(type);
  }
}

std::string udp_text(const FlowKey& key) {
  const auto is = [&](std::uint16_t one, std::uint16_t other) {
    return key.source_port == one && key.destination_port == other;
  };
  if (is(68, 67) || is(67, 68)) return "dhcp";
  if (is(546, 547) || is(547, 546)) return "dhcpv6";
  return "udp";
}

std::string what(const FlowKey& key) {
  switch (key.kind) {
    case Kind::tcp:
      return "tcp";
    case Kind::udp:
      return udp_text(key);
    case Kind::icmp:
      return "icmp type " + std::to_string(key.source_port >> 8);
    case Kind::icmp6:
      return "icmpv6" + icmp6_text(key.source_port >> 8);
    case Kind::fragment:
      return "fragments of ip protocol " + std::to_string(key.protocol);
    default:
      return "ip protocol " + std::to_string(key.protocol);
  }
}

}  // namespace

std::string describe(const FlowKey& key) {
  std::string text;
  if (key.kind == Kind::other) {
    char type[32];
    std::snprintf(type, sizeof type, "ethernet type 0x%04x", unsigned{key.ether_type});
    text = type;
  } else if (key.kind == Kind::arp) {
    text = std::string("arp ") + (key.source_port == 1 ? "request " : "reply ") +
           ip4_text(key.source.low) + " > " + ip4_text(key.destination.low);
  } else {
    text = what(key) + " " + end_text(key, key.source, key.source_port) + " > " +
           end_text(key, key.destination, key.destination_port);
  }
  for (const std::uint16_t tag : key.tags) {
    if (tag != 0) text += " vlan " + std::to_string(tag - 1);
  }
  return text;
}

}  // namespace colo::compare
