#include "guest/embedded/ethernet.h"

#include <algorithm>

#include "base/check.h"
#include "guest/embedded/big_endian.h"

namespace colo::guest::embedded {

namespace {

constexpr std::uint16_t type_ipv4 = 0x0800;
constexpr std::uint16_t type_arp = 0x0806;
constexpr std::uint8_t protocol_udp = 17;
constexpr std::size_t frame_bytes_min = 60;  // without the trailing checksum
constexpr std::size_t ip_header_bytes = 20;
constexpr std::size_t udp_header_bytes = 8;

void append(Bytes& out, const MacAddress& mac) {
  for (const std::uint8_t byte : mac.bytes) out.push_back(std::byte{byte});
}

MacAddress read_mac(BigEndianReader& in) {
  MacAddress mac;
  for (std::uint8_t& byte : mac.bytes) byte = in.get<std::uint8_t>();
  return mac;
}

// The sum of 16-bit words of RFC 1071, not yet folded.
std::uint32_t sum_words(ByteView bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto value = std::to_integer<std::uint32_t>(bytes[i]);
    sum += i % 2 == 0 ? value << 8 : value;
  }
  return sum;
}

std::uint16_t checksum(std::uint32_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xFFFF) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

std::uint32_t sum_pseudo_header(Ipv4Address source, Ipv4Address destination, std::size_t length) {
  return (source.value >> 16) + (source.value & 0xFFFF) + (destination.value >> 16) +
         (destination.value & 0xFFFF) + protocol_udp + static_cast<std::uint32_t>(length);
}

void put_checksum(Bytes& out, std::size_t at, std::uint16_t sum) {
  out[at] = static_cast<std::byte>(sum >> 8);
  out[at + 1] = static_cast<std::byte>(sum);
}

void pad(Bytes& frame) { frame.resize(std::max(frame.size(), frame_bytes_min)); }

}  // namespace

Bytes build_frame(const ArpMessage& message) {
  Bytes frame;
  append(frame, message.destination);
  append(frame, message.sender_mac);
  append_big_endian(frame, type_arp);
  append_big_endian<std::uint16_t>(frame, 1);  // Ethernet
  append_big_endian(frame, type_ipv4);
  append_big_endian<std::uint8_t>(frame, 6);
  append_big_endian<std::uint8_t>(frame, 4);
  append_big_endian<std::uint16_t>(frame, message.request ? 1 : 2);
  append(frame, message.sender_mac);
  append_big_endian(frame, message.sender_ip.value);
  append(frame, message.target_mac);
  append_big_endian(frame, message.target_ip.value);
  pad(frame);
  return frame;
}

std::optional<ArpMessage> parse_arp(ByteView frame) {
  BigEndianReader in(frame);
  ArpMessage message;
  message.destination = read_mac(in);
  (void)read_mac(in);
  if (in.get<std::uint16_t>() != type_arp) return std::nullopt;
  if (in.get<std::uint16_t>() != 1 || in.get<std::uint16_t>() != type_ipv4) return std::nullopt;
  if (in.get<std::uint8_t>() != 6 || in.get<std::uint8_t>() != 4) return std::nullopt;
  const auto operation = in.get<std::uint16_t>();
  message.request = operation == 1;
  message.sender_mac = read_mac(in);
  message.sender_ip.value = in.get<std::uint32_t>();
  message.target_mac = read_mac(in);
  message.target_ip.value = in.get<std::uint32_t>();
  if (!in.ok() || operation < 1 || operation > 2) return std::nullopt;
  return message;
}

