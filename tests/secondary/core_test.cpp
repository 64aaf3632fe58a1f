// Joining, receiving, flushing, and the standby guest.
#include "tests/secondary/driver.h"

namespace colo::secondary {
namespace {

class ReceivingTest : public testing::CoreTest {};

TEST_F(ReceivingTest, ACompleteCheckpointIsCommittedAcknowledgedAndThenFlushed) {
  join();
  const auto actions = staged(1);
  ASSERT_EQ(actions.size(), 3U);
  EXPECT_TRUE(std::holds_alternative<Commit>(actions[0]));
  EXPECT_TRUE(std::holds_alternative<Acknowledge>(actions[1]));
  EXPECT_TRUE(std::holds_alternative<StartFlush>(actions[2]));
  EXPECT_TRUE(is<Standby>());
}

TEST_F(ReceivingTest, NeverTwoFlushesAtATime) {
  join();
  EXPECT_NE(find<StartFlush>(staged(1)), nullptr);
  EXPECT_EQ(find<StartFlush>(staged(2)), nullptr);
  EXPECT_NE(find<StartFlush>(flushed(1)), nullptr);
  EXPECT_EQ(find<StartFlush>(flushed(2)), nullptr);
}

TEST_F(ReceivingTest, AFailedFlushIsTriedAgainAndNotMoreOftenThanItsRetry) {
  join();
  staged(1);
  step(FlushFailed{error});
  ASSERT_TRUE(core.deadline());
  EXPECT_GT(*core.deadline(), now);
  EXPECT_NE(find<StartFlush>(tick_at_deadline()), nullptr);
  EXPECT_FALSE(core.deadline());
}

TEST_F(ReceivingTest, AStandbyThatChangedUnderAFlushIsFlushedAgain) {
  join();
  staged(1);
  step(StandbyFailed{error});
  EXPECT_NE(find<PrepareStandby>(tick_at_deadline()), nullptr);
  EXPECT_EQ(find<StartFlush>(step(StandbyReady{})), nullptr);  // one is still under way
  EXPECT_NE(find<StartFlush>(flushed(1)), nullptr);
}

TEST_F(ReceivingTest, NothingIsFlushedWhileThereIsNoStandby) {
  join();
  step(StandbyFailed{error});
  const auto actions = staged(1);
  EXPECT_NE(find<Acknowledge>(actions), nullptr);
  EXPECT_EQ(find<StartFlush>(actions), nullptr);
  tick_at_deadline();
  EXPECT_NE(find<StartFlush>(step(StandbyReady{})), nullptr);
}

TEST_F(ReceivingTest, AJoinThatWaitsForAStandbyDoesNotAskForTicksMeanwhile) {
  join();
  step(StandbyFailed{error});
  step(PeerGone{session, error, false});
  tick_at_deadline();  // the next standby is being started; the time to join passes
  EXPECT_FALSE(core.deadline());
  EXPECT_NE(find<Join>(step(StandbyReady{})), nullptr);
}

TEST_F(ReceivingTest, AStandbyThatIsReadyAgainDoesNotJoinASecondTime) {
  step(Tick{});
  ASSERT_NE(find<Join>(step(StandbyReady{})), nullptr);
  step(StandbyFailed{error});
  tick_at_deadline();
  EXPECT_EQ(find<Join>(step(StandbyReady{})), nullptr);
}

TEST_F(ReceivingTest, ANewSessionWaitsUntilTheFlushOfTheLastOneHasEnded) {
  join();
  staged(1);
  step(PeerGone{session, error, /*guest_ends=*/true});
  now += std::chrono::seconds(1);
  EXPECT_EQ(find<Join>(step(Tick{})), nullptr);
  EXPECT_FALSE(core.deadline());
  EXPECT_NE(find<Join>(flushed(1)), nullptr);
}

TEST_F(ReceivingTest, ACheckpointOutOfOrderIsToldToThePrimaryBeforeAnyClaim) {
  stand_by();
  const auto actions = staged(7);
  EXPECT_NE(find<EndSession>(actions), nullptr);
  EXPECT_EQ(find<Acknowledge>(actions), nullptr);
  EXPECT_EQ(find<StartClaim>(actions), nullptr);
  EXPECT_TRUE(is<Suspecting>());
}

TEST_F(ReceivingTest, WithoutACompleteCheckpointNobodyClaims) {
  join();
  EXPECT_EQ(find<StartClaim>(gone()), nullptr);
  EXPECT_TRUE(is<Joining>());
  join();
}

TEST_F(ReceivingTest, EventsOfAnEndedSessionAreNotHeard) {
  stand_by();
  gone();
  EXPECT_TRUE(staged(2).empty());
  EXPECT_TRUE(step(PeerHeard{session}).empty());
  EXPECT_TRUE(is<Claiming>());
}

TEST_F(ReceivingTest, AnAnswerToAJoinAfterAStopIsTurnedAway) {
  step(Tick{});
  step(StandbyReady{});
  EXPECT_NE(find<Exit>(step(StopAsked{})), nullptr);
  EXPECT_NE(find<EndSession>(step(Joined{session, "alpha", Generation{1}})), nullptr);
  EXPECT_TRUE(is<Ended>());
}

}  // namespace
}  // namespace colo::secondary
