// Frames and datagrams as bytes: built, taken apart, and refused when damaged.
#include "tests/guest_embedded/client.h"

namespace colo::guest::embedded {
namespace {

using testing::bytes_of;
using testing::client_ip;
using testing::client_mac;

UdpDatagram datagram_of(Bytes payload) {
  return {client_mac, card_mac(0), client_ip, card_ip(0), 40000, 7000, std::move(payload)};
}

TEST(Frames, ADatagramComesBackAsItWas) {
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{17}, udp_payload_max}) {
    const Bytes frame = build_frame(datagram_of(Bytes(size, std::byte{0xA5})));
    EXPECT_GE(frame.size(), 60U);
    const auto parsed = parse_udp(frame);
    ASSERT_TRUE(parsed) << size;
    EXPECT_EQ(parsed->source_mac, client_mac);
    EXPECT_EQ(parsed->destination_mac, card_mac(0));
    EXPECT_EQ(parsed->source_ip, client_ip);
    EXPECT_EQ(parsed->destination_ip, ipv4(10, 77, 0, 10));
    EXPECT_EQ(parsed->source_port, 40000);
    EXPECT_EQ(parsed->destination_port, 7000);
    EXPECT_EQ(parsed->payload, Bytes(size, std::byte{0xA5}));
    EXPECT_FALSE(parse_arp(frame));
  }
}

// A frame whose checksums were computed by hand.
TEST(Frames, ChecksumsAreThoseOfTheInternet) {
  const Bytes frame =
      build_frame(UdpDatagram{{}, {}, ipv4(10, 0, 0, 1), ipv4(10, 0, 0, 2), 1, 2, bytes_of("ab")});
  // IP: 4500+001E+0000+4000+4011+0000+0A00+0001+0A00+0002 = D932 -> 26CD
  EXPECT_EQ(frame[24], std::byte{0x26});
  EXPECT_EQ(frame[25], std::byte{0xCD});
  // UDP: 0A00+0001+0A00+0002+0011+000A + 0001+0002+000A+0000+6162 = 758D -> 8A72
  EXPECT_EQ(frame[40], std::byte{0x8A});
  EXPECT_EQ(frame[41], std::byte{0x72});
}

TEST(Frames, ADamagedOrCutDatagramIsNone) {
  const Bytes whole =
      build_frame(datagram_of(bytes_of("a payload long enough to need no padding")));
  for (std::size_t at = 12; at < whole.size(); ++at) {
    Bytes damaged = whole;
    damaged[at] ^= std::byte{0x10};
    EXPECT_FALSE(parse_udp(damaged)) << "byte " << at;
  }
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(parse_udp(ByteView(whole).first(size))) << size << " bytes";
  }
}

TEST(Frames, ArpComesBackAsItWasAndACutOneIsNone) {
  const Bytes frame =
      build_frame(ArpMessage{broadcast_mac, true, client_mac, client_ip, MacAddress{}, card_ip(0)});
  EXPECT_EQ(frame.size(), 60U);
  const auto parsed = parse_arp(frame);
  ASSERT_TRUE(parsed);
  EXPECT_TRUE(parsed->request);
  EXPECT_EQ(parsed->destination, broadcast_mac);
  EXPECT_EQ(parsed->sender_mac, client_mac);
  EXPECT_EQ(parsed->sender_ip, client_ip);
  EXPECT_EQ(parsed->target_ip, card_ip(0));
  EXPECT_FALSE(parse_udp(frame));
  for (std::size_t size = 0; size < 42; ++size) {
    EXPECT_FALSE(parse_arp(ByteView(frame).first(size))) << size << " bytes";
  }
}

TEST(LedgerDatagrams, ComeBackAsTheyWere) {
  const auto request =
      decode_request(encode(LedgerRequest{LedgerOperation::append, 3, 9, bytes_of("hello")}));
  ASSERT_TRUE(request);
  EXPECT_EQ(request->operation, LedgerOperation::append);
  EXPECT_EQ(request->client, 3U);
  EXPECT_EQ(request->request, 9U);
  EXPECT_EQ(request->entry, bytes_of("hello"));
  const LedgerReply reply{LedgerStatus::stale, 3, 9, 0x0102030405060708, 11};
  EXPECT_EQ(decode_reply(encode(reply)), reply);
}

TEST(LedgerDatagrams, WhatIsNoRequestIsRefused) {
  const Bytes whole = encode(LedgerRequest{LedgerOperation::digest, 3, 9, {}});
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(decode_request(ByteView(whole).first(size)));
  }
  Bytes wrong_magic = whole;
  wrong_magic[0] = std::byte{0};
  EXPECT_FALSE(decode_request(wrong_magic));
  Bytes wrong_operation = whole;
  wrong_operation[7] = std::byte{5};
  EXPECT_FALSE(decode_request(wrong_operation));
  EXPECT_FALSE(decode_request(encode(LedgerRequest{LedgerOperation::append, 0, 1, {}})));
  Bytes longer = encode(LedgerReply{});
  EXPECT_TRUE(decode_reply(longer));
  longer.push_back(std::byte{0});
  EXPECT_FALSE(decode_reply(longer));
}

TEST(LedgerDatagrams, TheDigestDependsOnEveryEntryAndTheirOrder) {
  const Bytes a = bytes_of("a"), b = bytes_of("b");
  EXPECT_NE(chain_digest(chain_digest(0, a), b), chain_digest(chain_digest(0, b), a));
  EXPECT_NE(chain_digest(0, a), chain_digest(1, a));
}

}  // namespace
}  // namespace colo::guest::embedded
