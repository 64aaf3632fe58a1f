// How the rewriter learns a connection's numbers: what comes too soon, what is stale, and what
// can't be told.
#include "tests/compare/rewriting.h"

namespace colo::compare {
namespace {

using frames::ack;
using frames::rst;
using frames::Segment;
using frames::syn;

class RewriterLearns : public Rewriting {};

INSTANTIATE_TEST_SUITE_P(Ip, RewriterLearns, ::testing::Values(false, true));

// The primary's SYN-ACK was sooner: its client answers what the replica has not said yet.
TEST_P(RewriterLearns, AnAnswerToASynAckThatTheReplicaHasNotSentWaits) {
  in(stamped({77, 0, syn}, 9000, 0));
  const Bytes answer = tcp(ends_.back(), stamped({78, 1'000'001}, 9001, 700));
  const auto until = rewriter_.early(0, answer, now_);
  ASSERT_TRUE(until);
  EXPECT_EQ(*until, now_ + std::chrono::milliseconds(50));
  now_ += std::chrono::milliseconds(10);
  EXPECT_EQ(rewriter_.early(0, answer, now_), until) << "counted from the first time";
  out(stamped({31, 78, syn | ack}, 400, 9000));
  EXPECT_FALSE(rewriter_.early(0, answer, now_));
  EXPECT_EQ(in(stamped({78, 1'000'001}, 9001, 700)).ack, 32U);
  EXPECT_EQ(out({32, 78, ack, "hello"}).seq, 1'000'001U);
}

TEST_P(RewriterLearns, AnEarlyAnswerWaitsNoLongerThanItsBound) {
  in({77, 0, syn});
  const Bytes answer = tcp(ends_.back(), {78, 1'000'001});
  ASSERT_TRUE(rewriter_.early(0, answer, now_));
  now_ += std::chrono::milliseconds(50);
  EXPECT_FALSE(rewriter_.early(0, answer, now_));
  EXPECT_FALSE(rewriter_.early(0, answer, now_)) << "nor do those behind it";
  EXPECT_EQ(in({78, 1'000'001}).ack, 1'000'001U) << "of a connection that the checkpoint holds";
}

TEST_P(RewriterLearns, WhatIsNoEarlyAnswerDoesNotWait) {
  in({77, 0, syn});
  for (const Segment& segment :
       {Segment{77, 0, syn}, Segment{78, 0, rst}, Segment{78, 5, rst | ack}, Segment{70, 5}}) {
    EXPECT_FALSE(rewriter_.early(0, tcp(ends_.back(), segment), now_));
  }
  ends_.client_port = 50001;
  EXPECT_FALSE(rewriter_.early(0, tcp(ends_.back(), {78, 1'000'001}), now_));
  rewriter_.takeover();
  in({77, 0, syn});
  EXPECT_FALSE(rewriter_.early(0, tcp(ends_.back(), {78, 1'000'001}), now_)) << "nobody else spoke";
}

TEST_P(RewriterLearns, AStaleSegmentTeachesNothing) {
  in({77, 0, syn});
  out({31, 78, syn | ack});
  EXPECT_EQ(in({70, 12'345}).ack, 12'345U) << "of an earlier connection on these ports";
  EXPECT_EQ(in({78, 1'000'001}).ack, 32U);
  ends_.client_port = 50001;
  out({31, 0, syn});
  EXPECT_EQ(in({70, 12'345}).ack, 12'345U) << "the peer still knows an earlier connection";
  EXPECT_EQ(out({12'345, 0, rst}).seq, 12'345U) << "which the guest resets";
  EXPECT_EQ(in({500, 1'000'001, syn | ack}).ack, 32U);
}

TEST_P(RewriterLearns, TwoEndsMayOpenAtOnce) {
  out({31, 0, syn});
  in({500, 0, syn});
  EXPECT_EQ(out({31, 501, syn | ack}).seq, 31U);
  EXPECT_EQ(in({500, 1'000'001, syn | ack}).ack, 32U);
  EXPECT_EQ(out({32, 501}).seq, 1'000'001U);
}

// TCP Fast Open. Of the guest: its SYN leaves by a checkpoint, or with its own number at a
// takeover.
TEST_P(RewriterLearns, ASynWithDataOfTheGuestIsNotLearnedFrom) {
  out({31, 0, syn, "hello"});
  EXPECT_EQ(in({500, 37, syn | ack}).ack, 37U);
  EXPECT_EQ(out({37, 501}).seq, 37U);
}

// Of a client: the guest may answer at once, before anybody knows the primary's number.
TEST_P(RewriterLearns, DataBehindASynAckWaitsUntilItsNumberIsKnown) {
  in({77, 0, syn, "question"});
  out({31, 86, syn | ack});
  Bytes answer = tcp(ends_, {32, 86, ack, "answer"});
  EXPECT_FALSE(rewriter_.outbound(0, answer, now_));
  EXPECT_EQ(in({86, 1'000'001}).ack, 32U);
  EXPECT_EQ(out({32, 86, ack, "answer"}).seq, 1'000'001U);
}

TEST_P(RewriterLearns, ARefusalOnUsedPortsHasNoNumber) {
  client_opens();
  in({78, 1'000'001, rst});
  in({5'000, 0, syn});
  EXPECT_EQ(out({0, 5'001, rst | ack}).seq, 0U);
}

// What the checkpoint holds half open: its SYN-ACK, said again, has a later timestamp than the one
// that the client answers.
TEST_P(RewriterLearns, ASynAckOfTheCheckpointSaidAgainMovesNoClock) {
  EXPECT_EQ(out(stamped({1'000'000, 78, syn | ack}, 1'700, 9000)).seq, 1'000'000U);
  const Segment third = in(stamped({78, 1'000'001}, 9001, 700));
  EXPECT_EQ(third.ack, 1'000'001U);
  EXPECT_EQ(third.timestamps->second, 700U);
  EXPECT_EQ(out(stamped({1'000'001, 78}, 1'800, 9001)).timestamps->first, 1'800U);
}

}  // namespace
}  // namespace colo::compare
