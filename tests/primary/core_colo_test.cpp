// COLO mode: when a checkpoint is due, what the replica must say and by when, the modes.
#include "tests/primary/driver.h"

namespace colo::primary {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

class ColoTest : public testing::CoreTest {
 protected:
  ColoTest() { core = Core::start(config(Mode::colo), Generation{0}); }
  static CoreConfig config(Mode mode) {
    CoreConfig config;
    config.mode = mode;
    return config;
  }
  template <class First, class Second>
  static bool in_order(const std::vector<Action>& actions) {
    bool first = false;
    for (const Action& action : actions) {
      if (std::holds_alternative<First>(action)) first = true;
      if (std::holds_alternative<Second>(action)) return first;
    }
    return false;
  }
  [[nodiscard]] const SessionState& current() const {
    return std::get<Protected>(core.state()).session;
  }
  std::vector<Action> runs(std::uint64_t epoch) { return step(ReplicaRuns{session, Epoch{epoch}}); }
  std::vector<Action> asks(std::uint64_t open) {
    return step(CompareAsked{session, Epoch{open}, CheckpointReason::different});
  }
  std::vector<Action> tick() { return step(Tick{}); }
  std::vector<Action> lost_replica() {
    return step(ReplicaLost{session, {"replica-ended", "QEMU was killed", ""}});
  }
  // From its begin to its commit.
  void checkpoint(std::uint64_t epoch) {
    ASSERT_NE(find<Capture>(step(PassEnded{session, 1})), nullptr);
    step(StandstillEnded{session, Epoch{epoch}});
    step(Captured{session, Epoch{epoch}});
    ASSERT_NE(find<Release>(acknowledged(epoch)), nullptr);
  }
  void compare() {
    protect();
    runs(1);
  }
};

TEST_F(ColoTest, ASessionSaysItsModeAndComparesFromItsFirstCutOn) {
  boot();
  step(PeerAsks{session, "beta"});
  const auto begins = step(BulkAttached{session});
  EXPECT_TRUE((in_order<TellMode, SendPass>(begins)));
  EXPECT_TRUE(find<TellMode>(begins)->colo);
  EXPECT_EQ(find<TellMode>(begins)->from, Epoch{1});
  EXPECT_EQ(find<StartComparing>(begins), nullptr);
  EXPECT_TRUE((in_order<StartComparing, Capture>(step(PassEnded{session, 1}))));
}

TEST_F(ColoTest, APeriodicSessionSaysAndComparesNothing) {
  core = Core::start({}, Generation{0});
  boot();
  step(PeerAsks{session, "beta"});
  EXPECT_EQ(find<TellMode>(step(BulkAttached{session})), nullptr);
  EXPECT_EQ(find<StartComparing>(step(PassEnded{session, 1})), nullptr);
  step(Captured{session, Epoch{1}});
  acknowledged(1);
  EXPECT_EQ(*core.deadline() - now, CoreConfig{}.delay) << "and nobody waits for a replica";
  EXPECT_TRUE(runs(1).empty());
  EXPECT_TRUE(asks(2).empty());
}

TEST_F(ColoTest, TheLongestIntervalCountsOnceTheReplicaRuns) {
  protect();
  EXPECT_EQ(*core.deadline() - now, CoreConfig{}.answer_timeout) << "for it to run";
  wait(milliseconds(100));
  EXPECT_TRUE(runs(1).empty());
  EXPECT_EQ(*core.deadline() - now, CoreConfig{}.max_interval - milliseconds(100));
  wait(CoreConfig{}.max_interval);
  EXPECT_NE(find<SendPass>(tick()), nullptr);
}

TEST_F(ColoTest, AReplicaThatDoesNotRunInTimeEndsTheSession) {
  protect();
  wait(CoreConfig{}.answer_timeout);
  const auto ends = tick();
  EXPECT_TRUE((in_order<StopComparing, EndSession>(ends)));
  EXPECT_TRUE((in_order<EndSession, StartClaim>(ends)));
  won();
  EXPECT_TRUE(is<Solo>());
  step(PeerAsks{Session{2}, "beta"});
  EXPECT_TRUE(core.refusal()) << "it is a setback";
}

TEST_F(ColoTest, AReplicaThatOvertakesOurOwnCapturedRunsAllTheSame) {
  join();
  step(StandstillEnded{session, Epoch{1}});
  acknowledged(1);
  runs(1);
  EXPECT_NE(find<Release>(step(Captured{session, Epoch{1}})), nullptr);
  EXPECT_EQ(*core.deadline() - now, CoreConfig{}.max_interval);
}

TEST_F(ColoTest, AnAskWaitsForTheShortestIntervalAndForNothingElse) {
  protect();
  EXPECT_TRUE(asks(2).empty());
  EXPECT_EQ(*core.deadline() - now, CoreConfig{}.min_interval) << "though no replica runs yet";
  wait(CoreConfig{}.min_interval);
  EXPECT_NE(find<SendPass>(tick()), nullptr);
  checkpoint(2);
  EXPECT_EQ(core.checkpoints()[static_cast<std::size_t>(CheckpointReason::different)], 1U);
}

TEST_F(ColoTest, AnAskOfARoundThatIsOverIsLate) {
  compare();
  EXPECT_TRUE(asks(1).empty());
  EXPECT_FALSE(current().asked);
  begin_capture();
  EXPECT_TRUE(asks(2).empty()) << "that one is being captured";
  EXPECT_FALSE(current().asked);
  asks(3);
  EXPECT_TRUE(current().asked) << "its cut was made, and it is news";
  step(Captured{session, Epoch{2}});
  acknowledged(2);
  EXPECT_EQ(*core.deadline() - now, CoreConfig{}.min_interval);
}

TEST_F(ColoTest, TheSecondaryIsHeardOnlyForItsNewestIncarnation) {
  compare();
  wait(milliseconds(50));
  EXPECT_TRUE(step(PeerAsksCheckpoint{session, Epoch{7}, "written much"}).empty());
  EXPECT_NE(find<SendPass>(step(PeerAsksCheckpoint{session, Epoch{1}, "written much"})), nullptr);
  step(PassEnded{session, 1});
  EXPECT_TRUE(step(PeerAsksCheckpoint{session, Epoch{1}, "written much"}).empty());
  EXPECT_FALSE(current().asked);
}

TEST_F(ColoTest, AFullQueueAsksToo) {
  compare();
  wait(milliseconds(50));
  EXPECT_NE(find<SendPass>(step(HoldFull{})), nullptr);
}

TEST_F(ColoTest, AReplicaOfAnEarlierCheckpointIsNoNewsAndOfALaterOneALie) {
  compare();
  begin_capture();
  step(Captured{session, Epoch{2}});
  acknowledged(2);
  EXPECT_TRUE(runs(1).empty());
  EXPECT_FALSE(current().replica_runs());
  EXPECT_NE(find<EndSession>(runs(3)), nullptr);
  EXPECT_TRUE(is<Claiming>());
}

TEST_F(ColoTest, ALostReplicaIsALostPeerForWhichNobodyIsWaited) {
  CoreConfig patient = config(Mode::colo);
  patient.grace = std::chrono::seconds(10);
  core = Core::start(patient, Generation{0});
  compare();
  const auto lost = lost_replica();
  EXPECT_TRUE((in_order<StopComparing, EndSession>(lost)));
  EXPECT_NE(find<StartClaim>(lost), nullptr);
  EXPECT_NE(find<ReleaseAll>(won()), nullptr);
  EXPECT_TRUE(is<Solo>());
}

TEST_F(ColoTest, AReplicaThatIsLostEarlyIsASetbackAndLateItIsNone) {
  for (const bool late : {false, true}) {
    core = Core::start(config(Mode::colo), Generation{0});
    compare();
    if (late) wait(minutes(2));
    lost_replica();
    won();
    const auto again = step(PeerAsks{Session{2}, "beta"});
    EXPECT_EQ(find<AcceptPeer>(again) != nullptr, late);
  }
}

TEST_F(ColoTest, AReplicaThatIsLostBeforeTheFirstCutNeedsNoClaim) {
  boot();
  step(PeerAsks{session, "beta"});
  step(BulkAttached{session});
  EXPECT_EQ(find<StartClaim>(lost_replica()), nullptr);
  EXPECT_TRUE(is<Solo>());
}

TEST_F(ColoTest, AReplicaThatIsLostDuringASwitchoverLetsTheGuestGoOn) {
  compare();
  step(SwitchoverAsked{});
  ASSERT_NE(find<CaptureAndStay>(step(PassEnded{session, 1})), nullptr);
  step(Captured{session, Epoch{2}});
  ASSERT_NE(find<TellHandover>(acknowledged(2)), nullptr);
  EXPECT_TRUE((in_order<ResumeGuest, StartClaim>(lost_replica())));
}

TEST_F(ColoTest, WhatIsHandedOverNeedNotRunUntilItIsCancelled) {
  compare();
  step(SwitchoverAsked{});
  step(PassEnded{session, 1});
  step(Captured{session, Epoch{2}});
  acknowledged(2);
  step(PeerLoadFailed{session, Epoch{2}, {"load-failed", "no", ""}});
  ASSERT_TRUE(is<Protected>());
  EXPECT_EQ(*core.deadline() - now, CoreConfig{}.answer_timeout);
  wait(CoreConfig{}.answer_timeout);
  EXPECT_NE(find<EndSession>(tick()), nullptr);
}

TEST_F(ColoTest, ALostPeerIsNotComparedWithAndAResumedOneFromItsNextCutOn) {
  CoreConfig patient = config(Mode::colo);
  patient.grace = std::chrono::seconds(10);
  core = Core::start(patient, Generation{0});
  compare();
  EXPECT_TRUE((in_order<StopComparing, EndSession>(peer_lost())));
  ASSERT_TRUE(is<Reconnecting>());
  EXPECT_TRUE(runs(1).empty());
  EXPECT_TRUE(lost_replica().empty());
  session = Session{2};
  step(PeerAsks{session, "beta", Held{Generation{1}, Epoch{1}}});
  const auto begins = step(BulkAttached{session});
  EXPECT_EQ(find<TellMode>(begins)->from, Epoch{2});
  EXPECT_TRUE((in_order<StartComparing, Capture>(step(PassEnded{session, 1}))));
}

TEST_F(ColoTest, ModesChangeWithACheckpointOfTheirOwn) {
  compare();
  const auto periodic = step(ModeSet{Mode::periodic});
  EXPECT_TRUE((in_order<TellMode, SendPass>(periodic)));
  EXPECT_FALSE(find<TellMode>(periodic)->colo);
  EXPECT_TRUE((in_order<StopComparing, Capture>(step(PassEnded{session, 1}))));
  step(Captured{session, Epoch{2}});
  acknowledged(2);
  EXPECT_EQ(*core.deadline() - now, CoreConfig{}.delay);
  const auto colo = step(ModeSet{Mode::colo});
  EXPECT_EQ(find<TellMode>(colo)->from, Epoch{3});
  EXPECT_TRUE((in_order<StartComparing, Capture>(step(PassEnded{session, 1}))));
}

// The replica of a mode that is over was waited for, and the session given up for it.
TEST_F(ColoTest, APeriodicModeWaitsForNoReplicaAlsoWhereItsFirstCaptureFails) {
  CoreConfig slow = config(Mode::colo);
  slow.capture_retry = slow.answer_timeout;
  core = Core::start(slow, Generation{0});
  protect();
  step(ModeSet{Mode::periodic});
  step(PassEnded{session, 1});
  wait(milliseconds(10));
  step(CaptureFailed{session, Epoch{2}, {"save-failed", "no", ""}});
  EXPECT_EQ(*core.deadline() - now, slow.capture_retry);
  wait(slow.answer_timeout - milliseconds(10));
  EXPECT_TRUE(tick().empty());
  EXPECT_TRUE(is<Protected>());
}

TEST_F(ColoTest, AutoGoesPeriodicForAWhileWhereReplicasAreOfNoUse) {
  core = Core::start(config(Mode::automatic), Generation{0});
  compare();
  std::uint64_t epoch = 1;
  std::vector<Action> begins;
  for (std::uint32_t i = 1; i < CoreConfig{}.short_lives; ++i) {
    wait(CoreConfig{}.min_interval);
    begins = asks(++epoch);
    ASSERT_NE(find<SendPass>(begins), nullptr);
    EXPECT_EQ(find<TellMode>(begins), nullptr);
    checkpoint(epoch);
    runs(epoch);
  }
  EXPECT_TRUE(core.mode_reason().empty());
  wait(CoreConfig{}.min_interval);
  begins = asks(++epoch);
  ASSERT_NE(find<TellMode>(begins), nullptr);
  EXPECT_FALSE(find<TellMode>(begins)->colo);
  EXPECT_FALSE(core.mode_reason().empty());
  checkpoint(epoch);
  wait(CoreConfig{}.hold_first);
  begins = tick();
  ASSERT_NE(find<TellMode>(begins), nullptr);
  EXPECT_TRUE(find<TellMode>(begins)->colo);
}

TEST_F(ColoTest, AutoKeepsComparingWhereReplicasLiveLongEnough) {
  core = Core::start(config(Mode::automatic), Generation{0});
  compare();
  for (std::uint64_t epoch = 2; epoch < 12; ++epoch) {
    wait(3 * CoreConfig{}.delay);
    const auto begins = asks(epoch);
    ASSERT_NE(find<SendPass>(begins), nullptr);
    EXPECT_EQ(find<TellMode>(begins), nullptr);
    checkpoint(epoch);
    runs(epoch);
  }
}

TEST_F(ColoTest, FactsOfAnEarlierSessionChangeNothing) {
  compare();
  EXPECT_TRUE(step(ReplicaLost{Session{9}, {"replica-ended", "", ""}}).empty());
  EXPECT_TRUE(step(ReplicaRuns{Session{9}, Epoch{5}}).empty());
  wait(milliseconds(50));
  EXPECT_TRUE(step(CompareAsked{Session{9}, Epoch{2}, CheckpointReason::silence}).empty());
  EXPECT_TRUE(step(PeerAsksCheckpoint{Session{9}, Epoch{1}, ""}).empty());
  EXPECT_TRUE(is<Protected>());
}

}  // namespace
}  // namespace colo::primary
