#include "compare/packet.h"

#include <utility>

namespace colo::compare {
namespace {

constexpr std::uint16_t ether_ip4 = 0x0800, ether_arp = 0x0806, ether_ip6 = 0x86dd;
constexpr std::uint16_t ether_vlan = 0x8100, ether_outer_vlan = 0x88a8;
constexpr std::uint8_t protocol_icmp = 1, protocol_udp = 17;
constexpr std::uint8_t protocol_icmp6 = 58;
constexpr std::uint8_t header_hop_by_hop = 0, header_routing = 43, header_fragment = 44;
constexpr std::uint8_t header_authentication = 51, header_destination = 60;
constexpr std::uint32_t ethernet_header = 14, tag_bytes = 4;
constexpr std::uint32_t arp_bytes = 28, ip4_header = 20, ip6_header = 40;

std::uint64_t read64(ByteView bytes, std::size_t at) {
  return std::uint64_t{read32(bytes, at)} << 32 | read32(bytes, at + 4);
}

std::uint64_t read_mac(ByteView bytes, std::size_t at) {
  return std::uint64_t{read16(bytes, at)} << 32 | read32(bytes, at + 2);
}

std::uint8_t read8(ByteView bytes, std::size_t at) {
  return std::to_integer<std::uint8_t>(bytes[at]);
}

// Each step fills in what it understands; false: this is not what its header claims.
class Parser {
 public:
  Parser(std::uint32_t port, ByteView frame)
      : frame_(frame), size_(static_cast<std::uint32_t>(frame.size())) {
    packet_.key.port = port;
  }

  Packet packet() {
    if (ethernet() && network()) return packet_;
    packet_.key = std::exchange(outside_, {});
    Packet whole;
    whole.key = packet_.key;
    whole.said.end = size_;
    return whole;
  }

 private:
  bool ethernet() {
    outside_ = packet_.key;
    if (size_ < ethernet_header) return false;
    packet_.key.destination_mac = read_mac(frame_, 0);
    packet_.key.source_mac = read_mac(frame_, 6);
    std::uint32_t at = 12;
    std::uint16_t type = read16(frame_, at);
    for (std::uint16_t& tag : packet_.key.tags) {
      if (type != ether_vlan && type != ether_outer_vlan) break;
      if (at + tag_bytes + 2 > size_) return false;
      tag = static_cast<std::uint16_t>((read16(frame_, at + 2) & 0x0fffU) + 1);
      at += tag_bytes;
      type = read16(frame_, at);
    }
    packet_.key.ether_type = type;
    outside_ = packet_.key;
    packet_.network = at + 2;
    return true;
  }

  bool network() {
    switch (packet_.key.ether_type) {
      case ether_arp:
        return arp();
      case ether_ip4:
        return ip4();
      case ether_ip6:
        return ip6();
      default:
        return false;
    }
  }

  bool arp() {
    const std::uint32_t at = packet_.network;
    if (at + arp_bytes > size_) return false;
    // Ethernet and IPv4, with their sizes; any other pair is compared as a whole frame.
    if (read64(frame_, at) >> 16 != 0x000108000604ULL) return false;
    packet_.key.kind = Kind::arp;
    packet_.key.source_port = read16(frame_, at + 6);
    packet_.key.source.low = read32(frame_, at + 14);
    packet_.key.destination.low = read32(frame_, at + 24);
    packet_.said.content = at;
    packet_.said.end = at + arp_bytes;
    return true;
  }

  bool ip4() {
    const std::uint32_t at = packet_.network;
    if (at + ip4_header > size_) return false;
    const std::uint8_t first = read8(frame_, at);
    const std::uint32_t header = (first & 0x0fU) * 4;
    const std::uint32_t total = read16(frame_, at + 2);
    if (first >> 4 != 4 || header < ip4_header || total < header || at + total > size_) {
      return false;
    }
    packet_.key.ip = 4;
    packet_.key.protocol = read8(frame_, at + 9);
    packet_.key.source.low = read32(frame_, at + 12);
    packet_.key.destination.low = read32(frame_, at + 16);
    packet_.transport = at + header;
    packet_.said.end = at + total;
    const std::uint16_t fragment = read16(frame_, at + 6);
    if ((fragment & 0x3fffU) == 0) return transport();
    return piece(read16(frame_, at + 4), (fragment & 0x1fffU) * 8, (fragment & 0x2000U) != 0);
  }

