// Grace and resumed sessions, and what a host does that lost its guest.
#include "tests/primary/driver.h"

namespace colo::primary {
namespace {

using testing::milliseconds;

class RecoveryTest : public testing::CoreTest {
 protected:
  RecoveryTest() {
    CoreConfig config;
    config.grace = milliseconds(400);
    core = Core::start(config, Generation{0});
  }
  std::vector<Action> asks(std::uint64_t number, std::uint64_t epoch) {
    return step(PeerAsks{Session{number}, "beta", Held{core.generation(), Epoch{epoch}}});
  }
  void reconnect() {
    protect();
    ASSERT_EQ(find<StartClaim>(peer_lost()), nullptr);
    ASSERT_TRUE(is<Reconnecting>());
  }
  void lose_guest() {
    protect();
    step(PeerLost{session, {"gone", "gone", ""}, /*certain=*/true});
    lost();
    ASSERT_TRUE(is<Lost>());
  }
  std::vector<Action> read(std::uint64_t generation, bool ours) {
    const heartbeat::Ownership owner{Generation{generation}, ours ? "alpha" : "beta", "run"};
    return step(OwnershipRead{owner, ours});
  }
};

TEST_F(RecoveryTest, APeerThatMayComeBackIsWaitedForWithTheOutputHeld) {
  reconnect();
  EXPECT_EQ(*core.deadline() - now, milliseconds(400));
  wait(milliseconds(400));
  EXPECT_NE(find<StartClaim>(step(Tick{})), nullptr);
  EXPECT_TRUE(is<Claiming>());
}

TEST_F(RecoveryTest, ACertainLossIsClaimedAtOnce) {
  protect();
  const auto actions = step(PeerLost{session, {"gone", "gone", ""}, /*certain=*/true});
  EXPECT_NE(find<StartClaim>(actions), nullptr);
}

TEST_F(RecoveryTest, APeerThatReturnsWithTheLastCheckpointGoesOnFromIt) {
  reconnect();
  const auto accepted = asks(2, 1);
  ASSERT_NE(find<AcceptPeer>(accepted), nullptr);
  EXPECT_EQ(find<AcceptPeer>(accepted)->base, Epoch{1});
  EXPECT_EQ(find<Release>(accepted), nullptr) << "it was released when it was acknowledged";
  session = Session{2};
  const auto attached = step(BulkAttached{session});
  ASSERT_NE(find<SendPass>(attached), nullptr);
  EXPECT_TRUE(find<SendPass>(attached)->first);
  EXPECT_EQ(find<SendPass>(attached)->base, Epoch{1});
  EXPECT_EQ(find<SendPass>(attached)->epoch, Epoch{2});
  EXPECT_NE(core.deadline(), std::nullopt) << "the output is held: this pass has a bound";
  step(PassEnded{session, 1});
  step(Captured{session, Epoch{2}});
  const auto committed = acknowledged(2);
  ASSERT_NE(find<Release>(committed), nullptr);
  EXPECT_TRUE(is<Protected>());
}

TEST_F(RecoveryTest, ALostAcknowledgementIsMadeUpForByTheHello) {
  protect();
  begin_capture();
  step(StandstillEnded{session, Epoch{2}});
  peer_lost();
  const auto accepted = asks(2, 2);
  ASSERT_NE(find<Release>(accepted), nullptr);
  EXPECT_EQ(find<Release>(accepted)->up_to, Epoch{2});
  EXPECT_EQ(find<AcceptPeer>(accepted)->base, Epoch{2});
}

TEST_F(RecoveryTest, ALostAcknowledgementIsMadeUpForEvenIfOurOwnNewsComesLater) {
  protect();
  begin_capture();
  peer_lost();
  step(StandstillEnded{session, Epoch{2}});
  EXPECT_NE(find<Release>(asks(2, 2)), nullptr);
}

// Or a peer could have us release what was never cut.
TEST_F(RecoveryTest, ACheckpointThatWasNotSentYetIsNotBelieved) {
  protect();
  begin_capture();
  peer_lost();
  const auto actions = asks(2, 2);
  EXPECT_EQ(find<Release>(actions), nullptr);
  EXPECT_NE(find<RefusePeer>(actions), nullptr);
  EXPECT_NE(find<StartClaim>(actions), nullptr);
}

TEST_F(RecoveryTest, AnOlderCheckpointIsNotTakenBack) {
  protect();
  begin_capture();
  step(Captured{session, Epoch{2}});
  acknowledged(2);
  peer_lost();
  const auto actions = asks(2, 1);
  EXPECT_EQ(find<AcceptPeer>(actions), nullptr);
  EXPECT_TRUE(is<Claiming>());
}

TEST_F(RecoveryTest, AfterAMadeUpAcknowledgementTheOlderCheckpointIsNotTakenBackEither) {
  protect();
  begin_capture();
  step(StandstillEnded{session, Epoch{2}});
  peer_lost();
  asks(2, 2);
  step(PeerLost{Session{2}, {"silent", "silent", ""}});
  EXPECT_EQ(find<AcceptPeer>(asks(3, 1)), nullptr);
}

TEST_F(RecoveryTest, APeerWithNothingOfOursIsRefusedAndTheClaimMade) {
  reconnect();
  const auto actions = step(PeerAsks{Session{2}, "beta"});
  EXPECT_NE(find<StartClaim>(actions), nullptr);
  EXPECT_NE(find<RefusePeer>(actions), nullptr);
  won();
  EXPECT_EQ(find<AcceptPeer>(step(PeerAsks{Session{3}, "beta"}))->base, std::nullopt);
}

TEST_F(RecoveryTest, AfterAWonClaimTheBaseOnlySavesBytes) {
  reconnect();
  wait(milliseconds(400));
  step(Tick{});
  won();
  ASSERT_TRUE(is<Solo>());
  const auto accepted = asks(2, 1);
  ASSERT_NE(find<AcceptPeer>(accepted), nullptr);
  EXPECT_EQ(find<AcceptPeer>(accepted)->base, Epoch{1});
  session = Session{2};
  step(BulkAttached{session});
  EXPECT_FALSE(core.deadline()) << "nothing is held: the copy has no bound";
  const auto capture = step(PassEnded{session, 1});
  ASSERT_NE(find<Capture>(capture), nullptr);
  EXPECT_TRUE(find<Capture>(capture)->begins_hold);
}

TEST_F(RecoveryTest, AResumedSessionLostBeforeItsCutNeedsNoClaim) {
  reconnect();
  wait(milliseconds(400));
  step(Tick{});
  won();
  asks(2, 1);
  const auto actions = step(PeerLost{Session{2}, {"silent", "silent", ""}});
  EXPECT_EQ(find<StartClaim>(actions), nullptr);
  EXPECT_TRUE(is<Solo>());
  EXPECT_EQ(find<AcceptPeer>(asks(3, 1))->base, Epoch{1}) << "the base stays good";
}

TEST_F(RecoveryTest, ALinkThatComesAndGoesDoesNotHoldTheOutputForEver) {
  reconnect();
  const Instant first = *core.deadline();
  wait(milliseconds(300));
  asks(2, 1);
  step(PeerLost{Session{2}, {"silent", "silent", ""}});
  ASSERT_TRUE(is<Reconnecting>());
  EXPECT_EQ(*core.deadline(), first);
  asks(3, 1);
  wait(milliseconds(150));
  EXPECT_NE(find<StartClaim>(step(PeerLost{Session{3}, {"silent", "silent", ""}})), nullptr);
}

TEST_F(RecoveryTest, ASessionThatWeGaveUpIsClaimedAtOnceAndMakesTheNextWait) {
  protect();
  begin_capture();
  step(Captured{session, Epoch{2}});
  now = *core.deadline();
  EXPECT_NE(find<StartClaim>(step(Tick{})), nullptr);
  won();
  EXPECT_GT(core.not_before(), now);
  EXPECT_NE(find<RefusePeer>(asks(2, 1)), nullptr);
  now = core.not_before();
  EXPECT_NE(find<AcceptPeer>(asks(3, 1)), nullptr);
}

TEST_F(RecoveryTest, APeerThatAsksInTheMiddleOfASessionHasEndedIt) {
  protect();
  const auto actions = asks(2, 1);
  ASSERT_NE(find<EndSession>(actions), nullptr);
  EXPECT_EQ(find<EndSession>(actions)->session, session);
  ASSERT_NE(find<AcceptPeer>(actions), nullptr);
  EXPECT_EQ(find<AcceptPeer>(actions)->base, Epoch{1});
}

TEST_F(RecoveryTest, APeerThatRunsTheGuestIsNotWaitedFor) {
  reconnect();
  EXPECT_TRUE(step(PeerRuns{Generation{1}}).empty());
  EXPECT_NE(find<StartClaim>(step(PeerRuns{Generation{2}})), nullptr);
}

TEST_F(RecoveryTest, AnAcknowledgementIsNotHeardWhileReconnectingOrClaiming) {
  reconnect();
  EXPECT_TRUE(acknowledged(2).empty());
  wait(milliseconds(400));
  step(Tick{});
  EXPECT_TRUE(acknowledged(2).empty());
}

TEST_F(RecoveryTest, AGuestThatDiesWhileReconnectingIsLeftToThePeer) {
  reconnect();
  const auto actions = step(GuestEnded{"killed", false});
  EXPECT_EQ(find<StartClaim>(actions), nullptr);
  EXPECT_NE(find<DropHeld>(actions), nullptr);
  EXPECT_TRUE(is<Ended>());
  EXPECT_NE(find<BecomeSecondary>(step(PeerRuns{Generation{2}})), nullptr);
}

TEST_F(RecoveryTest, AGuestThatShutsDownWhileReconnectingIsGivenUpForNobody) {
  reconnect();
  const auto actions = step(GuestEnded{"shut down", true});
  ASSERT_NE(find<StartClaim>(actions), nullptr);
  EXPECT_EQ(find<StartClaim>(actions)->for_whom, For::nobody);
}

TEST_F(RecoveryTest, AStopWhileReconnectingLeavesTheGuestToThePeer) {
  reconnect();
  const auto actions = step(StopAsked{});
  EXPECT_EQ(find<StartClaim>(actions), nullptr);
  EXPECT_NE(find<EndGuest>(actions), nullptr);
  EXPECT_NE(find<ReleaseResources>(actions), nullptr);
  EXPECT_NE(find<Exit>(actions), nullptr);
}

// --- lost ----------------------------------------------------------------------------------------

TEST_F(RecoveryTest, AHostThatLostItsGuestKeepsItUntilTheWinnersRuns) {
  lose_guest();
  EXPECT_TRUE(step(PeerRuns{Generation{1}}).empty());
  const auto actions = step(PeerRuns{Generation{2}});
  EXPECT_NE(find<EndGuest>(actions), nullptr);
  EXPECT_NE(find<BecomeSecondary>(actions), nullptr);
  EXPECT_TRUE(is<Left>());
  EXPECT_TRUE(step(PeerRuns{Generation{2}}).empty());
}

TEST_F(RecoveryTest, AGuestThatWasGivenBackRunsOnceItsResourcesAreAcquired) {
  lose_guest();
  now = *core.deadline();
  EXPECT_NE(find<ReadOwnership>(step(Tick{})), nullptr);
  EXPECT_TRUE(read(2, false).empty());
  now = *core.deadline();
  step(Tick{});
  EXPECT_NE(find<AcquireResources>(read(3, true)), nullptr);
  EXPECT_EQ(core.generation(), Generation{3});
  EXPECT_TRUE(step(AcquireFailed{{"hook-failed", "vip", ""}}).empty());
  now = *core.deadline();
  EXPECT_NE(find<AcquireResources>(step(Tick{})), nullptr);
  const auto actions = step(Acquired{});
  EXPECT_NE(find<ResumeGuest>(actions), nullptr);
  EXPECT_NE(find<ReleaseAll>(actions), nullptr);
  EXPECT_TRUE(is<Solo>());
}

TEST_F(RecoveryTest, AnOwnershipThatCannotBeReadIsReadAgain) {
  lose_guest();
  now = *core.deadline();
  step(Tick{});
  EXPECT_FALSE(core.deadline());
  step(OwnershipUnread{{"arbiter-unreachable", "no answer", ""}});
  ASSERT_TRUE(core.deadline());
  now = *core.deadline();
  EXPECT_NE(find<ReadOwnership>(step(Tick{})), nullptr);
}

// Given back before our own claim was answered: the answer is lost, and yet the guest is ours.
TEST_F(RecoveryTest, AClaimLostToOurselvesIsWon) {
  protect();
  step(PeerLost{session, {"gone", "gone", ""}, /*certain=*/true});
  const heartbeat::Ownership own{Generation{3}, "alpha", "run"};
  const auto actions = step(ClaimAnswered{heartbeat::ClaimLost{own}, /*ours=*/true});
  EXPECT_EQ(find<PauseGuest>(actions), nullptr);
  EXPECT_NE(find<ReleaseAll>(actions), nullptr);
  EXPECT_EQ(core.generation(), Generation{3});
}

TEST_F(RecoveryTest, TheOperatorMayTakeAKeptGuestBack) {
  lose_guest();
  const auto asked = step(TakeoverAsked{});
  ASSERT_NE(find<StartClaim>(asked), nullptr);
  EXPECT_EQ(find<StartClaim>(asked)->from, Generation{2});
  EXPECT_TRUE(step(PeerRuns{Generation{2}}).empty()) << "not while the claim is under way";
  const auto answered = step(ClaimAnswered{heartbeat::ClaimWon{Generation{3}}});
  EXPECT_NE(find<AcquireResources>(answered), nullptr);
  EXPECT_NE(find<ResumeGuest>(step(Acquired{})), nullptr);
}

TEST_F(RecoveryTest, ATakeoverIsRefusedWhereNoGuestIsKept) {
  protect();
  step(TakeoverAsked{});
  ASSERT_TRUE(core.refusal());
  EXPECT_EQ(core.refusal()->word, "not-lost");
}

TEST_F(RecoveryTest, ASoloHostThatHearsOfANewerOwnerAsksTheArbiter) {
  boot();
  EXPECT_TRUE(step(PeerRuns{Generation{1}}).empty());
  const auto actions = step(PeerRuns{Generation{2}});
  EXPECT_NE(find<StartClaim>(actions), nullptr);
  EXPECT_NE(find<DropHeld>(actions), nullptr);
  EXPECT_NE(find<PauseGuest>(lost()), nullptr);
}

}  // namespace
}  // namespace colo::primary
