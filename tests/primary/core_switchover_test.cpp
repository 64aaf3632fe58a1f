// The source of a switchover: every step of it, and what cuts it short.
#include "tests/primary/driver.h"

namespace colo::primary {
namespace {

using testing::milliseconds;

class SwitchoverTest : public testing::CoreTest {
 protected:
  [[nodiscard]] Handover at() const { return std::get<HandingOver>(core.state()).step; }
  void ask() {
    protect();
    ASSERT_NE(find<SendPass>(step(SwitchoverAsked{})), nullptr);
    ASSERT_TRUE(is<HandingOver>());
  }
  void save() {
    ask();
    const auto actions = step(PassEnded{session, 1});
    ASSERT_NE(find<CaptureAndStay>(actions), nullptr);
    ASSERT_EQ(find<Capture>(actions), nullptr);
  }
  void load() {
    save();
    step(Captured{session, Epoch{2}});
    const auto actions = acknowledged(2);
    ASSERT_NE(find<Release>(actions), nullptr);
    ASSERT_NE(find<TellHandover>(actions), nullptr);
    ASSERT_EQ(find<TellHandover>(actions)->epoch, Epoch{2});
    ASSERT_EQ(at(), Handover::loading);
  }
  void go() {
    load();
    ASSERT_NE(find<TellGo>(step(PeerLoaded{session, Epoch{2}})), nullptr);
    ASSERT_EQ(at(), Handover::claiming);
  }
  void expect_cancelled(const std::vector<Action>& actions) {
    EXPECT_NE(find<TellCancel>(actions), nullptr);
    EXPECT_NE(find<ResumeGuest>(actions), nullptr);
    ASSERT_TRUE(is<Protected>());
    EXPECT_FALSE(std::get<Protected>(core.state()).session.switchover_trouble.empty());
  }
};

TEST_F(SwitchoverTest, ThePeerTakesOverAndThisHostBecomesSecondary) {
  go();
  const auto told = step(PeerTookOver{session});
  EXPECT_NE(find<EndSession>(told), nullptr);
  EXPECT_NE(find<StartClaim>(told), nullptr);
  const auto answered = lost();
  EXPECT_EQ(find<PauseGuest>(answered), nullptr) << "it stands still already";
  EXPECT_NE(find<ReleaseResources>(answered), nullptr);
  EXPECT_NE(find<BecomeSecondary>(step(PeerRuns{Generation{2}})), nullptr);
}

TEST_F(SwitchoverTest, IsRefusedUnlessProtected) {
  step(SwitchoverAsked{});
  ASSERT_TRUE(core.refusal());
  EXPECT_EQ(core.refusal()->word, "not-protected");
  join();
  step(SwitchoverAsked{});
  ASSERT_TRUE(core.refusal());
  EXPECT_EQ(core.refusal()->word, "not-protected");
}

TEST_F(SwitchoverTest, IsNotBegunTwice) {
  ask();
  EXPECT_TRUE(step(SwitchoverAsked{}).empty());
  ASSERT_TRUE(core.refusal());
  EXPECT_EQ(core.refusal()->word, "already");
  step(CheckpointAsked{});
  ASSERT_TRUE(core.refusal());
  EXPECT_EQ(core.refusal()->word, "handing-over");
}

TEST_F(SwitchoverTest, WaitsForTheCheckpointUnderWay) {
  protect();
  begin_capture();
  EXPECT_TRUE(step(SwitchoverAsked{}).empty());
  step(Captured{session, Epoch{2}});
  const auto actions = acknowledged(2);
  EXPECT_EQ(find<TellHandover>(actions), nullptr) << "the guest ran on after that one";
  EXPECT_NE(find<SendPass>(actions), nullptr);
  EXPECT_NE(find<CaptureAndStay>(step(PassEnded{session, 1})), nullptr);
}

TEST_F(SwitchoverTest, ACaptureThatFailsEndsItAndTheGuestRuns) {
  save();
  EXPECT_TRUE(step(CaptureFailed{session, Epoch{2}, {"save-failed", "", ""}}).empty());
  EXPECT_TRUE(is<Protected>());
  EXPECT_FALSE(std::get<Protected>(core.state()).session.switchover_trouble.empty());
}

TEST_F(SwitchoverTest, ALoadThatFailsCancels) {
  load();
  expect_cancelled(step(PeerLoadFailed{session, Epoch{2}, {"load-failed", "no", ""}}));
}

TEST_F(SwitchoverTest, ALoadThatIsNotAnsweredCancels) {
  load();
  now = *core.deadline();
  expect_cancelled(step(Tick{}));
  EXPECT_GT(core.deadline(), now) << "the next checkpoint is due or under way";
}

TEST_F(SwitchoverTest, AnotherCheckpointLoadedCancels) {
  load();
  expect_cancelled(step(PeerLoaded{session, Epoch{1}}));
}

TEST_F(SwitchoverTest, ALateLoadedAfterACancelIsIgnored) {
  load();
  step(PeerLoadFailed{session, Epoch{2}, {"load-failed", "no", ""}});
  EXPECT_TRUE(step(PeerLoaded{session, Epoch{2}}).empty());
  EXPECT_TRUE(step(PeerTookOver{session}).empty());
  EXPECT_TRUE(is<Protected>());
}

TEST_F(SwitchoverTest, APeerWhoseStandbyDiesBeforeTheGoDoesNotClaimSoItIsCancelled) {
  go();
  expect_cancelled(step(PeerLoadFailed{session, Epoch{2}, {"standby-ended", "killed", ""}}));
}

TEST_F(SwitchoverTest, ALinkLostWhilePassingFindsTheGuestRunning) {
  ask();
  const auto actions = peer_lost();
  EXPECT_EQ(find<ResumeGuest>(actions), nullptr);
  EXPECT_NE(find<StartClaim>(actions), nullptr);
}

TEST_F(SwitchoverTest, ALinkLostWhileSavingOrLoadingResumesTheGuestAtOnce) {
  save();
  EXPECT_NE(find<ResumeGuest>(peer_lost()), nullptr);
}

TEST_F(SwitchoverTest, ALinkLostWhileLoadingResumesTheGuestAtOnce) {
  load();
  EXPECT_NE(find<ResumeGuest>(peer_lost()), nullptr);
}

TEST_F(SwitchoverTest, ALinkLostAfterTheGoIsDecidedByTheArbiterAlone) {
  CoreConfig config;
  config.grace = milliseconds(400);
  core = Core::start(config, Generation{0});
  go();
  const auto actions = peer_lost();
  EXPECT_EQ(find<ResumeGuest>(actions), nullptr);
  EXPECT_NE(find<StartClaim>(actions), nullptr) << "no grace: the peer may have won";
  const auto answered = won();
  EXPECT_NE(find<ResumeGuest>(answered), nullptr);
  EXPECT_NE(find<ReleaseAll>(answered), nullptr);
}

TEST_F(SwitchoverTest, NoWordOfTheTakeoverIsDecidedByTheArbiterToo) {
  go();
  now = *core.deadline();
  const auto actions = step(Tick{});
  EXPECT_NE(find<EndSession>(actions), nullptr);
  EXPECT_NE(find<StartClaim>(actions), nullptr);
}

TEST_F(SwitchoverTest, AnUnansweredClaimLetsTheGuestRunWithItsOutputHeld) {
  go();
  peer_lost();
  const auto actions = unanswered();
  EXPECT_NE(find<ResumeGuest>(actions), nullptr);
  EXPECT_EQ(find<ReleaseAll>(actions), nullptr);
  now = *core.deadline();
  step(Tick{});
  EXPECT_NE(find<PauseGuest>(lost()), nullptr) << "it runs again";
}

TEST_F(SwitchoverTest, AClaimThatIsNotAnsweredInTimeLetsTheGuestRunToo) {
  go();
  peer_lost();
  EXPECT_EQ(*core.deadline() - now, std::chrono::seconds(1));
  now = *core.deadline();
  EXPECT_NE(find<ResumeGuest>(step(Tick{})), nullptr);
  EXPECT_FALSE(core.deadline()) << "its answer is still waited for";
}

TEST_F(SwitchoverTest, AStopAtAnyStepLeavesTheGuestToThePeer) {
  for (int steps = 0; steps < 4; ++steps) {
    core = Core::start({}, Generation{0});
    ask();
    if (steps > 0) step(PassEnded{session, 1});
    if (steps > 1) {
      step(Captured{session, Epoch{2}});
      acknowledged(2);
    }
    if (steps > 2) step(PeerLoaded{session, Epoch{2}});
    const auto actions = step(StopAsked{});
    ASSERT_NE(find<EndSession>(actions), nullptr) << steps;
    EXPECT_EQ(find<EndSession>(actions)->farewell, Farewell::leaving);
    EXPECT_EQ(find<StartClaim>(actions), nullptr);
    EXPECT_NE(find<Exit>(actions), nullptr);
  }
}

TEST_F(SwitchoverTest, AGuestThatDiesOnTheWayIsTakenOver) {
  load();
  const auto actions = step(GuestEnded{"killed", false});
  EXPECT_NE(find<TellGuestEnded>(actions), nullptr);
  EXPECT_TRUE(is<Ended>());
}

TEST_F(SwitchoverTest, ANewDelayOrAFullQueueDoesNotTouchIt) {
  load();
  const auto due = core.deadline();
  EXPECT_TRUE(step(DelaySet{milliseconds(1)}).empty());
  EXPECT_TRUE(step(HoldFull{}).empty());
  EXPECT_EQ(core.deadline(), due);
}

}  // namespace
}  // namespace colo::primary