Bytes build_frame(const UdpDatagram& datagram) {
  COLO_CHECK(datagram.payload.size() <= udp_payload_max);
  const std::size_t udp_bytes = udp_header_bytes + datagram.payload.size();
  Bytes frame;
  append(frame, datagram.destination_mac);
  append(frame, datagram.source_mac);
  append_big_endian(frame, type_ipv4);

  const std::size_t ip = frame.size();
  append_big_endian<std::uint8_t>(frame, 0x45);  // version 4, header of five words
  append_big_endian<std::uint8_t>(frame, 0);
  append_big_endian(frame, static_cast<std::uint16_t>(ip_header_bytes + udp_bytes));
  append_big_endian<std::uint16_t>(frame, 0);       // identification: never fragmented
  append_big_endian<std::uint16_t>(frame, 0x4000);  // don't fragment
  append_big_endian<std::uint8_t>(frame, 64);
  append_big_endian(frame, protocol_udp);
  append_big_endian<std::uint16_t>(frame, 0);
  append_big_endian(frame, datagram.source_ip.value);
  append_big_endian(frame, datagram.destination_ip.value);
  put_checksum(frame, ip + 10, checksum(sum_words(ByteView(frame).subspan(ip))));

  const std::size_t udp = frame.size();
  append_big_endian(frame, datagram.source_port);
  append_big_endian(frame, datagram.destination_port);
  append_big_endian(frame, static_cast<std::uint16_t>(udp_bytes));
  append_big_endian<std::uint16_t>(frame, 0);
  append(frame, ByteView(datagram.payload));
  const std::uint16_t sum =
      checksum(sum_pseudo_header(datagram.source_ip, datagram.destination_ip, udp_bytes) +
               sum_words(ByteView(frame).subspan(udp)));
  put_checksum(frame, udp + 6, sum == 0 ? std::uint16_t{0xFFFF} : sum);  // 0 would mean: none
  pad(frame);
  return frame;
}

std::optional<UdpDatagram> parse_udp(ByteView frame) {
  BigEndianReader ethernet(frame);
  UdpDatagram datagram;
  datagram.destination_mac = read_mac(ethernet);
  datagram.source_mac = read_mac(ethernet);
  if (ethernet.get<std::uint16_t>() != type_ipv4) return std::nullopt;

  const ByteView packet = ethernet.rest();
  BigEndianReader ip(packet);
  const auto version_and_words = ip.get<std::uint8_t>();
  (void)ip.get<std::uint8_t>();
  const std::size_t packet_bytes = ip.get<std::uint16_t>();
  (void)ip.get<std::uint16_t>();
  const auto fragment = ip.get<std::uint16_t>();
  (void)ip.get<std::uint8_t>();
  const auto protocol = ip.get<std::uint8_t>();
  (void)ip.get<std::uint16_t>();
  datagram.source_ip.value = ip.get<std::uint32_t>();
  datagram.destination_ip.value = ip.get<std::uint32_t>();
  const std::size_t header_bytes = std::size_t{version_and_words & 0x0FU} * 4;
  if (!ip.ok() || version_and_words >> 4 != 4 || header_bytes < ip_header_bytes)
    return std::nullopt;
  if (packet_bytes < header_bytes + udp_header_bytes || packet_bytes > packet.size()) {
    return std::nullopt;
  }
  if (protocol != protocol_udp || (fragment & 0x3FFF) != 0) return std::nullopt;
  if (checksum(sum_words(packet.first(header_bytes))) != 0) return std::nullopt;

  ByteView segment = packet.subspan(header_bytes, packet_bytes - header_bytes);
  BigEndianReader udp(segment);
  datagram.source_port = udp.get<std::uint16_t>();
  datagram.destination_port = udp.get<std::uint16_t>();
  const std::size_t udp_bytes = udp.get<std::uint16_t>();
  const auto sum = udp.get<std::uint16_t>();
  if (udp_bytes < udp_header_bytes || udp_bytes > segment.size()) return std::nullopt;
  segment = segment.first(udp_bytes);
  if (sum != 0 &&
      checksum(sum_pseudo_header(datagram.source_ip, datagram.destination_ip, udp_bytes) +
               sum_words(segment)) != 0) {
    return std::nullopt;
  }
  const ByteView payload = segment.subspan(udp_header_bytes);
  datagram.payload.assign(payload.begin(), payload.end());
  return datagram;
}

}  // namespace colo::guest::embedded
