// What is held beyond a session: joining again, a restarted engine, giving back.
#include "tests/secondary/driver.h"

namespace colo::secondary {
namespace {

using std::chrono::milliseconds;

class RecoveryTest : public testing::CoreTest {
 protected:
  static CoreConfig with_grace() {
    CoreConfig config;
    config.grace = milliseconds(400);
    config.join_retry = milliseconds(100);
    return config;
  }
  RecoveryTest() { core = Core(with_grace()); }
  // Suspecting, and joining anew.
  void redial() {
    stand_by();
    step(PeerSuspected{session, error, false});
    const auto actions = tick_at_deadline();
    ASSERT_NE(find<EndSession>(actions), nullptr);
    EXPECT_TRUE(find<EndSession>(actions)->returns);
    ASSERT_NE(find<Join>(actions), nullptr);
    ASSERT_TRUE(is<Suspecting>());
    session = Session{2};
  }
  std::vector<Action> joined(std::uint64_t generation, std::optional<Epoch> base) {
    return step(Joined{session, "alpha", Generation{generation}, base});
  }
  void fail_by_hook() {
    load();
    step(Loaded{});
    step(AcquireFailed{error});
    ASSERT_EQ(takeover_step(), Step::failed);
  }
};

// Found by the simulator, seed 12523: the replica was ended first, and the peer could have died.
TEST_F(RecoveryTest, AReplicaIsGivenUpOnlyOnceThePeerHasTheGuest) {
  join();
  step(ModeTold{session, Epoch{1}, true});
  staged(1);
  step(StandbyReady{});
  flushed(1);
  ASSERT_NE(find<RunReplica>(step(Loaded{})), nullptr);
  step(ReplicaRuns{});
  gone();
  ASSERT_NE(find<AcquireResources>(won()), nullptr);
  step(AcquireFailed{error});
  const auto back = step(PeerKeepsGuest{});
  ASSERT_TRUE(is<GivingBack>());
  EXPECT_EQ(find<EndReplica>(back), nullptr);
  EXPECT_EQ(find<EndReplica>(step(Released{})), nullptr);
  EXPECT_NE(find<EndReplica>(won()), nullptr);
  EXPECT_EQ(core.keeps(), Keeps::base) << "clients saw more than its checkpoint";
}

TEST_F(RecoveryTest, ItJoinsAnewOnlyAfterTheHeadStart) {
  stand_by();
  step(PeerSuspected{session, error, true});
  EXPECT_EQ(*core.deadline() - now, CoreConfig{}.head_start);
  EXPECT_NE(find<StartClaim>(gone()), nullptr) << "certain news on the old lane still counts";
}

TEST_F(RecoveryTest, WithoutAGraceItDoesNotJoinAnew) {
  core = Core(CoreConfig{});
  stand_by();
  step(PeerSuspected{session, error, true});
  EXPECT_NE(find<StartClaim>(tick_at_deadline()), nullptr);
}

TEST_F(RecoveryTest, ItGoesOnFromWhatItHoldsInTheSameGeneration) {
  redial();
  EXPECT_TRUE(joined(1, Epoch{1}).empty());
  EXPECT_TRUE(is<Standby>());
  EXPECT_EQ(core.keeps(), Keeps::takeable);
  EXPECT_NE(find<Acknowledge>(staged(2)), nullptr);
}

TEST_F(RecoveryTest, InANewerGenerationWhatItHoldsIsOnlyABase) {
  redial();
  EXPECT_EQ(find<Forget>(joined(2, Epoch{1})), nullptr);
  EXPECT_TRUE(is<Receiving>());
  EXPECT_EQ(core.keeps(), Keeps::base);
  EXPECT_EQ(find<StartClaim>(gone()), nullptr);
  EXPECT_TRUE(is<Joining>());
  EXPECT_EQ(core.held()->generation, Generation{1}) << "of the commit, not of the session";
}

TEST_F(RecoveryTest, AWholeCopyOfANewerGenerationReplacesIt) {
  redial();
  EXPECT_NE(find<Forget>(joined(2, std::nullopt)), nullptr);
  EXPECT_TRUE(is<Receiving>());
  EXPECT_FALSE(core.held());
}

TEST_F(RecoveryTest, WhatCanBeTakenOverFromIsNotGivenUpWithinItsGeneration) {
  redial();
  EXPECT_NE(find<EndSession>(joined(1, std::nullopt)), nullptr);
  ASSERT_TRUE(is<Suspecting>());
  EXPECT_EQ(core.keeps(), Keeps::takeable);
  EXPECT_NE(find<Join>(tick_at_deadline()), nullptr);
  EXPECT_NE(find<EndSession>(joined(1, Epoch{7})), nullptr);
  EXPECT_TRUE(is<Suspecting>());
}

TEST_F(RecoveryTest, AnUnansweredJoinIsTriedAgainUntilItClaims) {
  redial();
  step(JoinFailed{error});
  for (int i = 0; i < 10 && is<Suspecting>(); ++i) {
    if (find<Join>(tick_at_deadline()) != nullptr) step(JoinFailed{error});
  }
  EXPECT_TRUE(is<Claiming>());
}

TEST_F(RecoveryTest, AClaimGivesTheJoinUpAndAnAnswerToItIsTurnedAway) {
  redial();
  const auto actions = tick_at_deadline();
  EXPECT_NE(find<StopJoin>(actions), nullptr);
  EXPECT_NE(find<StartClaim>(actions), nullptr);
  EXPECT_NE(find<EndSession>(joined(1, Epoch{1})), nullptr);
  EXPECT_TRUE(is<Claiming>());
}

TEST_F(RecoveryTest, NothingIsAcknowledgedOnceItClaims) {
  redial();
  tick_at_deadline();
  EXPECT_TRUE(staged(2).empty());
}

TEST_F(RecoveryTest, AFirstCopyThatWasCutOffIsOfferedAgain) {
  join();
  EXPECT_EQ(find<Forget>(step(PeerSuspected{session, error, true})), nullptr);
  session = Session{2};
  tick_at_deadline();
  EXPECT_EQ(find<Forget>(joined(1, Epoch{0})), nullptr);
  EXPECT_NE(find<Acknowledge>(staged(1)), nullptr);
}

TEST_F(RecoveryTest, ABaseThatIsNotHeldIsForgottenSoThatTheNextCopyIsWhole) {
  join();
  gone();
  session = Session{2};
  tick_at_deadline();
  const auto actions = joined(1, Epoch{3});
  EXPECT_NE(find<EndSession>(actions), nullptr);
  EXPECT_NE(find<Forget>(actions), nullptr);
  EXPECT_TRUE(is<Joining>());
}

TEST_F(RecoveryTest, AGuestThatEndedOnPurposeIsForgotten) {
  stand_by();
  EXPECT_NE(find<Forget>(step(PeerGone{session, error, true})), nullptr);
  EXPECT_FALSE(core.held());
}

// --- a restarted engine --------------------------------------------------------------------------

TEST_F(RecoveryTest, ARestartedEngineJoinsWithWhatItKept) {
  core = Core(with_grace(), Kept{Generation{4}, Epoch{9}, true});
  EXPECT_NE(find<PrepareStandby>(step(Tick{})), nullptr);
  EXPECT_FALSE(core.deadline()) << "its time begins with the standby";
  const auto actions = step(StandbyReady{});
  EXPECT_NE(find<Join>(actions), nullptr);
  EXPECT_NE(find<StartFlush>(actions), nullptr) << "the flush is finished after the restart";
  step(Joined{session, "alpha", Generation{4}, Epoch{9}});
  EXPECT_TRUE(is<Standby>());
}

TEST_F(RecoveryTest, ARestartedEngineClaimsWhereNobodyAnswers) {
  core = Core(with_grace(), Kept{Generation{4}, Epoch{9}, true});
  step(Tick{});
  step(StandbyReady{});
  step(Flushed{Epoch{9}});
  std::vector<Action> actions;
  const Instant begun = now;
  while (is<Suspecting>()) {
    step(JoinFailed{error});
    actions = tick_at_deadline();
  }
  const CoreConfig config = with_grace();
  EXPECT_EQ(now - begun, config.lost_after + config.grace + config.head_start);
  ASSERT_NE(find<StartClaim>(actions), nullptr);
  EXPECT_EQ(find<StartClaim>(actions)->from, Generation{4});
  EXPECT_NE(find<Load>(won()), nullptr);
}

TEST_F(RecoveryTest, AnOldKeptCheckpointIsOnlyABase) {
  core = Core(with_grace(), Kept{Generation{4}, Epoch{9}, false});
  step(Tick{});
  EXPECT_NE(find<Join>(step(StandbyReady{})), nullptr);
  EXPECT_TRUE(is<Joining>());
  EXPECT_EQ(core.keeps(), Keeps::base);
  step(TakeoverAsked{});
  EXPECT_TRUE(core.refusal());
}

// --- resources and giving back -------------------------------------------------------------------

TEST_F(RecoveryTest, AFailedHookKeepsTheLoadedGuestAndIsTriedAgainByTheOperator) {
  load();
  step(Loaded{});
  EXPECT_TRUE(step(AcquireFailed{error}).empty());
  EXPECT_EQ(takeover_step(), Step::failed);
  EXPECT_TRUE(core.loaded());
  const auto actions = step(TakeoverAsked{});
  EXPECT_NE(find<AcquireResources>(actions), nullptr);
  EXPECT_EQ(find<PrepareStandby>(actions), nullptr);
}

TEST_F(RecoveryTest, AStandbyThatDiesWhileTheHooksRunIsReplacedBeforeTheGuestRuns) {
  load();
  step(Loaded{});
  step(StandbyFailed{error});
  EXPECT_NE(find<PrepareStandby>(step(Acquired{})), nullptr);
  step(StandbyReady{});
  EXPECT_NE(find<Load>(flushed(1)), nullptr);
  EXPECT_NE(find<secondary::Run>(step(Loaded{})), nullptr) << "the hooks are not run twice";
}

TEST_F(RecoveryTest, AFailedTakeoverIsGivenBackToAPeerThatKeepsItsGuest) {
  fail_by_hook();
  EXPECT_NE(find<ReleaseResources>(step(PeerKeepsGuest{})), nullptr);
  const auto claim = step(Released{});
  ASSERT_NE(find<StartClaim>(claim), nullptr);
  EXPECT_EQ(find<StartClaim>(claim)->for_whom, For::peer);
  EXPECT_EQ(find<StartClaim>(claim)->from, Generation{2});
  EXPECT_NE(find<PrepareStandby>(won()), nullptr) << "the loaded one is used up";
  EXPECT_TRUE(is<Joining>());
  EXPECT_EQ(core.keeps(), Keeps::last_resort);
}

// A takeover whose loads are exhausted has no standby: nothing would ever have started one.
TEST_F(RecoveryTest, AfterAGiveBackWithoutAStandbyOneIsStarted) {
  load();
  for (std::uint32_t i = 0; i < CoreConfig{}.load_attempts; ++i) {
    step(LoadFailed{error});
    step(StandbyReady{});
    flushed(1);
  }
  ASSERT_EQ(takeover_step(), Step::failed);
  step(StandbyFailed{error});
  step(PeerKeepsGuest{});
  step(Released{});
  const bool at_once = find<PrepareStandby>(won()) != nullptr;
  EXPECT_TRUE(at_once || core.deadline());
}

TEST_F(RecoveryTest, AGiveBackNeedsAPeerThatIsHeardToKeepItsGuest) {
  fail_by_hook();
  EXPECT_TRUE(step(GiveBackAsked{}).empty());
  ASSERT_TRUE(core.refusal());
  EXPECT_EQ(core.refusal()->word, "peer-not-heard");
}

TEST_F(RecoveryTest, ATakeoverUnderWayIsGivenBackOnTheOperatorsWord) {
  load();
  EXPECT_TRUE(step(PeerKeepsGuest{}).empty()) << "it may still work out";
  EXPECT_NE(find<ReleaseResources>(step(GiveBackAsked{})), nullptr);
  EXPECT_TRUE(is<GivingBack>());
  step(Released{});
  won();
  EXPECT_NE(find<PrepareStandby>(step(Loaded{})), nullptr) << "the load comes too late";
}

TEST_F(RecoveryTest, AGiveBackThatIsNotAnsweredIsAskedAgain) {
  fail_by_hook();
  step(PeerKeepsGuest{});
  step(Released{});
  step(ClaimUnanswered{error});
  EXPECT_NE(find<StartClaim>(tick_at_deadline()), nullptr);
}

TEST_F(RecoveryTest, AGiveBackIsRefusedWhereNoTakeoverIsUnderWay) {
  stand_by();
  step(GiveBackAsked{});
  ASSERT_TRUE(core.refusal());
  EXPECT_EQ(core.refusal()->word, "nothing-to-give-back");
}

TEST_F(RecoveryTest, AfterAGiveBackOnlyTheOperatorTakesOverAgainAndNotWhereThePeerIsHeard) {
  fail_by_hook();
  step(PeerKeepsGuest{});
  step(Released{});
  won();
  step(TakeoverAsked{});
  ASSERT_TRUE(core.refusal());
  EXPECT_EQ(core.refusal()->word, "peer-heard");
  now += std::chrono::seconds(2);
  Core other = core;
  const auto actions = step(TakeoverAsked{});
  ASSERT_NE(find<StartClaim>(actions), nullptr);
  EXPECT_EQ(find<StartClaim>(actions)->from, Generation{3});
  core = other;
  step(PeerRuns{Generation{3}});
  EXPECT_EQ(core.keeps(), Keeps::base);
  step(TakeoverAsked{});
  EXPECT_EQ(core.refusal()->word, "no-checkpoint");
}

TEST_F(RecoveryTest, APeerThatTookItsGuestBackEndsTheTakeover) {
  load();
  EXPECT_TRUE(step(PeerRuns{Generation{2}}).empty()) << "of our own generation it is no news";
  EXPECT_NE(find<ReleaseResources>(step(PeerRuns{Generation{3}})), nullptr);
  EXPECT_TRUE(is<Joining>());
  EXPECT_EQ(core.keeps(), Keeps::base);
}

TEST_F(RecoveryTest, AStopDuringAGiveBackFinishesIt) {
  fail_by_hook();
  step(PeerKeepsGuest{});
  const auto actions = step(StopAsked{});
  ASSERT_NE(find<StartClaim>(actions), nullptr);
  EXPECT_EQ(find<StartClaim>(actions)->for_whom, For::peer);
  EXPECT_NE(find<Exit>(won()), nullptr);
}

TEST_F(RecoveryTest, AStopAfterAQuietClaimGivesTheGuestToThePeerThatKeepsIt) {
  stand_by();
  step(TakeoverAsked{});
  step(StopAsked{});
  const auto actions = won();
  ASSERT_NE(find<StartClaim>(actions), nullptr);
  EXPECT_EQ(find<StartClaim>(actions)->for_whom, For::peer);
}

}  // namespace
}  // namespace colo::secondary