  bool ip6() {
    const std::uint32_t at = packet_.network;
    if (at + ip6_header > size_ || read8(frame_, at) >> 4 != 6) return false;
    const std::uint32_t end = at + ip6_header + read16(frame_, at + 4);
    if (end > size_) return false;
    packet_.key.ip = 6;
    packet_.key.source = {read64(frame_, at + 8), read64(frame_, at + 16)};
    packet_.key.destination = {read64(frame_, at + 24), read64(frame_, at + 32)};
    packet_.said.end = end;
    std::uint8_t next = read8(frame_, at + 6);
    std::uint32_t here = at + ip6_header;
    for (;;) {
      packet_.key.protocol = next;
      packet_.transport = here;
      const bool authentication = next == header_authentication;
      if (next != header_hop_by_hop && next != header_routing && next != header_destination &&
          next != header_fragment && !authentication) {
        return transport();
      }
      if (here + 8 > end) return false;
      if (next == header_fragment) return ip6_fragment(here);
      const std::uint32_t length = read8(frame_, here + 1);
      next = read8(frame_, here);
      here += authentication ? (length + 2) * 4 : (length + 1) * 8;
      if (here > end) return false;
    }
  }

  bool ip6_fragment(std::uint32_t at) {
    const std::uint16_t place = read16(frame_, at + 2);
    packet_.key.protocol = read8(frame_, at);
    packet_.transport = at + 8;
    return piece(read32(frame_, at + 4), place & 0xfff8U, (place & 1U) != 0);
  }

  bool piece(std::uint32_t id, std::uint32_t at, bool more) {
    if (packet_.key.protocol == protocol_tcp && at == 0) (void)tcp();
    packet_.said = {packet_.transport, packet_.said.end, packet_.said.seq, packet_.said.ack,
                    packet_.said.flags};
    packet_.key.kind = Kind::fragment;
    packet_.key.source_port = packet_.key.destination_port = 0;  // later pieces have none
    packet_.fragment_id = id;
    packet_.fragment_at = at;
    packet_.fragment_more = more;
    return true;
  }

  bool transport() {
    packet_.said.content = packet_.transport;
    switch (packet_.key.protocol) {
      case protocol_tcp:
        packet_.key.kind = Kind::tcp;
        return tcp();
      case protocol_udp:
        return udp();
      case protocol_icmp:
        if (packet_.key.ip == 4) return icmp(Kind::icmp, 8, 0);
        break;
      case protocol_icmp6:
        if (packet_.key.ip == 6) return icmp(Kind::icmp6, 128, 129);
        break;
      default:
        break;
    }
    packet_.key.kind = Kind::ip;
    return true;
  }

  bool tcp() {
    const std::uint32_t at = packet_.transport;
    if (at + 20 > packet_.said.end) return false;
    const std::uint32_t header = static_cast<std::uint32_t>(read8(frame_, at + 12) >> 4) * 4;
    if (header < 20 || at + header > packet_.said.end) return false;
    ports(at);
    packet_.said.seq = read32(frame_, at + 4);
    packet_.said.ack = read32(frame_, at + 8);
    packet_.said.flags = read8(frame_, at + 13);
    packet_.said.content = at + header;
    packet_.tcp_header = header;
    return true;
  }

  bool udp() {
    const std::uint32_t at = packet_.transport;
    if (at + 8 > packet_.said.end) return false;
    const std::uint32_t length = read16(frame_, at + 4);
    if (length < 8 || at + length > packet_.said.end) return false;
    packet_.key.kind = Kind::udp;
    ports(at);
    packet_.said.content = at + 8;
    return true;
  }

  bool icmp(Kind kind, std::uint8_t request, std::uint8_t reply) {
    const std::uint32_t at = packet_.transport;
    if (at + 8 > packet_.said.end) return false;
    packet_.key.kind = kind;
    packet_.key.source_port = read16(frame_, at);
    const std::uint8_t type = read8(frame_, at);
    if (type == request || type == reply) packet_.key.destination_port = read16(frame_, at + 4);
    return true;
  }

  void ports(std::uint32_t at) {
    packet_.key.source_port = read16(frame_, at);
    packet_.key.destination_port = read16(frame_, at + 2);
  }

  ByteView frame_;
  std::uint32_t size_;
  Packet packet_;
  FlowKey outside_;  // what is known without IP
};

}  // namespace

Packet parse(std::uint32_t port, ByteView frame) { return Parser(port, frame).packet(); }

}  // namespace colo::compare
