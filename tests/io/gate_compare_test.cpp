// The primary's gate in COLO mode: what the replica said too leaves, and what comes from outside is
// given to the lane too.
#include <gmock/gmock.h>

#include <thread>

#include "io/gate_output.h"
#include "tests/io/gate_stage.h"

namespace colo::io::test {
namespace {

using testing::ElementsAre;

class GateCompares : public GateStage {
 protected:
  // As after the first checkpoint of a session: epoch 2 is open, checkpoint 1 is committed.
  void start_comparing(GateLimits limits = {}) {
    start(limits);
    open();
    gate_->compare();
    gate_->hold(second);
    gate_->release(first);
  }
  void replica_sends(Epoch tag, std::string_view text) {
    ASSERT_TRUE(gate_->replica_frame(tag, 0, bytes_of(text)));
  }
  static GateLimits silent_for(std::chrono::milliseconds silence) {
    GateLimits limits;
    limits.compare.silence = silence;
    return limits;
  }
};

TEST_F(GateCompares, WhatTheReplicaSaysTooLeavesAtOnce) {
  start_comparing();
  card().guest_sends("one");
  card().guest_sends("two");
  ASSERT_TRUE(holds(2));
  EXPECT_FALSE(card().something_left());
  replica_sends(second, "one");
  EXPECT_TRUE(card().something_left()) << "before the call returns";
  EXPECT_EQ(card().left(), "one");
  EXPECT_FALSE(card().something_left());
  EXPECT_EQ(gate_->figures().held_packets, 1U);
  EXPECT_EQ(gate_->figures().compare.equal, 1U);
}

TEST_F(GateCompares, WhatTheReplicaSaidBeforeLeavesWithoutWaiting) {
  start_comparing();
  replica_sends(second, "one");
  card().guest_sends("one");
  EXPECT_EQ(card().left(), "one");
  EXPECT_EQ(gate_->figures().held_packets, 0U);
}

TEST_F(GateCompares, NothingLeavesByComparisonBeforeItsCheckpointIsCommitted) {
  start();
  open();
  gate_->compare();
  gate_->hold(second);
  card().guest_sends("one");
  ASSERT_TRUE(holds(1));
  replica_sends(second, "one");
  EXPECT_FALSE(card().something_left());
  gate_->release(first);
  replica_sends(second, "one");
  EXPECT_EQ(card().left(), "one");
}

TEST_F(GateCompares, ADifferenceAsksOnceAndTheCommitReleasesTheRest) {
  start_comparing();
  card().guest_sends("mine");
  card().guest_sends("mine too");
  ASSERT_TRUE(holds(2));
  replica_sends(second, "other");
  replica_sends(second, "other too");
  ASSERT_TRUE(told("asked 2 different-payload"));
  EXPECT_FALSE(card().something_left());
  gate_->cut(third);
  gate_->release(second);
  EXPECT_EQ(card().left(), "mine");
  EXPECT_EQ(card().left(), "mine too");
  EXPECT_EQ(count("asked 2 different-payload"), 1U);
  card().guest_sends("again");
  ASSERT_TRUE(holds(1));
  replica_sends(third, "not again");
  EXPECT_TRUE(told("asked 3 different-payload"));
}

TEST_F(GateCompares, ASilentReplicaIsNoticedThoughNothingMoves) {
  start_comparing(silent_for(std::chrono::milliseconds(20)));
  card().guest_sends("hello?");
  ASSERT_TRUE(holds(1));
  EXPECT_EQ(count("asked 2 silence"), 0U) << "it is not known to run";
  gate_->replica_runs(second);
  EXPECT_TRUE(told("asked 2 silence"));
}

TEST_F(GateCompares, AnOlderOrNewerIncarnationReleasesNothing) {
  start_comparing();
  gate_->cut(third);
  gate_->release(second);
  card().guest_sends("of three");
  ASSERT_TRUE(holds(1));
  replica_sends(second, "of three");
  replica_sends(Epoch{4}, "of three");
  EXPECT_FALSE(card().something_left());
  EXPECT_EQ(gate_->figures().compare.late, 2U);
  replica_sends(third, "of three");
  EXPECT_EQ(card().left(), "of three");
}

TEST_F(GateCompares, NothingIsComparedAnyMoreAfterCompareNot) {
  start_comparing();
  gate_->compare_not();
  card().guest_sends("one");
  ASSERT_TRUE(holds(1));
  replica_sends(second, "one");
  EXPECT_FALSE(card().something_left());
  ASSERT_TRUE(card().neighbour_sends("in"));
  EXPECT_EQ(card().reached(), "in");
  gate_->cut(third);
  EXPECT_FALSE(card().something_left());
  gate_->release(second);
  EXPECT_EQ(card().left(), "one");
  EXPECT_THAT(notes(), ElementsAre("began 2"));
}

TEST_F(GateCompares, AtTheHoldQueuesBoundItStillAsksAndStopsReading) {
  GateLimits limits;
  limits.hold = {4, 1U << 20};
  start_comparing(limits);
  const std::string letters = "abcdefghijkl";
  std::thread guest([&] {
    for (const char letter : letters) card().guest_sends(std::string(40'000, letter));
  });
  EXPECT_TRUE(wait_until([&] { return full_ == 1; }));
  const std::size_t bound = gate_->figures().held_packets;
  EXPECT_LE(bound, 6U) << "one read past the bound";
  replica_sends(Epoch{1}, "late");
  EXPECT_EQ(gate_->figures().held_packets, bound);
  for (const char letter : letters) {
    replica_sends(second, std::string(40'000, letter));
    EXPECT_EQ(card().left(), std::string(40'000, letter)) << "there is room again";
  }
  guest.join();
}

TEST_F(GateCompares, InboundFramesGoToTheLaneInOrderWithTheEpochOfTheirDelivery) {
  start_comparing();
  for (const char* text : {"a", "b", "c"}) {
    ASSERT_TRUE(card().neighbour_sends(text));
    EXPECT_EQ(card().reached(), text);
  }
  gate_->cut(third);
  ASSERT_TRUE(card().neighbour_sends("d"));
  EXPECT_EQ(card().reached(), "d");
  ASSERT_TRUE(told("inbound 3 0 d"));
  EXPECT_THAT(notes(), ElementsAre("began 2", "inbound 2 0 a", "inbound 2 0 b", "inbound 2 0 c",
                                   "began 3", "inbound 3 0 d"));
}

TEST_F(GateCompares, NothingGoesToTheLaneBeforeTheCutThatComparingBeginsWith) {
  start_holding();
  gate_->compare();
  ASSERT_TRUE(card().neighbour_sends("early"));
  EXPECT_EQ(card().reached(), "early");
  gate_->cut(second);
  ASSERT_TRUE(card().neighbour_sends("now"));
  ASSERT_TRUE(told("inbound 2 0 now"));
  EXPECT_THAT(notes(), ElementsAre("began 2", "inbound 2 0 now"));
}

TEST_F(GateCompares, WhileTheLaneHasNoRoomTheNetworkQueues) {
  room_ = 0;
  start_comparing();
  ASSERT_TRUE(card().neighbour_sends("waits"));
  card().guest_sends("still served");
  ASSERT_TRUE(holds(1));
  EXPECT_EQ(gate_->figures().frames_in, 0U);
  pollfd polled{card().guest.get(), POLLIN, 0};
  EXPECT_EQ(::poll(&polled, 1, 0), 0);
  room_ = 1U << 20;
  gate_->room_again();
  EXPECT_EQ(card().reached(), "waits");
  EXPECT_TRUE(told("inbound 2 0 waits"));
}

TEST_F(GateCompares, ABatchIsNoLargerThanTheRoom) {
  start_comparing();
  ASSERT_TRUE(gate_->stop_inbound(patience));
  room_ = PacketGate::room_bytes_min;  // for one frame; the next finds less
  int sent = 0;
  while (sent < 5 && card().neighbour_sends("frame " + std::to_string(sent))) ++sent;
  ASSERT_GE(sent, 2) << "several wait for one turn";
  gate_->start_inbound();
  for (int i = 0; i < sent; ++i) {
    EXPECT_EQ(card().reached(), "frame " + std::to_string(i));
    ASSERT_TRUE(told("inbound 2 0 frame " + std::to_string(i)));
  }
  EXPECT_EQ(largest_batch_, 1U);
}

TEST_F(GateCompares, InboundCanBeStoppedUntilTheGuestHasReadAll) {
  start_comparing();
  ASSERT_TRUE(card().neighbour_sends("unread"));
  ASSERT_TRUE(told("inbound 2 0 unread"));
  EXPECT_FALSE(gate_->stop_inbound(std::chrono::milliseconds(1)));
  ASSERT_TRUE(card().neighbour_sends("after the cut"));
  EXPECT_EQ(card().reached(), "unread");
  EXPECT_TRUE(gate_->stop_inbound(patience));
  gate_->cut(third);
  EXPECT_EQ(gate_->figures().frames_in, 1U);
  gate_->start_inbound();
  EXPECT_EQ(card().reached(), "after the cut");
  EXPECT_TRUE(told("inbound 3 0 after the cut"));
}

TEST_F(GateCompares, InboundWaitsForAGuestThatReadsMeanwhile) {
  start_comparing();
  ASSERT_TRUE(card().neighbour_sends("slowly read"));
  ASSERT_TRUE(told("inbound 2 0 slowly read"));
  std::thread guest([&] { EXPECT_EQ(card().reached(), "slowly read"); });
  EXPECT_TRUE(gate_->stop_inbound(patience));
  guest.join();
}

TEST_F(GateCompares, AFurtherOpenEndsAStopOfInbound) {
  start_comparing();
  EXPECT_TRUE(gate_->stop_inbound(patience));
  gate_->close();
  open();
  ASSERT_TRUE(card().neighbour_sends("in"));
  EXPECT_EQ(card().reached(), "in");
}

TEST_F(GateCompares, RefusesWhatIsNoFrame) {
  start_comparing();
  const Bytes large(packet_bytes_max + 1);
  EXPECT_EQ(gate_->replica_frame(second, 1, bytes_of("x")).error().word, "bad-packet");
  EXPECT_EQ(gate_->replica_frame(second, 0, {}).error().word, "bad-packet");
  EXPECT_EQ(gate_->replica_frame(second, 0, large).error().word, "bad-packet");
}

TEST_F(GateCompares, ADroppedHoldEndsComparing) {
  start_comparing();
  card().guest_sends("never");
  ASSERT_TRUE(holds(1));
  EXPECT_EQ(gate_->drop_held(), 1U);
  replica_sends(second, "never");
  EXPECT_FALSE(card().something_left());
}

// --- without sockets ----------------------------------------------------------------------------

std::vector<std::string> leaving(GateOutput& output) {
  std::vector<std::string> all;
  while (const auto frame = output.pop_released()) all.push_back(text_of(*frame->frame));
  return all;
}

Instant at_ms(int milliseconds) { return Instant(std::chrono::milliseconds(milliseconds)); }

TEST(GateOutputTest, WhatTheCommitReleasesLeavesInFrontOfWhatTheReplicaSaid) {
  GateOutput output({}, {});
  output.compare();
  output.hold(second);
  output.push(0, bytes_of("a"), at_ms(1));
  output.cut(third);
  output.push(0, bytes_of("b"), at_ms(2));
  output.replica_said(third, 0, bytes_of("b"), at_ms(3));
  EXPECT_THAT(leaving(output), ElementsAre());
  output.release(second);
  output.replica_said(third, 0, bytes_of("b"), at_ms(4));
  EXPECT_THAT(leaving(output), ElementsAre("a", "b"));
}

TEST(GateOutputTest, AnEarlierSessionsIncarnationSaysNothingInTheNext) {
  GateOutput output({}, {});
  output.compare();
  output.hold(Epoch{8});
  output.release(Epoch{7});
  output.push(0, bytes_of("a"), at_ms(1));
  output.release_all();
  EXPECT_THAT(leaving(output), ElementsAre("a"));
  EXPECT_FALSE(output.comparing());
  output.compare();
  output.hold(second);  // the numbers begin again
  output.push(0, bytes_of("b"), at_ms(2));
  output.replica_said(Epoch{8}, 0, bytes_of("b"), at_ms(3));
  output.replica_said(second, 0, bytes_of("b"), at_ms(3));
  EXPECT_THAT(leaving(output), ElementsAre()) << "checkpoint 1 of this session is not committed";
  output.release(first);
  output.replica_said(second, 0, bytes_of("b"), at_ms(4));
  EXPECT_THAT(leaving(output), ElementsAre("b"));
}

TEST(GateOutputTest, AsksWhenItsDeadlineIsPast) {
  compare::ComparatorLimits limits;
  limits.silence = std::chrono::milliseconds(100);
  GateOutput output({}, limits);
  output.compare();
  output.hold(second);
  output.release(first);
  EXPECT_EQ(output.deadline(), std::nullopt);
  output.replica_runs(second, at_ms(10));
  output.push(0, bytes_of("a"), at_ms(20));
  ASSERT_EQ(output.deadline(), at_ms(120));
  output.expire(at_ms(119));
  EXPECT_FALSE(output.take_ask());
  output.expire(at_ms(120));
  const auto ask = output.take_ask();
  ASSERT_TRUE(ask);
  EXPECT_EQ(ask->reason, compare::Reason::silence);
  EXPECT_EQ(output.deadline(), std::nullopt);
}

}  // namespace
}  // namespace colo::io::test
