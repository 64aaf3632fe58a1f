// The secondary's gate in COLO mode: a replica between the lane and nobody, and its takeover.
#include <gmock/gmock.h>

#include "tests/compare/frames.h"
#include "tests/io/gate_stage.h"

namespace colo::io::test {
namespace {

using compare::frames::ack;
using compare::frames::Ends;
using compare::frames::read_tcp;
using compare::frames::Segment;
using compare::frames::syn;
using compare::frames::tcp;
using testing::ElementsAre;

class GateReplica : public GateStage {
 protected:
  void start_replica(Epoch tag, GateLimits limits = {}, ByteView flows = {}) {
    start(limits);
    ASSERT_TRUE(gate_->open_replica(tag, inside(), flows));
  }
  void deliver(Epoch tag, std::string_view text, std::uint32_t port = 0) {
    ASSERT_TRUE(gate_->deliver(tag, port, bytes_of(text)));
  }
  // Another guest process with sockets of its own.
  std::vector<InsidePort> another_guest() {
    cards_.push_back(std::make_unique<Card>(directory_, "spare" + std::to_string(cards_.size())));
    return {{"net0", cards_.back()->inside.get()}};
  }
  [[nodiscard]] bool something_reached(const Card& card) const {
    pollfd polled{card.guest.get(), POLLIN, 0};
    return ::poll(&polled, 1, 0) == 1;
  }
};

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
  gate_->take_over();
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
  gate_->take_over();
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
  gate_->take_over();
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

// --- rewriting ----------------------------------------------------------------------------------

constexpr std::uint32_t primarys = 1'000'000, replicas = 5'000, clients = 77;  // first numbers
const Ends out;
const Ends in = out.back();

class GateRewrites : public GateReplica {
 protected:
  static Segment read(const std::string& frame) {
    const auto segment = read_tcp(bytes_of(frame));
    EXPECT_TRUE(segment) << "the checksum must hold";
    return segment.value_or(Segment{});
  }
  static Segment data(std::uint32_t seq, std::uint32_t acknowledged, std::string payload) {
    Segment segment{seq, acknowledged};
    segment.payload = std::move(payload);
    return segment;
  }
  void guest_sends(const Segment& segment) { card().guest_sends(text_of(tcp(out, segment))); }
  // A client's connection, opened since the replica was loaded.
  void client_opens() {
    start_replica(second);
    deliver(second, text_of(tcp(in, {clients, 0, syn})));
    (void)card().reached();
    guest_sends({replicas, clients + 1, syn | ack});
    ASSERT_TRUE(wait_until([&] { return gate_->figures().replica_sent == 1; }));
    deliver(second, text_of(tcp(in, {clients + 1, primarys + 1})));
    EXPECT_EQ(read(card().reached()).ack, replicas + 1) << "as the replica numbers it";
  }
};

TEST_F(GateRewrites, AReplicasConnectionHasThePrimarysNumbers) {
  client_opens();
  guest_sends(data(replicas + 1, clients + 1, "hello"));
  const std::string rewritten = text_of(tcp(out, data(primarys + 1, clients + 1, "hello")));
  EXPECT_TRUE(told("sent 2 0 " + rewritten));
}

TEST_F(GateRewrites, AConnectionGoesOnWhenTheReplicaTakesOver) {
  client_opens();
  gate_->take_over();
  guest_sends(data(replicas + 1, clients + 1, "hello"));
  EXPECT_EQ(read(card().left()).seq, primarys + 1);
  ASSERT_TRUE(card().neighbour_sends(text_of(tcp(in, {clients + 1, primarys + 6}))));
  EXPECT_EQ(read(card().reached()).ack, replicas + 6);
}

TEST_F(GateRewrites, ATakenOverGuestIsComparedAndGivenToTheLaneInTheClientsNumbers) {
  client_opens();
  gate_->take_over();
  gate_->compare();
  gate_->hold(second);
  gate_->release(first);
  guest_sends(data(replicas + 1, clients + 1, "hello"));
  ASSERT_TRUE(holds(1));
  ASSERT_TRUE(gate_->replica_frame(second, 0, tcp(out, data(primarys + 1, clients + 1, "hello"))));
  EXPECT_EQ(read(card().left()).seq, primarys + 1);
  const std::string answer = text_of(tcp(in, {clients + 1, primarys + 6}));
  ASSERT_TRUE(card().neighbour_sends(answer));
  EXPECT_EQ(read(card().reached()).ack, replicas + 6);
  EXPECT_TRUE(told("inbound 2 0 " + answer));
}

TEST_F(GateRewrites, ItsNextReplicaIsGivenItsTable) {
  client_opens();
  gate_->take_over();
  gate_->hold(second);
  ASSERT_TRUE(told("began 2"));  // whether it compares or not
  ASSERT_FALSE(flows().empty());
  gate_.reset();
  // The other host: a replica of that guest, whose own numbers are the first replica's.
  cards_.front() = std::make_unique<Card>(directory_, "net9");
  start_replica(second, {}, flows());
  guest_sends(data(replicas + 1, clients + 1, "hello"));
  EXPECT_TRUE(told("sent 2 0 " + text_of(tcp(out, data(primarys + 1, clients + 1, "hello")))));
}

TEST_F(GateRewrites, AnotherGuestIsNotRewritten) {
  client_opens();
  gate_->take_over();
  gate_->close();
  const auto next = another_guest();
  gate_->open(next);
  const std::string plain = text_of(tcp(out, data(replicas + 1, clients + 1, "hello")));
  cards_.back()->guest_sends(plain);
  EXPECT_EQ(card().left(), plain);
}

TEST_F(GateRewrites, TheSameGuestOpenedAgainStillIs) {
  client_opens();
  gate_->take_over();
  gate_->close();
  open();
  guest_sends(data(replicas + 1, clients + 1, "hello"));
  EXPECT_EQ(read(card().left()).seq, primarys + 1);
}

TEST_F(GateRewrites, TheNextIncarnationBeginsWithoutATable) {
  client_opens();
  gate_->close_replica();
  const auto next = another_guest();
  ASSERT_TRUE(gate_->open_replica(third, next, {}));
  const std::string plain = text_of(tcp(out, data(primarys + 1, clients + 1, "hello")));
  cards_.back()->guest_sends(plain);
  EXPECT_TRUE(told("sent 3 0 " + plain));
}

TEST_F(GateRewrites, MoreConnectionsThanCanBeFollowedAskForACheckpoint) {
  GateLimits limits;
  limits.rewriter.flows = 2;
  start_replica(second, limits);
  for (std::uint16_t client = 50'000; client < 50'004; ++client) {
    Ends ends = out;
    ends.client_port = client;
    card().guest_sends(text_of(tcp(ends, {replicas, clients + 1, syn | ack})));
  }
  EXPECT_TRUE(wait_until([&] { return gate_->figures().replica_sent == 4; }));
  EXPECT_TRUE(told("asked 2 full-flows"));
}

}  // namespace
}  // namespace colo::io::test
