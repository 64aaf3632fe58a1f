#include "compare/packet.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/compare/frames.h"

namespace colo::compare {
namespace {

using frames::Ends;

std::string content(const Bytes& frame) {
  const Said said = parse(0, frame).said;
  std::string text;
  for (std::size_t i = said.content; i < said.end; ++i) {
    text += static_cast<char>(std::to_integer<unsigned char>(frame[i]));
  }
  return text;
}

TEST(Packet, ATcpSegmentIsReadWhateverLiesAroundIt) {
  for (const bool ip6 : {false, true}) {
    for (const std::vector<std::uint16_t>& vlans :
         {std::vector<std::uint16_t>{}, {0}, {5}, {5, 4094}}) {
      frames::Segment segment{0x01020304, 0xfffefdfc, frames::ack | frames::fin, "hello"};
      segment.timestamps = {1, 2};
      const Bytes frame = frames::tcp({ip6, true, vlans, 8080, 40001}, segment, {1, 64, 9});
      const Packet packet = parse(3, frame);
      ASSERT_EQ(packet.key.kind, Kind::tcp);
      EXPECT_EQ(packet.key.port, 3U);
      EXPECT_EQ(packet.key.ip, ip6 ? 6 : 4);
      EXPECT_EQ(packet.key.source_port, 8080);
      EXPECT_EQ(packet.key.destination_port, 40001);
      EXPECT_EQ(packet.key.tags[0], vlans.empty() ? 0 : vlans[0] + 1);
      EXPECT_EQ(packet.said.seq, 0x01020304U);
      EXPECT_EQ(packet.said.ack, 0xfffefdfcU);
      EXPECT_EQ(packet.said.flags, flag::ack | flag::fin);
      EXPECT_EQ(packet.tcp_header, 32U);
      EXPECT_EQ(content(frame), "hello") << "without the padding";
    }
  }
}

TEST(Packet, WhatIsCutShortIsAWholeFrame) {
  const Bytes frame = frames::tcp({}, {1, 2, frames::ack, "hello"});
  for (std::size_t size = 0; size < frame.size(); ++size) {
    const Bytes part(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(size));
    const Packet packet = parse(0, part);
    EXPECT_EQ(packet.key.kind, Kind::other) << size;
    EXPECT_EQ(packet.said.content, 0U);
    EXPECT_EQ(packet.said.end, size);
  }
}

TEST(Packet, ThreeTagsAreNotUnderstood) {
  EXPECT_EQ(parse(0, frames::tcp({false, true, {1, 2, 3}}, {})).key.kind, Kind::other);
}

TEST(Packet, HeadersOfIp6AreWalkedToTheTransport) {
  Ends ends;
  ends.ip6 = true;
  const Bytes plain = frames::udp(ends, "x");
  Bytes payload(8);
  payload[0] = std::byte{60};  // hop by hop, then destination options, then UDP
  Bytes options(16);
  options[0] = std::byte{17};
  options[1] = std::byte{1};
  payload.insert(payload.end(), options.begin(), options.end());
  payload.insert(payload.end(), plain.begin() + 54, plain.end());
  const Bytes frame = frames::ip(ends, 0, payload);
  EXPECT_EQ(parse(0, frame).key.kind, Kind::udp);
  EXPECT_EQ(parse(0, frame).key, parse(0, plain).key);
  EXPECT_EQ(content(frame), "x");
}

TEST(Packet, ACutDatagramIsPiecesOfOneName) {
  for (const bool ip6 : {false, true}) {
    Ends ends;
    ends.ip6 = ip6;
    const auto pieces =
        frames::cut(frames::tcp(ends, {9, 8, frames::ack, std::string(100, 'x')}), 48, 1234);
    ASSERT_EQ(pieces.size(), 3U);
    const Packet first = parse(0, pieces[0]);
    const Packet last = parse(0, pieces[2]);
    EXPECT_EQ(first.key.kind, Kind::fragment);
    EXPECT_EQ(first.key, last.key);
    EXPECT_EQ(first.fragment_id, 1234U);
    EXPECT_EQ(first.tcp_header, 20U);
    EXPECT_EQ(first.said.seq, 9U);
    EXPECT_EQ(last.tcp_header, 0U);
    EXPECT_EQ(last.fragment_at, 96U);
    EXPECT_TRUE(first.fragment_more);
    EXPECT_FALSE(last.fragment_more);
    EXPECT_EQ(first.said.size(), 48U);
  }
}

// AddressSanitizer would see a read outside.
TEST(Packet, AnyBytesAreRead) {
  std::mt19937_64 random(7);
  const Bytes good[] = {frames::tcp({}, {1, 2}), frames::udp({true}, "abc"), frames::arp(1, 5),
                        frames::cut(frames::udp({true}, std::string(50, 'x')), 16, 1)[0]};
  for (int i = 0; i < 200'000; ++i) {
    Bytes frame = good[random() % std::size(good)];
    frame.resize(random() % (frame.size() + 1));
    for (std::uint64_t j = random() % 4; j > 0 && !frame.empty(); --j) {
      frame[random() % frame.size()] = static_cast<std::byte>(random());
    }
    const Bytes exact(frame);
    const Packet packet = parse(0, exact);
    ASSERT_LE(packet.said.content, packet.said.end);
    ASSERT_LE(packet.said.end, exact.size());
    ASSERT_LE(packet.transport + packet.tcp_header, exact.size());
  }
}

TEST(Packet, FlowsHaveNamesForPeople) {
  const auto name = [](const Bytes& frame) { return describe(parse(0, frame).key); };
  EXPECT_EQ(name(frames::tcp({true, true, {12}}, {})),
            "tcp [fd00::2]:80 > [fd00::9]:50000 vlan 12");
  EXPECT_EQ(name(frames::udp({false, true, {}, 68, 67}, "x")), "dhcp 10.0.0.2:68 > 10.0.0.9:67");
  EXPECT_EQ(name(frames::arp(1, 0x0a000001)), "arp request 10.0.0.2 > 10.0.0.1");
  EXPECT_EQ(name(frames::router_solicitation()), "icmpv6 router-solicitation fd00::2 > fd00::9");
  EXPECT_EQ(name(frames::raw(0x88cc, "x")), "ethernet type 0x88cc");
}

}  // namespace
}  // namespace colo::compare
