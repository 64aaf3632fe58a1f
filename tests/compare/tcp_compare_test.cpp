// TCP between the two guests, one rule after another.
#include <gtest/gtest.h>

#include "tests/compare/two_guests.h"

namespace colo::compare {
namespace {

using frames::ack;
using frames::Ends;
using frames::fin;
using frames::rst;
using frames::Segment;
using frames::syn;

const Ends out;  // from the guest to a client

Bytes data(std::uint32_t seq, std::string text, std::uint32_t acked = 100) {
  Segment segment{seq, acked};
  segment.payload = std::move(text);
  return tcp(out, segment);
}
Bytes event(std::uint8_t flags, std::uint32_t seq, std::uint32_t acked = 100) {
  return tcp(out, {seq, acked, flags});
}

TEST(TcpCompare, ASegmentWaitsForTheReplicaToSayTheSame) {
  TwoGuests guests;
  guests.primary(data(1, "hello"));
  EXPECT_EQ(guests.left(), Ids{});
  guests.replica(data(1, "hello"));
  EXPECT_EQ(guests.left(), Ids{1});
  EXPECT_EQ(guests.asked(), "");
  EXPECT_EQ(guests.comparator.figures().equal, 1U);
}

TEST(TcpCompare, TheReplicaMayBeFirst) {
  TwoGuests guests;
  guests.replica(data(1, "hello"));
  EXPECT_EQ(guests.comparator.figures().surplus.bytes, 5U);
  guests.primary(data(1, "hello"));
  EXPECT_EQ(guests.left(), Ids{1});
  EXPECT_EQ(guests.comparator.figures().surplus.bytes, 0U);
}

TEST(TcpCompare, SegmentationIsNoDifference) {
  TwoGuests guests;
  guests.primary(data(1, "hel"));
  guests.primary(data(4, "lo wor"));
  guests.replica(data(1, "hello"));
  EXPECT_EQ(guests.left(), Ids{1});
  guests.replica(data(6, " world"));
  EXPECT_EQ(guests.left(), Ids{2});
  guests.primary(data(10, "ld"));
  EXPECT_EQ(guests.left(), Ids{3});
}

TEST(TcpCompare, OneByteIsFoundAndNothingBehindItLeaves) {
  TwoGuests guests;
  guests.replica(data(1, "the same, and then Xther"));
  guests.primary(data(1, "the same, "));
  guests.primary(data(11, "and then other"));
  guests.primary(data(25, "more"));
  EXPECT_EQ(guests.left(), Ids{1});
  const auto ask = guests.comparator.take_ask();
  ASSERT_TRUE(ask);
  EXPECT_EQ(ask->reason, Reason::differ_payload);
  EXPECT_EQ(ask->flow, "tcp 10.0.0.2:80 > 10.0.0.9:50000");
  guests.replica(data(25, "more"));
  EXPECT_EQ(guests.left(), Ids{});
  EXPECT_EQ(guests.comparator.figures().different[0], 1U);
}

TEST(TcpCompare, TheNumbersMayWrap) {
  TwoGuests guests;
  guests.primary(data(0xfffffffdU, "abcdef", 0xfffffff0U));
  guests.replica(data(0xfffffffdU, "abc", 0xfffffff0U));
  guests.replica(data(0, "def", 3));
  EXPECT_EQ(guests.left(), Ids{1});
  guests.primary(data(3, "ghi", 5));
  guests.replica(data(3, "ghi", 4));
  EXPECT_EQ(guests.left(), Ids{}) << "4 is less than 5, also behind the wrap";
  guests.replica(data(6, "", 5));
  EXPECT_EQ(guests.left(), Ids{2});
}

TEST(TcpCompare, AnAcknowledgementWaitsForTheReplicasOwn) {
  TwoGuests guests;
  guests.primary(data(1, "", 200));
  guests.replica(data(1, "", 150));
  EXPECT_EQ(guests.left(), Ids{});
  guests.replica(data(1, "", 200));
  EXPECT_EQ(guests.left(), Ids{1});
  guests.primary(data(1, "", 180));
  EXPECT_EQ(guests.left(), Ids{2});
}

TEST(TcpCompare, EqualBytesWithALaterAcknowledgementWaitToo) {
  TwoGuests guests;
  guests.replica(data(1, "hello", 100));
  guests.primary(data(1, "hello", 200));
  EXPECT_EQ(guests.left(), Ids{});
  guests.replica(data(6, "", 200));
  EXPECT_EQ(guests.left(), Ids{1});
}

TEST(TcpCompare, ARetransmissionOfWhatBothSaidLeavesAtOnce) {
  TwoGuests guests;
  guests.both(data(1, "hello world"));
  guests.primary(data(1, "hello"));
  guests.primary(data(4, "lo wor"));
  EXPECT_EQ(guests.left(), (Ids{1, 2, 3}));
  guests.primary(data(4, "lo world and more"));
  EXPECT_EQ(guests.left(), Ids{});
  guests.replica(data(12, " and more"));
  EXPECT_EQ(guests.left(), Ids{4});
}

TEST(TcpCompare, OptionsWindowTtlAndIdAreNoDifference) {
  TwoGuests guests;
  Segment ours{1, 100, ack, "hello", 400};
  ours.timestamps = {1000, 5};
  Segment theirs{1, 100, ack | frames::push, "hello", 30000};
  theirs.sacks = {{7, 9}};
  guests.primary(tcp(out, ours, {1, 64, 0}));
  guests.replica(tcp(out, theirs, {9, 63, 3}));
  EXPECT_EQ(guests.left(), Ids{1});
}

TEST(TcpCompare, ASynMatchesWhateverNumberItBeginsWith) {
  TwoGuests guests;
  guests.primary(event(syn | ack, 1000, 7));
  guests.replica(event(syn | ack, 5'000'000, 7));
  EXPECT_EQ(guests.left(), Ids{1});
  // From here on the replica's numbers are the primary's.
  guests.primary(data(1001, "hello", 8));
  guests.replica(data(1001, "hello", 8));
  EXPECT_EQ(guests.left(), Ids{2});
}

TEST(TcpCompare, ASynOfTheGuestItself) {
  TwoGuests guests;
  guests.primary(event(syn, 1000, 0));
  EXPECT_EQ(guests.left(), Ids{});
  guests.replica(event(syn, 77, 0));
  guests.primary(event(syn, 1000, 0));
  EXPECT_EQ(guests.left(), (Ids{1, 2})) << "said again it is the same SYN";
}

TEST(TcpCompare, ASynIsNoAnswerToASynAck) {
  TwoGuests guests;
  guests.primary(event(syn | ack, 1000, 7));
  guests.replica(event(syn, 77, 0));
  EXPECT_EQ(guests.left(), Ids{});
  EXPECT_EQ(guests.asked(), "different-event");
}

TEST(TcpCompare, ASynAckAcknowledgesNoMoreThanTheReplicas) {
  TwoGuests guests;
  guests.primary(event(syn | ack, 1000, 9));
  guests.replica(event(syn | ack, 77, 8));
  EXPECT_EQ(guests.left(), Ids{});
}

TEST(TcpCompare, ThePortsAreUsedAgain) {
  TwoGuests guests;
  guests.both(event(syn | ack, 1000, 7));
  guests.both(event(fin | ack, 1001, 8));
  guests.replica(event(syn | ack, 90, 500));  // its new connection is ahead
  guests.primary(event(fin | ack, 1001, 8));
  guests.primary(event(syn | ack, 3'000'000, 500));
  EXPECT_EQ(guests.left(), (Ids{1, 2, 3, 4}));
  guests.both(data(3'000'001, "again", 501));
  EXPECT_EQ(guests.left(), Ids{5});
}

TEST(TcpCompare, AFinIsReleasedWithItsBytes) {
  TwoGuests guests;
  Segment last{1, 100, fin | ack, "bye"};
  guests.primary(tcp(out, last));
  guests.replica(data(1, "bye"));
  EXPECT_EQ(guests.left(), Ids{});
  guests.replica(event(fin | ack, 4));
  EXPECT_EQ(guests.left(), Ids{1});
  guests.primary(event(fin | ack, 4));
  EXPECT_EQ(guests.left(), Ids{2});
}

TEST(TcpCompare, AnEarlierFinIsADifferenceAtOnce) {
  TwoGuests guests;
  guests.primary(data(1, "hello"));
  guests.replica(data(1, "hel"));
  guests.replica(event(fin | ack, 4));
  EXPECT_EQ(guests.asked(), "different-event");
  EXPECT_EQ(guests.left(), Ids{});
  TwoGuests others;
  others.primary(event(fin | ack, 1));
  others.replica(data(1, "hello"));
  EXPECT_EQ(others.asked(), "different-event");
}

TEST(TcpCompare, AResetIsMatchedByAReset) {
  TwoGuests guests;
  guests.primary(event(rst | ack, 1));
  guests.replica(data(1, ""));
  EXPECT_EQ(guests.left(), Ids{});
  guests.replica(event(rst, 1));
  EXPECT_EQ(guests.left(), Ids{1});
}

TEST(TcpCompare, TheReplicasResetIsAskedForWhenThePrimaryGoesOn) {
  TwoGuests guests;
  guests.replica(event(rst, 1));
  guests.wait_ms(201);
  EXPECT_EQ(guests.asked(), "silence");
}

TEST(TcpCompare, VlanAndIp6AreComparedLikeAnyOther) {
  for (const bool ip6 : {false, true}) {
    Ends ends{ip6, true, {100, 7}};
    TwoGuests guests;
    Segment hello{1, 100, ack, "hello"};
    guests.primary(tcp(ends, hello));
    guests.replica(tcp({ip6, true, {100, 8}}, hello));
    EXPECT_EQ(guests.left(), Ids{}) << "another network";
    guests.replica(tcp(ends, hello));
    EXPECT_EQ(guests.left(), Ids{1});
    hello.seq = 6;
    guests.primary(tcp(ends, hello));
    hello.payload = "hellO";
    guests.replica(tcp(ends, hello));
    EXPECT_EQ(guests.left(), Ids{});
    EXPECT_EQ(guests.asked(), "different-payload");
  }
}

// Behind a checkpoint the primary may say again what it said before; its replica need not.
TEST(TcpCompare, WhatTheCheckpointHoldsMayBeSaidAgain) {
  TwoGuests guests;
  guests.primary(event(syn | ack, 1000, 7));
  guests.primary(data(1001, "hello", 20));
  guests.checkpoint();
  guests.primary(event(syn | ack, 1000, 7));
  guests.primary(data(1001, "hello", 20));
  guests.primary(data(1003, "llo more", 20));
  EXPECT_EQ(guests.left(), (Ids{3, 4}));
  guests.replica(data(1006, " more", 20));
  EXPECT_EQ(guests.left(), Ids{5});
  guests.replica(data(1001, "hello", 20));  // its timer was slower
  guests.replica(event(syn | ack, 1000, 7));
  guests.wait_ms(10'000);
  EXPECT_EQ(guests.asked(), "");
}

TEST(TcpCompare, AnAcknowledgementOfBeforeTheCheckpointIsTheReplicasToo) {
  TwoGuests guests;
  guests.primary(data(1, "", 200));
  guests.checkpoint();
  guests.primary(data(1, "", 200));
  guests.primary(data(1, "", 201));
  EXPECT_EQ(guests.left(), Ids{2});
}

TEST(TcpCompare, WhatIsRememberedOutlivesAQuietRound) {
  TwoGuests guests;
  guests.primary(data(1, "hello", 200));
  guests.checkpoint();
  guests.checkpoint();
  guests.primary(data(1, "hello", 200));
  EXPECT_EQ(guests.left(), Ids{2});
}

TEST(TcpCompare, AKeepAliveIsNothingNew) {
  TwoGuests guests;
  guests.both(data(1, "hello"));
  guests.primary(data(5, ""));
  guests.primary(data(5, "x"));
  EXPECT_EQ(guests.left(), (Ids{1, 2, 3}));
  guests.replica(data(5, "x"));
  guests.wait_ms(10'000);
  EXPECT_EQ(guests.asked(), "");
}

}  // namespace
}  // namespace colo::compare
