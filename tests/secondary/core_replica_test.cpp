// COLO mode: the replica of the committed checkpoint, from its begin to a takeover or its end.
#include "tests/secondary/driver.h"

namespace colo::secondary {
namespace {

class ReplicaTest : public testing::CoreTest {
 protected:
  // Order in one step's actions: whether a First stands in front of a Second, and both are there.
  template <class First, class Second>
  static bool in_order(const std::vector<Action>& actions) {
    bool first = false;
    for (const Action& action : actions) {
      if (std::holds_alternative<First>(action)) first = true;
      if (std::holds_alternative<Second>(action)) return first;
    }
    return false;
  }
  // The first checkpoint is committed and told to be run; its fresh standby is on its way.
  void commit_first() {
    join();
    step(ModeTold{session, Epoch{1}, true});
    staged(1);
  }
  std::vector<Action> until_loaded(std::uint64_t epoch) {
    step(StandbyReady{});
    flushed(epoch);
    return step(Loaded{});
  }
  void run_first() {
    commit_first();
    ASSERT_NE(find<RunReplica>(until_loaded(1)), nullptr);
    ASSERT_NE(find<TellReplicaRuns>(step(ReplicaRuns{})), nullptr);
    ASSERT_TRUE(is<Standby>());
  }
  std::vector<Action> replica_ended() { return step(ReplicaEnded{error}); }
};

TEST_F(ReplicaTest, IsLoadedOnCopiesOfItsOwnAndThePrimaryIsToldThatItRuns) {
  commit_first();
  EXPECT_TRUE(is<Standby>());
  EXPECT_EQ(core.replica(), std::nullopt);
  EXPECT_NE(find<StartFlush>(step(StandbyReady{})), nullptr);
  EXPECT_NE(find<Load>(flushed(1)), nullptr);
  const auto loaded = step(Loaded{});
  ASSERT_NE(find<RunReplica>(loaded), nullptr);
  EXPECT_EQ(find<RunReplica>(loaded)->epoch, Epoch{1});
  const auto runs = step(ReplicaRuns{});
  ASSERT_NE(find<TellReplicaRuns>(runs), nullptr);
  ASSERT_NE(find<PrepareStandby>(runs), nullptr) << "the next one's place";
  EXPECT_TRUE(find<PrepareStandby>(runs)->replica);
}

TEST_F(ReplicaTest, AStandbyOfTheCheckpointsOwnMemoryIsReplacedBeforeItIsRun) {
  join();
  step(ModeTold{session, Epoch{1}, true});
  const auto committed = staged(1);
  EXPECT_EQ(find<StartFlush>(committed), nullptr);
  ASSERT_NE(find<PrepareStandby>(committed), nullptr);
  EXPECT_TRUE(find<PrepareStandby>(committed)->replica);
}

TEST_F(ReplicaTest, AModeThatIsToldBehindItsCheckpointStillCounts) {
  stand_by();
  const auto told = step(ModeTold{session, Epoch{1}, true});
  ASSERT_NE(find<PrepareStandby>(told), nullptr);
  EXPECT_NE(find<RunReplica>(until_loaded(1)), nullptr);
}

TEST_F(ReplicaTest, AModeOfALaterCheckpointRunsNoneOfThisOne) {
  stand_by();
  step(ModeTold{session, Epoch{2}, true});
  EXPECT_EQ(find<Load>(step(StandbyReady{})), nullptr);
  EXPECT_EQ(find<Load>(flushed(1)), nullptr);
}

TEST_F(ReplicaTest, NothingIsFlushedUnderOneThatIsNotGone) {
  run_first();
  step(StandbyReady{});
  flushed(1);
  const auto committed = staged(2);
  EXPECT_TRUE((in_order<Commit, Acknowledge>(committed)));
  EXPECT_TRUE((in_order<Acknowledge, EndReplica>(committed)));
  EXPECT_EQ(find<StartFlush>(committed), nullptr);
  EXPECT_NE(find<StartFlush>(replica_ended()), nullptr);
  EXPECT_NE(find<Load>(flushed(2)), nullptr);
  EXPECT_NE(find<RunReplica>(step(Loaded{})), nullptr);
}

TEST_F(ReplicaTest, ACommitDuringTheLoadSkipsTheIncarnation) {
  commit_first();
  step(StandbyReady{});
  flushed(1);
  staged(2);
  const auto loaded = step(Loaded{});
  EXPECT_EQ(find<RunReplica>(loaded), nullptr);
  EXPECT_NE(find<PrepareStandby>(loaded), nullptr) << "a device model is loaded once";
  EXPECT_NE(find<RunReplica>(until_loaded(2)), nullptr);
}

TEST_F(ReplicaTest, ATakeoverGoesOnWithTheOneThatRuns) {
  run_first();
  EXPECT_NE(find<StartClaim>(gone()), nullptr);
  const auto taken = won();
  EXPECT_EQ(find<Load>(taken), nullptr);
  EXPECT_NE(find<AcquireResources>(taken), nullptr);
  const auto run = step(Acquired{});
  ASSERT_NE(find<secondary::Run>(run), nullptr);
  EXPECT_TRUE(find<secondary::Run>(run)->replica);
  step(GuestRuns{});
  EXPECT_TRUE(is<Live>());
}

TEST_F(ReplicaTest, ATakeoverFinishesACheckpointThatIsNotRunYet) {
  run_first();
  step(StandbyReady{});
  flushed(1);
  staged(2);
  gone();
  const auto taken = won();
  EXPECT_EQ(find<AcquireResources>(taken), nullptr);
  EXPECT_EQ(find<StartFlush>(taken), nullptr) << "the old one is not gone";
  replica_ended();
  EXPECT_NE(find<Load>(flushed(2)), nullptr);
  step(Loaded{});
  const auto run = step(Acquired{});
  ASSERT_NE(find<secondary::Run>(run), nullptr);
  EXPECT_FALSE(find<secondary::Run>(run)->replica);
}

TEST_F(ReplicaTest, ATakeoverWaitsForOneThatWasToldToRun) {
  commit_first();
  until_loaded(1);
  gone();
  EXPECT_TRUE(won().empty());
  EXPECT_NE(find<AcquireResources>(step(ReplicaRuns{})), nullptr);
}

TEST_F(ReplicaTest, ATakeoverLoadsAgainWhatDidNotRun) {
  commit_first();
  until_loaded(1);
  gone();
  won();
  EXPECT_NE(find<PrepareStandby>(step(ReplicaFailed{error})), nullptr);
  step(StandbyReady{});
  EXPECT_NE(find<Load>(flushed(1)), nullptr);
}

TEST_F(ReplicaTest, GoesOnWhileThePrimaryIsSuspectedAndIsToldOfOnceItIsHeard) {
  commit_first();
  until_loaded(1);
  step(PeerSuspected{session, error, false});
  EXPECT_EQ(find<TellReplicaRuns>(step(ReplicaRuns{})), nullptr);
  EXPECT_NE(find<TellReplicaRuns>(step(PeerHeard{session})), nullptr);
}

TEST_F(ReplicaTest, SaysNothingMoreBeforeAnOpenSessionIsClaimedOver) {
  run_first();
  const auto asked = step(TakeoverAsked{});
  EXPECT_TRUE((in_order<HoldReplica, StartClaim>(asked)));
  EXPECT_EQ(find<EndSession>(asked), nullptr);
}

TEST_F(ReplicaTest, EndsWithALostClaim) {
  run_first();
  gone();
  EXPECT_NE(find<EndReplica>(lost()), nullptr);
  EXPECT_EQ(core.keeps(), Keeps::base);
  EXPECT_FALSE(core.deadline() && find<Join>(tick_at_deadline()) != nullptr)
      << "nothing is dialled before it is gone";
}

TEST_F(ReplicaTest, ThatEndsUnaskedIsToldOfAndLeavesABaseOnly) {
  run_first();
  const auto ended = replica_ended();
  EXPECT_TRUE((in_order<TellReplicaLost, EndSession>(ended)));
  EXPECT_TRUE(is<Joining>());
  EXPECT_EQ(core.keeps(), Keeps::base);
  step(TakeoverAsked{});
  ASSERT_TRUE(core.refusal());
  EXPECT_EQ(core.refusal()->word, "no-checkpoint");
}

TEST_F(ReplicaTest, ThatEndsWhileThePrimaryIsSuspectedIsToldOfOnAnOpenLaneOnly) {
  for (const bool closed : {false, true}) {
    core = Core{CoreConfig{}};
    run_first();
    step(PeerSuspected{session, error, closed});
    EXPECT_EQ(find<TellReplicaLost>(replica_ended()) == nullptr, closed);
    EXPECT_TRUE(is<Joining>());
    EXPECT_EQ(core.keeps(), Keeps::base);
  }
}

TEST_F(ReplicaTest, ThatEndsDuringTheClaimIsNotReplacedByItsCheckpoint) {
  run_first();
  step(TakeoverAsked{});
  EXPECT_TRUE(replica_ended().empty());
  EXPECT_EQ(find<StartFlush>(won()), nullptr);
  EXPECT_EQ(takeover_step(), Step::failed);
  EXPECT_NE(find<ReleaseResources>(step(PeerKeepsGuest{})), nullptr);
  EXPECT_TRUE(is<GivingBack>());
  const auto back = step(Released{});
  ASSERT_NE(find<StartClaim>(back), nullptr);
  EXPECT_EQ(find<StartClaim>(back)->for_whom, For::peer);
  won();
  EXPECT_EQ(core.keeps(), Keeps::base) << "not even for the operator's word";
}

TEST_F(ReplicaTest, ThatEndsDuringAnOperatorsClaimLeavesTheGuestToThePeerWhenStopped) {
  run_first();
  step(TakeoverAsked{});
  replica_ended();
  step(StopAsked{});
  const auto back = won();
  ASSERT_NE(find<StartClaim>(back), nullptr);
  EXPECT_EQ(find<StartClaim>(back)->for_whom, For::peer);
  EXPECT_NE(find<Exit>(won()), nullptr);
}

TEST_F(ReplicaTest, ThatEndsBeforeItsHooksAreThroughIsNotReplacedByItsCheckpoint) {
  run_first();
  gone();
  won();
  replica_ended();
  EXPECT_EQ(takeover_step(), Step::failed);
  EXPECT_EQ(find<secondary::Run>(step(Acquired{})), nullptr);
  step(TakeoverAsked{});
  ASSERT_TRUE(core.refusal());
  EXPECT_EQ(core.refusal()->word, "no-checkpoint");
}

TEST_F(ReplicaTest, ThatCannotBeTakenOverIsNotReplacedByItsCheckpoint) {
  run_first();
  gone();
  won();
  step(Acquired{});
  EXPECT_EQ(find<PrepareStandby>(step(LoadFailed{error})), nullptr);
  EXPECT_EQ(takeover_step(), Step::failed);
}

TEST_F(ReplicaTest, IsTriedOnceMoreWithAFreshStandby) {
  commit_first();
  until_loaded(1);
  EXPECT_NE(find<PrepareStandby>(step(ReplicaFailed{error})), nullptr);
  EXPECT_TRUE(is<Standby>());
  EXPECT_NE(find<RunReplica>(until_loaded(1)), nullptr);
}

// It was given up as a base, so a primary that died in the same moment took the guest with it (L3).
TEST_F(ReplicaTest, ThatNeverRanLeavesItsCheckpointToTakeOverFrom) {
  for (const bool loads : {false, true}) {
    core = Core{CoreConfig{}};
    commit_first();
    std::vector<Action> last;
    for (std::uint32_t i = 0; i < CoreConfig{}.replica_attempts; ++i) {
      ASSERT_TRUE(is<Standby>());
      step(StandbyReady{});
      flushed(1);
      if (loads) step(Loaded{});
      last = loads ? step(ReplicaFailed{error}) : step(LoadFailed{error});
    }
    EXPECT_TRUE((in_order<TellReplicaLost, EndSession>(last)));
    EXPECT_NE(find<PrepareStandby>(last), nullptr);
    ASSERT_TRUE(is<Suspecting>());
    EXPECT_EQ(core.keeps(), Keeps::takeable);
    EXPECT_GT(*core.deadline() - now, CoreConfig{}.head_start)
        << "the primary was told, and claims";
    EXPECT_NE(find<StartClaim>(tick_at_deadline()), nullptr);
    step(StandbyReady{});
    won();
    EXPECT_NE(find<Load>(flushed(1)), nullptr);
  }
}

TEST_F(ReplicaTest, ThatNeverRanLeavesABaseOnceThePrimaryWentOn) {
  commit_first();
  for (std::uint32_t i = 0; i < CoreConfig{}.replica_attempts; ++i) {
    step(StandbyReady{});
    flushed(1);
    step(LoadFailed{error});
  }
  tick_at_deadline();
  lost();
  EXPECT_TRUE(is<Joining>());
  EXPECT_EQ(core.keeps(), Keeps::base);
}

// The epochs of a whole copy begin again: the primary was told of "that one" in the last session,
// and waited in vain in this one.
TEST_F(ReplicaTest, OfAWholeCopyIsToldOfAlsoWhereTheLastSessionToldOfTheSameNumber) {
  run_first();
  replica_ended();
  if (!find<Join>(step(StandbyReady{}))) tick_at_deadline();
  session = Session{2};
  step(Joined{session, "alpha", Generation{2}});
  ASSERT_TRUE(is<Receiving>());
  step(ModeTold{session, Epoch{1}, true});
  staged(1);
  flushed(1);
  ASSERT_NE(find<RunReplica>(step(Loaded{})), nullptr);
  EXPECT_NE(find<TellReplicaRuns>(step(ReplicaRuns{})), nullptr);
}

TEST_F(ReplicaTest, IsGoodUntilTheNextCommitWhereTheModeIsSetToPeriodic) {
  run_first();
  EXPECT_TRUE(step(ModeTold{session, Epoch{2}, false}).empty());
  step(StandbyReady{});
  flushed(1);
  const auto committed = staged(2);
  EXPECT_NE(find<EndReplica>(committed), nullptr);
  ASSERT_NE(find<PrepareStandby>(committed), nullptr);
  EXPECT_FALSE(find<PrepareStandby>(committed)->replica);
  replica_ended();
  EXPECT_NE(find<StartFlush>(step(StandbyReady{})), nullptr);
  EXPECT_EQ(find<Load>(flushed(2)), nullptr);
}

TEST_F(ReplicaTest, StaysTakeableInASessionThatResumesAndIsNotToldOf) {
  CoreConfig config;
  config.grace = std::chrono::seconds(2);
  core = Core{config};
  run_first();
  step(StandbyReady{});
  flushed(1);
  step(PeerSuspected{session, error, true});
  ASSERT_NE(find<Join>(tick_at_deadline()), nullptr);
  session = Session{2};
  const auto resumed = step(Joined{session, "alpha", Generation{1}, Epoch{1}});
  EXPECT_EQ(find<EndReplica>(resumed), nullptr);
  EXPECT_EQ(find<TellReplicaRuns>(resumed), nullptr);
  ASSERT_TRUE(is<Standby>());
  step(ModeTold{session, Epoch{2}, true});
  gone();
  won();
  EXPECT_TRUE(find<secondary::Run>(step(Acquired{}))->replica);
}

TEST_F(ReplicaTest, OfTheCheckpointThatIsHandedOverIsAsGoodAsALoadedOne) {
  run_first();
  EXPECT_NE(find<TellLoaded>(step(HandoverAsked{session, Epoch{1}})), nullptr);
  const auto go = step(GoAsked{session});
  EXPECT_TRUE((in_order<HoldReplica, StartClaim>(go)));
}

TEST_F(ReplicaTest, OfTheCheckpointBeforeIsGoneBeforeTheLastOneIsLoaded) {
  run_first();
  step(StandbyReady{});
  flushed(1);
  staged(2);
  EXPECT_TRUE(step(HandoverAsked{session, Epoch{2}}).empty());
  EXPECT_NE(find<StartFlush>(replica_ended()), nullptr);
  EXPECT_NE(find<Load>(flushed(2)), nullptr);
  EXPECT_NE(find<TellLoaded>(step(Loaded{})), nullptr);
  // Cancelled: what is loaded is run after all.
  EXPECT_NE(find<RunReplica>(step(CancelAsked{session, "changed my mind"})), nullptr);
}

TEST_F(ReplicaTest, ThatEndsDuringASwitchoverIsToldOf) {
  run_first();
  step(HandoverAsked{session, Epoch{1}});
  EXPECT_NE(find<TellReplicaLost>(replica_ended()), nullptr);
  EXPECT_TRUE(is<Joining>());
  EXPECT_TRUE(step(GoAsked{session}).empty());
}

TEST_F(ReplicaTest, GoesOnAfterAHookThatFailedAndIsTriedAgain) {
  run_first();
  gone();
  won();
  step(AcquireFailed{error});
  EXPECT_NE(find<AcquireResources>(step(TakeoverAsked{})), nullptr);
  EXPECT_TRUE(find<secondary::Run>(step(Acquired{}))->replica);
}

TEST_F(ReplicaTest, FactsOfAnEarlierSessionChangeNothing) {
  run_first();
  EXPECT_TRUE(step(ModeTold{Session{9}, Epoch{1}, false}).empty());
  EXPECT_TRUE(core.colo());
  EXPECT_TRUE(step(ReplicaFailed{error}).empty()) << "one that runs was answered for";
  EXPECT_TRUE(is<Standby>());
}

}  // namespace
}  // namespace colo::secondary
