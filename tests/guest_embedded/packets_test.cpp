// The embedded guest on the network: ARP, the ledger, back pressure and its end.
#include "tests/guest_embedded/fixture.h"

namespace colo::guest::embedded {
namespace {

using namespace testing;

class EmbeddedPackets : public ::testing::Test {
 protected:
  void SetUp() override {
    auto booted = maker->boot();
    ASSERT_TRUE(booted) << booted.error().text();
    guest = std::move(*booted);
    ASSERT_OK(guest->resume());
    net0 = guest->ports()[0].fd;
    net1 = guest->ports()[1].fd;
  }

  std::unique_ptr<GuestMaker> maker = make_embedded_maker(config_of(2000, {"net0", "net1"}));
  std::unique_ptr<Guest> guest;
  int net0 = -1, net1 = -1;
};

TEST_F(EmbeddedPackets, AnswersArpForItsOwnAddressOnly) {
  ArpMessage question{broadcast_mac, true, client_mac, client_ip, MacAddress{}, card_ip(1)};
  write_all(net0, with_length(build_frame(question)));  // the other card's address
  question.target_ip = card_ip(0);
  write_all(net0, with_length(build_frame(question)));
  const auto frame = read_frame(net0);
  ASSERT_TRUE(frame);
  const auto answer = parse_arp(*frame);
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->request);
  EXPECT_EQ(answer->destination, client_mac);
  EXPECT_EQ(answer->sender_ip, ipv4(10, 77, 0, 10));
  EXPECT_EQ(answer->sender_mac, (MacAddress{{0x52, 0x54, 0, 0xC0, 0x10, 0x01}}));
  EXPECT_EQ(answer->target_ip, client_ip);
}

TEST_F(EmbeddedPackets, AnnouncesItselfOnEveryCard) {
  ASSERT_OK(guest->announce());
  for (std::uint32_t port = 0; port < 2; ++port) {
    const auto frame = read_frame(guest->ports()[port].fd);
    ASSERT_TRUE(frame);
    const auto arp = parse_arp(*frame);
    ASSERT_TRUE(arp);
    EXPECT_EQ(arp->destination, broadcast_mac);
    EXPECT_EQ(arp->sender_mac, card_mac(port));
    EXPECT_EQ(arp->sender_ip, card_ip(port));
    EXPECT_EQ(arp->target_ip, card_ip(port));
  }
}

TEST_F(EmbeddedPackets, TheLedgerAppendsAndTellsItsDigest) {
  OnlyClient client;
  EXPECT_TRUE(client.holds(net0));
  for (int i = 0; i < 2000; ++i) ASSERT_TRUE(client.append(net0)) << i;  // the log wraps
  EXPECT_TRUE(client.holds(net0));
}

TEST_F(EmbeddedPackets, ARepeatedRequestGetsTheSameReplyAndAddsNothing) {
  const LedgerRequest first{LedgerOperation::append, 5, 10, bytes_of("first")};
  const auto reply = ask(net0, first);
  ASSERT_TRUE(reply);
  ASSERT_TRUE(ask(net0, {LedgerOperation::append, 6, 1, bytes_of("of another client")}));
  EXPECT_EQ(ask(net0, first), reply);
  EXPECT_EQ(ask(net1, first, 1), reply);  // one ledger behind both cards
  EXPECT_EQ(ask(net0, {LedgerOperation::digest, 5, 1, {}})->sequence, 2U);
  const auto second = ask(net0, {LedgerOperation::append, 5, 11, bytes_of("second")});
  EXPECT_EQ(second->sequence, 3U);
  EXPECT_EQ(ask(net0, first)->status, LedgerStatus::stale);
}

TEST_F(EmbeddedPackets, EntriesThatDoNotFitAreRefused) {
  EXPECT_EQ(ask(net0, {LedgerOperation::append, 5, 1, {}})->status, LedgerStatus::malformed);
  EXPECT_EQ(ask(net0, {LedgerOperation::append, 5, 1, Bytes(ledger_entry_bytes_max + 1)})->status,
            LedgerStatus::malformed);
  const auto whole = ask(net0, {LedgerOperation::append, 5, 1, Bytes(ledger_entry_bytes_max)});
  EXPECT_EQ(whole->status, LedgerStatus::done);
  EXPECT_EQ(whole->sequence, 1U);
}

TEST_F(EmbeddedPackets, TheClientTableHasAnEnd) {
  for (std::uint64_t client = 1; client <= ledger_clients_max; ++client) {
    ASSERT_EQ(ask(net0, {LedgerOperation::append, client, 1, bytes_of("x")})->sequence, client);
  }
  EXPECT_EQ(ask(net0, {LedgerOperation::append, 9999999, 1, bytes_of("x")})->status,
            LedgerStatus::full);
  EXPECT_EQ(ask(net0, {LedgerOperation::append, 17, 2, bytes_of("x")})->status, LedgerStatus::done);
}

TEST_F(EmbeddedPackets, FramesForOthersAreIgnored) {
  const LedgerRequest request{LedgerOperation::append, 1, 1, bytes_of("x")};
  UdpDatagram wrong{client_mac, card_mac(0), client_ip, card_ip(0), 40000, 7001, encode(request)};
  write_all(net0, with_length(build_frame(wrong)));
  wrong.destination_port = ledger_port;
  wrong.destination_ip = client_ip;
  write_all(net0, with_length(build_frame(wrong)));
  write_all(net0, with_length(Bytes(1)));
  write_all(net0, with_length(Bytes(1500, std::byte{0xFF})));
  EXPECT_EQ(ask(net0, {LedgerOperation::digest, 1, 1, {}})->sequence, 0U);
}

// The engine reads nothing while far more is asked than fits into the socket.
TEST_F(EmbeddedPackets, AReaderThatStopsMakesTheGuestWaitAndNothingIsLost) {
  constexpr std::uint64_t requests = 20000;
  std::thread sender([this] {
    for (std::uint64_t i = 1; i <= requests; ++i) {
      send_request(net0, {LedgerOperation::append, 3, i, bytes_of("entry")});
    }
  });
  // The other card shows that the guest is blocked on the first one only.
  EXPECT_TRUE(ask(net1, {LedgerOperation::digest, 4, 1, {}}, 1));
  for (std::uint64_t i = 1; i <= requests; ++i) {
    const auto reply = read_reply(net0);
    ASSERT_TRUE(reply);
    ASSERT_EQ(reply->sequence, i);
  }
  sender.join();
}

TEST_F(EmbeddedPackets, ALengthThatNoFrameHasUnplugsTheCard) {
  Bytes length;
  append_big_endian<std::uint32_t>(length, 0x7FFFFFFF);
  write_all(net0, length);
  EXPECT_FALSE(read_frame(net0));
  EXPECT_TRUE(ask(net1, {LedgerOperation::digest, 4, 1, {}}, 1));
  EXPECT_FALSE(has_ended(*guest));
}

TEST_F(EmbeddedPackets, ACrashOnRequestEndsTheGuest) {
  EXPECT_FALSE(has_ended(*guest));
  EXPECT_TRUE(guest->end().expected);
  send_request(net0, {LedgerOperation::crash, 1, 1, {}});
  EXPECT_FALSE(read_frame(net0));  // the end of the stream
  pollfd end{guest->end_fd(), POLLIN, 0};
  EXPECT_EQ(::poll(&end, 1, -1), 1);
  EXPECT_FALSE(guest->end().expected);
  EXPECT_FALSE(guest->end().by_guest);
  EXPECT_EQ(guest->end().reason, "embedded guest crashed on request");
  EXPECT_EQ(guest->pause().error().word, "guest-ended");
  EXPECT_EQ(guest->resume().error().word, "guest-ended");
  EXPECT_EQ(guest->save_device_state().error().word, "guest-ended");
}

}  // namespace
}  // namespace colo::guest::embedded
