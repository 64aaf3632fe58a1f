// The secondary's gate in COLO mode: a replica between the lane and nobody, and its takeover.
#include <gmock/gmock.h>

#include <functional>
#include <thread>

#include "tests/io/replica_stage.h"

namespace colo::io::test {
namespace {

using testing::ElementsAre;

TEST_F(GateReplica, GetsItsFramesFromTheLaneAndSendsToTheLaneOnly) {
  start_replica(second);
  deliver(second, "in");
  EXPECT_EQ(card().reached(), "in");
  card().guest_sends("one");
  card().guest_sends("two");
  ASSERT_TRUE(told("sent 2 0 two"));
  ASSERT_TRUE(card().neighbour_sends("from outside"));
  ASSERT_TRUE(wait_until([&] { return gate_->figures().dropped_in == 1; }));
  EXPECT_FALSE(something_reached(card()));
  EXPECT_FALSE(card().something_left());
  EXPECT_THAT(notes(), ElementsAre("sent 2 0 one", "sent 2 0 two"));
  EXPECT_EQ(gate_->figures().frames_out, 0U);
  EXPECT_EQ(gate_->figures().replica_sent, 2U);
}

TEST_F(GateReplica, FramesForAnIncarnationThatDoesNotRunYetWaitForIt) {
  start();
  deliver(second, "one");
  deliver(third, "of the next");
  deliver(second, "two");
  EXPECT_EQ(gate_->figures().waiting_packets, 3U);
  ASSERT_TRUE(gate_->open_replica(second, inside(), {}));
  EXPECT_EQ(card().reached(), "one");
  EXPECT_EQ(card().reached(), "two");
  deliver(second, "three");
  EXPECT_EQ(card().reached(), "three");
  EXPECT_FALSE(something_reached(card()));
  gate_->close_replica();
  const auto next = another_guest();
  ASSERT_TRUE(gate_->open_replica(third, next, {}));
  EXPECT_EQ(cards_.back()->reached(), "of the next");
  EXPECT_EQ(gate_->figures().waiting_packets, 0U);
  EXPECT_EQ(gate_->figures().waiting_bytes, 0U);
}

TEST_F(GateReplica, FramesOfAnIncarnationThatIsOverOrWasSkippedAreDropped) {
  start();
  deliver(second, "of one that was skipped");
  ASSERT_TRUE(gate_->open_replica(third, inside(), {}));
  deliver(second, "late");
  deliver(third, "in time");
  EXPECT_EQ(card().reached(), "in time");
  gate_->close_replica();
  deliver(third, "too late");
  EXPECT_EQ(gate_->figures().waiting_packets, 0U);
  EXPECT_EQ(gate_->figures().late_in, 3U);
}

// They waited for one that opens later, and counted as what a replica is behind: a session was lost
// though every checkpoint of it had what they said.
TEST_F(GateReplica, FramesForIncarnationsThatNeverRanDoNotOutliveTheNextCommit) {
  GateLimits limits;
  limits.inbox = {4, 1U << 20};
  start(limits);
  for (std::uint64_t checkpoint = 1; checkpoint < 20; ++checkpoint) {
    const Epoch tag{checkpoint + 1};
    for (int i = 0; i < 3; ++i) deliver(tag, "of one that is skipped");
    gate_->inbound_over(tag);
    EXPECT_EQ(gate_->figures().waiting_packets, 0U);
  }
  deliver(Epoch{20}, "late");
  deliver(Epoch{21}, "in time");
  ASSERT_TRUE(gate_->open_replica(Epoch{21}, inside(), {}));
  EXPECT_EQ(card().reached(), "in time");
  EXPECT_EQ(count("behind"), 0U);
}

// An engine that was told to end in the middle of a takeover died of it.
TEST_F(GateReplica, OneThatWasClosedCannotTakeOver) {
  start_replica(second);
  gate_->close_replica();
  EXPECT_FALSE(gate_->take_over());
  card().guest_sends("not to be heard");
  ASSERT_TRUE(card().neighbour_sends("nor to hear"));
  ASSERT_TRUE(wait_until([&] { return gate_->figures().dropped_in == 1; }));
  EXPECT_FALSE(card().something_left());
}

TEST_F(GateReplica, TheTagsOfAnotherSessionSayNothing) {
  start_replica(Epoch{58});
  gate_->close_replica();
  deliver(Epoch{59}, "of the old session");
  gate_->forget_inbound();
  deliver(second, "of the new one");
  const auto next = another_guest();
  ASSERT_TRUE(gate_->open_replica(second, next, {}));
  EXPECT_EQ(cards_.back()->reached(), "of the new one");
}

TEST_F(GateReplica, AReplicaThatRunsOnIntoTheNextSessionIsNotThatSessionsPast) {
  start_replica(Epoch{58});
  gate_->forget_inbound();
  deliver(Epoch{58}, "resumed");
  EXPECT_EQ(card().reached(), "resumed");
  deliver(second, "of the new session");
  gate_->close_replica();
  const auto next = another_guest();
  ASSERT_TRUE(gate_->open_replica(second, next, {}));
  EXPECT_EQ(cards_.back()->reached(), "of the new session");
}

TEST_F(GateReplica, MoreThanMayWaitIsSaidOnceAndDropped) {
  GateLimits limits;
  limits.inbox = {4, 1U << 20};
  start(limits);
  for (int i = 0; i < 7; ++i) deliver(second, std::to_string(i));
  ASSERT_TRUE(told("behind"));
  EXPECT_EQ(gate_->figures().waiting_packets, 4U);
  gate_->forget_inbound();
  deliver(second, "of the new session");
  EXPECT_EQ(gate_->figures().waiting_packets, 1U);
  for (int i = 0; i < 7; ++i) deliver(second, std::to_string(i));
  EXPECT_TRUE(wait_until([&] { return count("behind") == 2; }));
}

TEST_F(GateReplica, AReplicaThatDoesNotReadFallsBehindInBytes) {
  GateLimits limits;
  limits.inbox = {1000, 1U << 20};
  start_replica(second, limits);
  const std::string large(60'000, 'x');
  ASSERT_TRUE(wait_until([&] {
    deliver(second, large);
    return count("behind") == 1;
  }));
  EXPECT_LE(gate_->figures().waiting_bytes, 1U << 20);
  EXPECT_EQ(card().reached(), large);
}

TEST_F(GateReplica, ASlowReplicaGetsAllInOrder) {
  start_replica(second);
  const std::string body(1400, 'x');
  for (int i = 0; i < 2000; ++i) deliver(second, std::to_string(i) + body);
  for (int i = 0; i < 2000; ++i) EXPECT_EQ(card().reached(), std::to_string(i) + body);
}

TEST_F(GateReplica, WhileTheLaneHasNoRoomTheReplicaWaits) {
  room_ = PacketGate::room_bytes_min - 1;
  start_replica(second);
  card().guest_sends("waits");
  deliver(second, "still served");
  EXPECT_EQ(card().reached(), "still served");
  EXPECT_EQ(gate_->figures().replica_sent, 0U);
  room_ = PacketGate::room_bytes_min;
  gate_->room_again();
  EXPECT_TRUE(told("sent 2 0 waits"));
}

TEST_F(GateReplica, HeldItSaysNothingUntilItTakesOver) {
  start_replica(second);
  gate_->hold_replica();
  card().guest_sends("after the claim began");
  deliver(second, "still served");
  EXPECT_EQ(card().reached(), "still served");
  EXPECT_EQ(gate_->figures().replica_sent, 0U);
  EXPECT_TRUE(gate_->take_over());
  EXPECT_EQ(card().left(), "after the claim began");
  EXPECT_THAT(notes(), ElementsAre());
}

TEST_F(GateReplica, TheNextIncarnationIsNotHeld) {
  start_replica(second);
  gate_->hold_replica();
  gate_->close_replica();
  const auto next = another_guest();
  ASSERT_TRUE(gate_->open_replica(third, next, {}));
  cards_.back()->guest_sends("speaks");
  EXPECT_TRUE(told("sent 3 0 speaks"));
}

TEST_F(GateReplica, ClosedNothingOfItPasses) {
  start_replica(second);
  gate_->close_replica();
  card().guest_sends("last words");
  gate_->hold_replica();
  const auto next = another_guest();
  ASSERT_TRUE(gate_->open_replica(third, next, {}));
  cards_.back()->guest_sends("first words");
  ASSERT_TRUE(told("sent 3 0 first words"));
  EXPECT_THAT(notes(), ElementsAre("sent 3 0 first words"));
}

TEST_F(GateReplica, TakingOverOpensBothDirections) {
  start_replica(second);
  deliver(second, "over the lane");
  deliver(third, "of an incarnation that never was");
  EXPECT_TRUE(gate_->take_over());
  ASSERT_TRUE(card().neighbour_sends("from outside"));
  EXPECT_EQ(card().reached(), "over the lane");
  EXPECT_EQ(card().reached(), "from outside");
  deliver(second, "from a dead primary");
  card().guest_sends("out");
  EXPECT_EQ(card().left(), "out");
  EXPECT_EQ(gate_->figures().waiting_packets, 0U);
  // And it is an ordinary gate from here on.
  gate_->hold(first);
  card().guest_sends("held");
  ASSERT_TRUE(holds(1));
  gate_->cut(second);
  gate_->release(first);
  EXPECT_EQ(card().left(), "held");
  EXPECT_FALSE(something_reached(card()));
}

TEST_F(GateReplica, WhatCameForASlowReplicaReachesItInFrontOfTheNetworksFrames) {
  start_replica(second);
  const std::string body(1400, 'x');
  for (int i = 0; i < 500; ++i) deliver(second, std::to_string(i) + body);
  EXPECT_TRUE(gate_->take_over());
  ASSERT_TRUE(card().neighbour_sends("from outside"));
  for (int i = 0; i < 500; ++i) EXPECT_EQ(card().reached(), std::to_string(i) + body);
  EXPECT_EQ(card().reached(), "from outside");
}

TEST_F(GateReplica, CardsAreNumberedByTheirNames) {
  cards_.insert(cards_.begin(), std::make_unique<Card>(directory_, "net1"));
  start_replica(second);
  deliver(second, "to net0", 0);
  deliver(second, "to net1", 1);
  EXPECT_EQ(cards_[1]->reached(), "to net0");
  EXPECT_EQ(cards_[0]->reached(), "to net1");
  cards_[0]->guest_sends("by net1");
  EXPECT_TRUE(told("sent 2 1 by net1"));
}

TEST_F(GateReplica, RefusesWhatIsNoFrameAndNoTable) {
  start();
  EXPECT_EQ(gate_->deliver(second, 1, bytes_of("x")).error().word, "bad-packet");
  EXPECT_EQ(gate_->deliver(second, 0, {}).error().word, "bad-packet");
  EXPECT_EQ(gate_->deliver(second, 0, Bytes(packet_bytes_max + 1)).error().word, "bad-packet");
  const auto opened = gate_->open_replica(second, inside(), bytes_of("no table"));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().word, "bad-flow-table");
  EXPECT_TRUE(gate_->open_replica(second, inside(), {})) << "the gate is as it was";
}

TEST_F(GateReplica, ManyThreadsCallItAtOnce) {
  GateLimits limits;
  limits.compare.silence = std::chrono::milliseconds(1);
  start(limits);
  std::atomic<bool> stop = false;
  const auto until_stopped = [&](const std::function<void()>& call) {
    return std::thread([&stop, call] {
      while (!stop) call();
    });
  };
  std::vector<std::thread> threads;
  threads.push_back(until_stopped([&] { (void)gate_->figures(); }));
  threads.push_back(until_stopped([&] { (void)card().neighbour_sends("in"); }));
  threads.push_back(until_stopped([&] {
    room_ = room_ == 0 ? 1U << 20 : 0;
    gate_->room_again();
    std::this_thread::yield();
  }));
  threads.push_back(until_stopped([&] {
    (void)gate_->replica_frame(second, 0, bytes_of("out"));
    gate_->replica_runs(second);
  }));
  std::uint64_t tag = 1;
  for (int i = 0; i < 40; ++i) {
    const Epoch now{++tag};
    deliver(now, std::to_string(i));
    ASSERT_TRUE(gate_->open_replica(now, inside(), {}));
    std::string reached = card().reached();
    while (reached == "in") reached = card().reached();  // of a time as the guest
    ASSERT_EQ(reached, std::to_string(i));
    card().guest_sends("out");
    if (i % 2 == 0) gate_->hold_replica();
    if (i % 4 < 2) {
      gate_->close_replica();
      continue;
    }
    EXPECT_TRUE(gate_->take_over());
    gate_->compare();
    gate_->hold(first);
    (void)gate_->stop_inbound(std::chrono::microseconds(100));
    gate_->cut(second);
    gate_->start_inbound();
    gate_->release(first);
    card().guest_sends("out");
    gate_->drop_held();
    gate_->close();
    gate_->forget_inbound();
    tag = 1;
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace colo::io::test
