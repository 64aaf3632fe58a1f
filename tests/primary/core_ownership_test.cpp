// Who owns the guest, and how it ends.
#include "heartbeat/start.h"
#include "tests/primary/driver.h"

namespace colo::primary {
namespace {

class OwnershipTest : public testing::CoreTest {};

TEST_F(OwnershipTest, BeforeTheFirstCutALostSecondaryNeedsNoClaim) {
  boot();
  step(PeerAsks{session, "beta"});
  step(BulkAttached{session});
  EXPECT_EQ(find<StartClaim>(peer_lost()), nullptr);
  EXPECT_TRUE(is<Solo>());
}

TEST_F(OwnershipTest, AfterTheFirstCutNothingIsReleasedWithoutAWonClaim) {
  join();
  const auto actions = peer_lost();
  EXPECT_NE(find<StartClaim>(actions), nullptr);
  EXPECT_EQ(find<ReleaseAll>(actions), nullptr);
  EXPECT_NE(find<ReleaseAll>(won()), nullptr);
}

TEST_F(OwnershipTest, AnUnreachableArbiterIsAskedAgainForEver) {
  protect();
  peer_lost();
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(unanswered().empty());
    ASSERT_TRUE(core.deadline());
    now = *core.deadline();
    ASSERT_NE(find<StartClaim>(step(Tick{})), nullptr);
    ASSERT_FALSE(core.deadline());
  }
}

TEST_F(OwnershipTest, ALostClaimPausesTheGuestAndDropsWhatWasHeld) {
  protect();
  peer_lost();
  const auto actions = lost();
  EXPECT_NE(find<PauseGuest>(actions), nullptr);
  EXPECT_NE(find<DropHeld>(actions), nullptr);
  EXPECT_EQ(find<EndGuest>(actions), nullptr);
  EXPECT_TRUE(is<Lost>());
}

TEST_F(OwnershipTest, AStartThatIsAskedAgainDoesNotAskForTicksMeanwhile) {
  step(Tick{});
  unanswered();
  now = *core.deadline();
  ASSERT_NE(find<StartClaim>(step(Tick{})), nullptr);
  EXPECT_FALSE(core.deadline());
}

TEST_F(OwnershipTest, AClaimLostBeforeTheBootPausesNoGuest) {
  step(Tick{});
  EXPECT_TRUE(lost().empty());
  EXPECT_TRUE(is<Lost>());
}

TEST_F(OwnershipTest, AGuestThatDiesProtectedIsLeftToTheSecondary) {
  protect();
  const auto actions = step(GuestEnded{"killed", false});
  EXPECT_NE(find<TellGuestEnded>(actions), nullptr);
  EXPECT_NE(find<DropHeld>(actions), nullptr);
  EXPECT_EQ(find<StartClaim>(actions), nullptr);
}

TEST_F(OwnershipTest, AGuestThatDiesDuringAClaimDoesNotLeaveTheOwnershipWithNobodyAlive) {
  protect();
  peer_lost();
  EXPECT_TRUE(step(GuestEnded{"killed", false}).empty());
  const auto actions = won();
  ASSERT_NE(find<StartClaim>(actions), nullptr);
  EXPECT_EQ(find<StartClaim>(actions)->for_whom, For::nobody);
  EXPECT_EQ(find<StartClaim>(actions)->from, Generation{2});
}

TEST_F(OwnershipTest, AGuestThatDiesDuringAClaimThatIsNotAnsweredLetsThePeerWin) {
  protect();
  peer_lost();
  step(GuestEnded{"killed", false});
  EXPECT_EQ(find<StartClaim>(unanswered()), nullptr);
  EXPECT_TRUE(is<Ended>());
  EXPECT_FALSE(core.deadline());
}

TEST_F(OwnershipTest, AShutdownDuringAClaimDoesNotTakeItsAnswerForThatOfTheNext) {
  protect();
  peer_lost();
  EXPECT_EQ(find<StartClaim>(step(GuestEnded{"shut down", true})), nullptr);
  ASSERT_NE(find<StartClaim>(won()), nullptr);
  EXPECT_NE(find<Exit>(won()), nullptr);
  EXPECT_TRUE(is<Ended>());
}

TEST_F(OwnershipTest, AnAnswerAfterTheEndDoesNotBringTheCoreBack) {
  protect();
  peer_lost();
  unanswered();
  step(GuestEnded{"killed", false});
  EXPECT_TRUE(lost().empty());
  EXPECT_TRUE(is<Ended>());
}

TEST_F(OwnershipTest, AStopOfTheProtectedGuestLeavesItToTheSecondary) {
  protect();
  const auto actions = step(StopAsked{});
  ASSERT_NE(find<EndSession>(actions), nullptr);
  EXPECT_EQ(find<EndSession>(actions)->farewell, Farewell::leaving);
  EXPECT_NE(find<Exit>(actions), nullptr);
}

TEST_F(OwnershipTest, AStopBeforeTheFirstCommitDoesNotLeaveTheGuestToAHostWithoutIt) {
  join();
  const auto actions = step(StopAsked{});
  ASSERT_NE(find<EndSession>(actions), nullptr);
  EXPECT_EQ(find<EndSession>(actions)->farewell, Farewell::guest_ends);
  ASSERT_NE(find<StartClaim>(actions), nullptr);
  EXPECT_EQ(find<StartClaim>(actions)->for_whom, For::nobody);
}

TEST_F(OwnershipTest, AStopDuringAClaimWaitsForItsAnswerAndGivesUpWhatItWon) {
  protect();
  peer_lost();
  const auto actions = step(StopAsked{});
  EXPECT_NE(find<EndGuest>(actions), nullptr);
  EXPECT_EQ(find<Exit>(actions), nullptr);
  ASSERT_NE(find<StartClaim>(won()), nullptr);
  EXPECT_NE(find<Exit>(won()), nullptr);
}

TEST_F(OwnershipTest, AStopBeforeTheBootGivesUpWhatWasWon) {
  step(Tick{});
  EXPECT_EQ(find<Exit>(step(StopAsked{})), nullptr);
  const auto actions = won();
  EXPECT_EQ(find<BootGuest>(actions), nullptr);
  ASSERT_NE(find<StartClaim>(actions), nullptr);
  EXPECT_EQ(find<StartClaim>(actions)->for_whom, For::nobody);
}

TEST_F(OwnershipTest, AStopDuringTheBootGivesUpWhatWasWon) {
  step(Tick{});
  won();
  const auto actions = step(StopAsked{});
  ASSERT_NE(find<StartClaim>(actions), nullptr);
  EXPECT_EQ(find<StartClaim>(actions)->for_whom, For::nobody);
}

TEST_F(OwnershipTest, ASecondStopDoesNotWaitForTheArbiter) {
  boot();
  EXPECT_EQ(find<Exit>(step(StopAsked{})), nullptr);
  EXPECT_NE(find<Exit>(step(StopAsked{})), nullptr);
}

TEST(Start, OnlyTheFirstPrimaryClaimsAGuestThatNobodyOwns) {
  using heartbeat::decide_start;
  using heartbeat::Start;
  EXPECT_EQ(decide_start({}, "alpha", "alpha"), Start::claim);
  EXPECT_EQ(decide_start({}, "beta", "alpha"), Start::join);
  EXPECT_EQ(decide_start({Generation{4}, "", "run"}, "alpha", "alpha"), Start::claim);
  EXPECT_EQ(decide_start({Generation{4}, "beta", "run"}, "alpha", "alpha"), Start::join);
  // An earlier run of this host owned it: its memory is gone, and the peer may hold a checkpoint.
  EXPECT_EQ(decide_start({Generation{4}, "alpha", "run"}, "alpha", "alpha"), Start::wait);
  EXPECT_EQ(decide_start({Generation{4}, "beta", "run"}, "beta", "alpha"), Start::wait);
}

}  // namespace
}  // namespace colo::primary
