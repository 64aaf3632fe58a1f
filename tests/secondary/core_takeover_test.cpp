// The peer is lost, the claim, the takeover.
#include "tests/secondary/driver.h"

namespace colo::secondary {
namespace {

class TakeoverTest : public testing::CoreTest {};

TEST_F(TakeoverTest, ASuspicionGivesThePrimaryAHeadStart) {
  stand_by();
  EXPECT_EQ(find<StartClaim>(step(PeerSuspected{session, error, false})), nullptr);
  EXPECT_EQ(*core.deadline() - now, CoreConfig{}.head_start);
  EXPECT_NE(find<StartClaim>(tick_at_deadline()), nullptr);
}

TEST_F(TakeoverTest, CertainNewsGivesItNone) {
  stand_by();
  EXPECT_NE(find<StartClaim>(gone()), nullptr);
}

TEST_F(TakeoverTest, APeerThatIsHeardAgainIsNoLongerSuspected) {
  stand_by();
  step(PeerSuspected{session, error, false});
  step(PeerHeard{session});
  EXPECT_TRUE(is<Standby>());
  EXPECT_FALSE(core.deadline());
}

TEST_F(TakeoverTest, HearingFromThePeerDoesNotBringAClosedLaneBack) {
  stand_by();
  step(PeerSuspected{session, error, true});
  step(PeerHeard{session});
  EXPECT_TRUE(is<Suspecting>());
}

TEST_F(TakeoverTest, LoadsOnlyAfterTheFlushOfTheCommittedCheckpoint) {
  stand_by();
  staged(2);
  gone();
  EXPECT_EQ(find<Load>(won()), nullptr);
  EXPECT_NE(find<Load>(flushed(2)), nullptr);
  EXPECT_NE(find<AcquireResources>(step(Loaded{})), nullptr);
  EXPECT_NE(find<secondary::Run>(step(Acquired{})), nullptr);
  step(GuestRuns{});
  EXPECT_TRUE(is<Live>());
}

TEST_F(TakeoverTest, ALostClaimJoinsAgainAndKeepsWhatItHoldsOnlyAsABase) {
  stand_by();
  gone();
  EXPECT_EQ(find<Forget>(lost()), nullptr);
  EXPECT_TRUE(is<Joining>());
  EXPECT_EQ(core.keeps(), Keeps::base);
  ASSERT_TRUE(core.held());
  EXPECT_EQ(core.held()->epoch, Epoch{1});
  step(TakeoverAsked{});
  ASSERT_TRUE(core.refusal());
  EXPECT_EQ(core.refusal()->word, "no-checkpoint");
}

TEST_F(TakeoverTest, AFailedLoadIsTriedWithAFreshStandbyAndAFreshFlush) {
  load();
  EXPECT_NE(find<PrepareStandby>(step(LoadFailed{error})), nullptr);
  EXPECT_NE(find<StartFlush>(step(StandbyReady{})), nullptr);
  EXPECT_NE(find<Load>(flushed(1)), nullptr);
}

TEST_F(TakeoverTest, LoadsThatFailAlwaysWaitForTheOperatorAndAreTriedOnItsWord) {
  load();
  for (std::uint32_t i = 1; i < CoreConfig{}.load_attempts; ++i) {
    step(LoadFailed{error});
    step(StandbyReady{});
    flushed(1);
  }
  EXPECT_TRUE(step(LoadFailed{error}).empty());
  EXPECT_EQ(takeover_step(), Step::failed);
  EXPECT_FALSE(core.deadline());
  EXPECT_NE(find<PrepareStandby>(step(TakeoverAsked{})), nullptr);
}

TEST_F(TakeoverTest, AStandbyThatDiesWhileItLoadsIsReplacedOnce) {
  load();
  EXPECT_TRUE(step(StandbyFailed{error}).empty());
  now += std::chrono::seconds(10);
  EXPECT_EQ(find<PrepareStandby>(step(Tick{})), nullptr);
  EXPECT_NE(find<PrepareStandby>(step(LoadFailed{error})), nullptr);
}

TEST_F(TakeoverTest, ALateLoadFailedDoesNotCostASecondAttempt) {
  load();
  step(LoadFailed{error});
  EXPECT_TRUE(step(LoadFailed{error}).empty());
  EXPECT_EQ(std::get<TakingOver>(core.state()).attempt, 2U);
}

TEST_F(TakeoverTest, NothingIsFlushedIntoTheGuestThatRuns) {
  load();
  step(Loaded{});
  step(GuestRuns{});
  EXPECT_TRUE(step(StandbyReady{}).empty());
  EXPECT_TRUE(step(FlushFailed{error}).empty());
  EXPECT_FALSE(core.deadline());
  now += std::chrono::seconds(10);
  EXPECT_TRUE(step(Tick{}).empty());
}

TEST_F(TakeoverTest, AFlushThatFailedOnceDoesNotAskForTicksAfterTheTakeover) {
  stand_by();
  staged(2);
  gone();
  won();
  step(FlushFailed{error});
  step(StandbyReady{});
  flushed(2);
  EXPECT_FALSE(core.deadline());
}

// A flush that could not succeed was once tried for ever, and `takeover` answered "already".
TEST_F(TakeoverTest, AFlushThatKeepsFailingEndsBeforeTheOperator) {
  stand_by();
  staged(2);
  gone();
  won();
  for (std::uint32_t attempt = 1; attempt < CoreConfig{}.load_attempts; ++attempt) {
    EXPECT_NE(find<PrepareStandby>(step(FlushFailed{error})), nullptr);
    EXPECT_NE(find<StartFlush>(step(StandbyReady{})), nullptr);
  }
  step(FlushFailed{error});
  ASSERT_TRUE(is<TakingOver>());
  EXPECT_EQ(std::get<TakingOver>(core.state()).step, Step::failed);
  EXPECT_NE(find<PrepareStandby>(step(TakeoverAsked{})), nullptr);
}

TEST_F(TakeoverTest, TheOperatorsTakeoverTellsAHealthyPrimaryOnlyWithTheAnswer) {
  stand_by();
  const auto asked = step(TakeoverAsked{});
  EXPECT_NE(find<StartClaim>(asked), nullptr);
  EXPECT_EQ(find<EndSession>(asked), nullptr);
  EXPECT_TRUE(staged(2).empty());  // nothing is acknowledged any more
  const auto answered = won();
  ASSERT_NE(find<EndSession>(answered), nullptr);
  EXPECT_NE(find<Load>(answered), nullptr);
}

TEST_F(TakeoverTest, ATakeoverWithoutACheckpointIsRefused) {
  join();
  EXPECT_TRUE(step(TakeoverAsked{}).empty());
  ASSERT_TRUE(core.refusal());
  EXPECT_EQ(core.refusal()->word, "no-checkpoint");
}

TEST_F(TakeoverTest, AStopDuringAClaimWaitsForItsAnswerAndGivesUpWhatItWon) {
  stand_by();
  gone();
  EXPECT_EQ(find<Exit>(step(StopAsked{})), nullptr);
  const auto actions = won();
  ASSERT_NE(find<StartClaim>(actions), nullptr);
  EXPECT_EQ(find<StartClaim>(actions)->for_whom, For::nobody);
  EXPECT_NE(find<Exit>(won()), nullptr);
}

TEST_F(TakeoverTest, AStopDuringAClaimThatIsLostJustExits) {
  stand_by();
  gone();
  step(StopAsked{});
  EXPECT_NE(find<Exit>(lost()), nullptr);
}

TEST_F(TakeoverTest, AStopDuringTheTakeoverGivesTheGuestUp) {
  load();
  const auto actions = step(StopAsked{});
  ASSERT_NE(find<StartClaim>(actions), nullptr);
  EXPECT_EQ(find<StartClaim>(actions)->for_whom, For::nobody);
  EXPECT_NE(find<Exit>(step(ClaimUnanswered{error})), nullptr);
}

TEST_F(TakeoverTest, ASecondStopDoesNotWaitForTheArbiter) {
  load();
  step(StopAsked{});
  EXPECT_NE(find<Exit>(step(StopAsked{})), nullptr);
}

}  // namespace
}  // namespace colo::secondary
