// A replica's connections with numbers of their own, before and after its takeover.
#include <gtest/gtest.h>

#include "tests/compare/frames.h"
#include "tests/io/replica_stage.h"

namespace colo::io::test {
namespace {

using compare::frames::ack;
using compare::frames::Ends;
using compare::frames::read_tcp;
using compare::frames::Segment;
using compare::frames::syn;
using compare::frames::tcp;

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

// The primary's SYN-ACK was sooner, and the client's answer reaches the replica's gate before the
// replica's own.
TEST_F(GateRewrites, AnAnswerWaitsForTheReplicasSynAck) {
  GateLimits limits;
  limits.rewriter.early = std::chrono::hours(1);
  start_replica(second, limits);
  deliver(second, text_of(tcp(in, {clients, 0, syn})));
  deliver(second, text_of(tcp(in, {clients + 1, primarys + 1})));
  EXPECT_EQ(read(card().reached()).flags, syn);
  EXPECT_FALSE(something_reached(card()));
  EXPECT_EQ(gate_->figures().waiting_packets, 1U);
  guest_sends({replicas, clients + 1, syn | ack});
  EXPECT_EQ(read(card().reached()).ack, replicas + 1) << "as the replica numbers it";
  guest_sends(data(replicas + 1, clients + 1, "hello"));
  EXPECT_TRUE(told("sent 2 0 " + text_of(tcp(out, data(primarys + 1, clients + 1, "hello")))));
}

// There will be none: its guest has dropped the SYN.
TEST_F(GateRewrites, AnAnswerWaitsForASynAckNoLongerThanItsBound) {
  start_replica(second);
  deliver(second, text_of(tcp(in, {clients, 0, syn})));
  (void)card().reached();
  deliver(second, text_of(tcp(in, {clients + 1, primarys + 1})));
  deliver(second, "behind it");
  EXPECT_EQ(read(card().reached()).ack, primarys + 1);
  EXPECT_EQ(card().reached(), "behind it");
}

TEST_F(GateRewrites, AConnectionGoesOnWhenTheReplicaTakesOver) {
  client_opens();
  EXPECT_TRUE(gate_->take_over());
  guest_sends(data(replicas + 1, clients + 1, "hello"));
  EXPECT_EQ(read(card().left()).seq, primarys + 1);
  ASSERT_TRUE(card().neighbour_sends(text_of(tcp(in, {clients + 1, primarys + 6}))));
  EXPECT_EQ(read(card().reached()).ack, replicas + 6);
}

TEST_F(GateRewrites, ATakenOverGuestIsComparedAndGivenToTheLaneInTheClientsNumbers) {
  client_opens();
  EXPECT_TRUE(gate_->take_over());
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
  EXPECT_TRUE(gate_->take_over());
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
  EXPECT_TRUE(gate_->take_over());
  gate_->close();
  const auto next = another_guest();
  gate_->open(next);
  const std::string plain = text_of(tcp(out, data(replicas + 1, clients + 1, "hello")));
  cards_.back()->guest_sends(plain);
  EXPECT_EQ(card().left(), plain);
}

TEST_F(GateRewrites, TheSameGuestOpenedAgainStillIs) {
  client_opens();
  EXPECT_TRUE(gate_->take_over());
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
