// Rounds, silence, bounds, and everything that is not TCP.
#include <gtest/gtest.h>

#include "tests/compare/two_guests.h"

namespace colo::compare {
namespace {

using frames::Ends;

const Ends outward;

Bytes tcp_data(std::uint32_t seq, std::string text, std::uint16_t client = 50000) {
  Ends ends;
  ends.client_port = client;
  frames::Segment segment{seq, 100};
  segment.payload = std::move(text);
  return tcp(ends, segment);
}

TEST(Compare, DatagramsMatchOneByOne) {
  for (const bool ip6 : {false, true}) {
    Ends ends;
    ends.ip6 = ip6;
    TwoGuests guests;
    guests.primary(udp(ends, "one"));
    guests.primary(udp(ends, "two"));
    guests.replica(udp(ends, "one", {99, 1, 17}));
    EXPECT_EQ(guests.left(), Ids{1});
    guests.replica(udp(ends, "twO"));
    EXPECT_EQ(guests.left(), Ids{});
    EXPECT_EQ(guests.asked(), "different-payload");
  }
}

TEST(Compare, PingsMatch) {
  for (const bool ip6 : {false, true}) {
    Ends ends;
    ends.ip6 = ip6;
    TwoGuests guests;
    guests.primary(icmp_echo_reply(ends, 7, "ping"));
    guests.replica(icmp_echo_reply(ends, 8, "ping"));
    EXPECT_EQ(guests.left(), Ids{}) << "another program's";
    guests.replica(icmp_echo_reply(ends, 7, "ping"));
    EXPECT_EQ(guests.left(), Ids{1});
  }
}

TEST(Compare, AnArpRequestIsSaidWithItsMeaning) {
  TwoGuests guests;
  Bytes padded = frames::arp(1, 0x0a000001, 0x1234);
  padded.resize(60, std::byte{0xaa});
  guests.primary(frames::arp(1, 0x0a000001));
  guests.replica(padded);
  EXPECT_EQ(guests.left(), Ids{1});
  guests.primary(frames::arp(1, 0x0a000001));
  EXPECT_EQ(guests.left(), Ids{2}) << "to ask twice is to ask";
  guests.primary(frames::arp(2, 0x0a000001, 1));
  guests.replica(frames::arp(2, 0x0a000001, 2));
  EXPECT_EQ(guests.left(), Ids{}) << "an answer to somebody else";
}

TEST(Compare, WhatWasAskedBeforeTheCheckpointMayBeAskedAgain) {
  TwoGuests guests;
  guests.primary(frames::arp(1, 0x0a000001));
  guests.primary(frames::router_solicitation());
  guests.checkpoint();
  guests.primary(frames::arp(1, 0x0a000001));
  guests.primary(frames::router_solicitation());
  EXPECT_EQ(guests.left(), (Ids{3, 4}));
  guests.wait_ms(1000);
  EXPECT_EQ(guests.asked(), "");
}

// Found by fuzzing: what a flow remembered was taken from the totals and had never been added.
TEST(Compare, WhatIsRememberedIsCountedOnce) {
  TwoGuests guests;
  guests.both(frames::arp(1, 0x0a000001));
  guests.checkpoint();
  guests.both(frames::arp(1, 0x0a000001));
  guests.checkpoint();
  EXPECT_EQ(guests.comparator.figures().surplus.packets, 0U);
  EXPECT_EQ(guests.comparator.figures().surplus.bytes, 0U);
}

TEST(Compare, UnknownFramesAreComparedWhole) {
  TwoGuests guests;
  guests.primary(frames::raw(0x88cc, "neighbour"));
  guests.replica(frames::raw(0x88cc, "neighbour"));
  EXPECT_EQ(guests.left(), Ids{1});
  guests.primary(frames::raw(0x88cc, "neighbour"));
  guests.replica(frames::raw(0x88cc, "neighbouR"));
  EXPECT_EQ(guests.left(), Ids{});
  EXPECT_EQ(guests.asked(), "different-payload");
}

TEST(Compare, FragmentsAreComparedTogetherHoweverTheyAreCut) {
  for (const bool ip6 : {false, true}) {
    Ends ends;
    ends.ip6 = ip6;
    const Bytes whole = udp(ends, std::string(3000, 'x') + "end");
    const auto ours = frames::cut(whole, 1480, 11);
    const auto theirs = frames::cut(whole, 512, 12);
    TwoGuests guests;
    for (const Bytes& piece : ours) guests.primary(piece);
    for (auto piece = theirs.rbegin(); piece != theirs.rend(); ++piece) {
      EXPECT_EQ(guests.left(), Ids{});
      guests.replica(*piece);
    }
    EXPECT_EQ(guests.left(), (Ids{1, 2, 3}));
    for (const Bytes& piece : ours) guests.primary(piece);
    guests.replica(udp(ends, std::string(3000, 'x') + "End"));
    EXPECT_EQ(guests.left(), Ids{});
    EXPECT_EQ(guests.asked(), "different-payload");
  }
}

TEST(Compare, APieceThatIsMissingIsAskedFor) {
  TwoGuests guests;
  const auto pieces = frames::cut(udp(outward, std::string(3000, 'x')), 1480, 11);
  guests.primary(pieces[0]);
  guests.primary(pieces[2]);
  guests.wait_ms(200);
  const auto ask = guests.comparator.take_ask();
  ASSERT_TRUE(ask);
  EXPECT_EQ(ask->reason, Reason::fragments);
  EXPECT_EQ(ask->flow, "fragments of ip protocol 17 10.0.0.2 > 10.0.0.9");
}

TEST(Compare, PiecesThatOverlapNeverLeaveUncompared) {
  TwoGuests guests;
  const auto some = frames::cut(udp(outward, std::string(100, 'x')), 64, 11);
  const auto others = frames::cut(udp(outward, std::string(100, 'x')), 56, 11);
  for (const Bytes& piece : {some[0], others[1], some[1]}) {
    guests.primary(piece);
    guests.replica(piece);
  }
  EXPECT_EQ(guests.left(), Ids{});
  guests.wait_ms(200);
  EXPECT_EQ(guests.asked(), "fragments");
}

TEST(Compare, SilenceOfEitherSideIsAskedForByName) {
  TwoGuests guests;
  EXPECT_FALSE(guests.comparator.deadline());
  guests.primary(frames::router_solicitation());
  EXPECT_EQ(guests.comparator.deadline(), guests.now + std::chrono::milliseconds(200));
  guests.wait_ms(199);
  EXPECT_EQ(guests.asked(), "");
  guests.wait_ms(1);
  const auto ask = guests.comparator.take_ask();
  ASSERT_TRUE(ask);
  EXPECT_EQ(ask->reason, Reason::silence);
  EXPECT_EQ(ask->flow, "icmpv6 router-solicitation fd00::2 > fd00::9");
  EXPECT_FALSE(guests.comparator.deadline()) << "once in a round";
  TwoGuests others;
  others.replica(udp(outward, "x"));
  others.wait_ms(200);
  EXPECT_EQ(others.asked(), "silence");
}

TEST(Compare, SilenceCountsFromWhenTheReplicaRuns) {
  TwoGuests guests;
  guests.open = Epoch{3};
  guests.comparator.cut(Epoch{3});
  guests.primary(udp(outward, "x"));
  guests.wait_ms(5000);
  EXPECT_EQ(guests.asked(), "");
  guests.comparator.committed(Epoch{2});
  guests.wait_ms(5000);
  EXPECT_EQ(guests.asked(), "") << "it is being loaded";
  guests.comparator.replica_runs(Epoch{3}, guests.now);
  guests.wait_ms(200);
  EXPECT_EQ(guests.asked(), "silence");
}

TEST(Compare, AFrameBehindTheCutIsComparedWithTheNextIncarnationOnly) {
  TwoGuests guests;
  guests.primary(tcp_data(1, "before"));
  guests.comparator.cut(Epoch{3});
  guests.primary(tcp_data(7, "behind"));
  guests.replica(tcp_data(1, "beforebehind"), Epoch{2});
  EXPECT_EQ(guests.left(), Ids{1}) << "equality still releases what was sent before";
  guests.comparator.committed(Epoch{2});
  guests.replica(tcp_data(7, "behind"), Epoch{2});
  EXPECT_EQ(guests.left(), Ids{});
  EXPECT_EQ(guests.comparator.figures().late, 1U);
  guests.replica(tcp_data(7, "behind"), Epoch{3});
  EXPECT_EQ(guests.left(), Ids{2});
}

TEST(Compare, NothingOfARoundLeavesBeforeItsCheckpointIsCommitted) {
  TwoGuests guests;
  guests.primary(tcp_data(1, "hello"));
  guests.comparator.cut(Epoch{3});
  guests.primary(tcp_data(1, "hello"));
  guests.replica(tcp_data(1, "hello"), Epoch{3});
  EXPECT_EQ(guests.left(), Ids{});
  guests.comparator.committed(Epoch{2});
  EXPECT_EQ(guests.left(), Ids{2}) << "the checkpoint holds it";
}

TEST(Compare, ADifferenceOfARoundThatEndsIsNotAskedFor) {
  TwoGuests guests;
  guests.primary(tcp_data(1, "hello"));
  guests.comparator.cut(Epoch{3});
  guests.replica(tcp_data(1, "hullo"), Epoch{2});
  EXPECT_EQ(guests.asked(), "");
  EXPECT_EQ(guests.left(), Ids{});
}

// A capture failed behind its cut, and the next one cuts to the same epoch.
TEST(Compare, CutAgainToTheSameEpoch) {
  TwoGuests guests;
  guests.comparator.cut(Epoch{3});
  guests.primary(tcp_data(1, "between the cuts"));
  guests.comparator.cut(Epoch{3});
  guests.primary(tcp_data(17, "behind"));
  guests.comparator.committed(Epoch{2});
  guests.replica(tcp_data(17, "behind"), Epoch{3});
  EXPECT_EQ(guests.left(), Ids{2});
  guests.primary(tcp_data(1, "between the cuts"));
  EXPECT_EQ(guests.left(), Ids{3}) << "the second capture holds it";
  guests.wait_ms(1000);
  EXPECT_EQ(guests.asked(), "");
  EXPECT_EQ(guests.comparator.figures().held.packets, 0U);
}

TEST(Compare, OneFlowDiffersAndTheOthersGoOn) {
  TwoGuests guests;
  guests.primary(tcp_data(1, "same", 1));
  guests.primary(tcp_data(1, "ours", 2));
  guests.replica(tcp_data(1, "else", 2));
  guests.replica(tcp_data(1, "same", 1));
  EXPECT_EQ(guests.left(), Ids{1});
  EXPECT_EQ(guests.asked(), "different-payload");
  EXPECT_EQ(guests.asked(), "") << "once";
}

TEST(Compare, BeforeTheFirstCutNothingIsCompared) {
  Comparator comparator({});
  const auto frame = std::make_shared<const Bytes>(udp(outward, "x"));
  comparator.primary_sent(FrameId{1}, 0, frame, at_ms(0));
  comparator.secondary_sent(Epoch{1}, 0, *frame, at_ms(0));
  EXPECT_FALSE(comparator.pop_released());
  EXPECT_FALSE(comparator.deadline());
}

TEST(Compare, AtABoundOfHeldFramesACheckpointIsAskedForAndNoneIsForgotten) {
  ComparatorLimits limits;
  limits.held_per_flow.packets = 3;
  TwoGuests guests(limits);
  guests.primary(udp(outward, "1"));
  guests.primary(udp(outward, "2"));
  EXPECT_EQ(guests.asked(), "");
  guests.primary(udp(outward, "3"));
  EXPECT_EQ(guests.asked(), "full-held");
  guests.primary(udp(outward, "4"));
  for (const char* text : {"1", "2", "3", "4"}) guests.replica(udp(outward, text));
  EXPECT_EQ(guests.left(), (Ids{1, 2, 3, 4}));
}

TEST(Compare, TheReplicasSurplusIsBounded) {
  ComparatorLimits limits;
  limits.surplus_per_flow.bytes = 100;
  limits.surplus.bytes = 250;
  TwoGuests guests(limits);
  guests.replica(tcp_data(1, std::string(99, 'x'), 1));
  EXPECT_EQ(guests.asked(), "");
  guests.replica(tcp_data(100, "x", 1));
  EXPECT_EQ(guests.asked(), "full-surplus");
  EXPECT_EQ(guests.comparator.figures().surplus.bytes, 0U);
  guests.primary(tcp_data(1, "x", 1));
  EXPECT_EQ(guests.left(), Ids{}) << "it waits for the checkpoint";
  guests.checkpoint();
  for (std::uint16_t client = 1; client <= 5; ++client) {
    guests.replica(frames::udp({false, true, {}, 53, client}, std::string(80, 'x')));
  }
  EXPECT_EQ(guests.asked(), "full-surplus");
  EXPECT_LE(guests.comparator.figures().surplus.bytes, 250U);
}

TEST(Compare, FlowsAreBounded) {
  ComparatorLimits limits;
  limits.flows = 2;
  TwoGuests guests(limits);
  for (std::uint16_t client = 1; client <= 3; ++client) guests.both(tcp_data(1, "x", client));
  EXPECT_EQ(guests.left(), (Ids{1, 2}));
  EXPECT_EQ(guests.asked(), "full-flows");
  guests.checkpoint();
  guests.both(tcp_data(2, "x", 3));
  EXPECT_EQ(guests.left(), Ids{4});
}

TEST(Compare, AResetForgetsTheSession) {
  TwoGuests guests;
  guests.primary(udp(outward, "x"));
  guests.replica(udp(outward, "x"));
  guests.comparator.reset();
  EXPECT_EQ(guests.left(), Ids{});
  EXPECT_EQ(guests.comparator.figures().held.packets, 0U);
  EXPECT_FALSE(guests.comparator.deadline());
}

}  // namespace
}  // namespace colo::compare
