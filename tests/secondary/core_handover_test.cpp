// The target of a switchover.
#include "tests/secondary/driver.h"

namespace colo::secondary {
namespace {

class HandoverTest : public testing::CoreTest {
 protected:
  [[nodiscard]] Handover at() const { return std::get<HandingOver>(core.state()).step; }
  std::vector<Action> asked(std::uint64_t epoch) {
    return step(HandoverAsked{session, Epoch{epoch}});
  }
  void load_it() {
    stand_by();
    ASSERT_NE(find<Load>(asked(1)), nullptr);
    ASSERT_EQ(at(), Handover::loading);
  }
  void have_loaded() {
    load_it();
    const auto actions = step(Loaded{});
    ASSERT_NE(find<TellLoaded>(actions), nullptr);
    ASSERT_EQ(find<TellLoaded>(actions)->epoch, Epoch{1});
  }
};

TEST_F(HandoverTest, FlushesLoadsTellsClaimsAndRuns) {
  stand_by();
  staged(2);
  EXPECT_EQ(find<Load>(asked(2)), nullptr);
  EXPECT_EQ(at(), Handover::flushing);
  EXPECT_NE(find<Load>(flushed(2)), nullptr);
  EXPECT_NE(find<TellLoaded>(step(Loaded{})), nullptr);
  EXPECT_EQ(find<StartClaim>(step(Tick{})), nullptr) << "not before the word to go";
  EXPECT_NE(find<StartClaim>(step(GoAsked{session})), nullptr);
  const auto actions = won();
  EXPECT_NE(find<TellTookOver>(actions), nullptr);
  EXPECT_NE(find<EndSession>(actions), nullptr);
  EXPECT_EQ(find<Load>(actions), nullptr) << "it is loaded already";
  EXPECT_NE(find<AcquireResources>(actions), nullptr);
  EXPECT_NE(find<secondary::Run>(step(Acquired{})), nullptr);
}

TEST_F(HandoverTest, ACheckpointThatIsNotTheCommittedOneIsNotLoaded) {
  stand_by();
  EXPECT_NE(find<TellLoadFailed>(asked(2)), nullptr);
  EXPECT_TRUE(is<Standby>());
}

TEST_F(HandoverTest, ALoadThatFailsIsToldAndTheStandbyReplaced) {
  load_it();
  const auto actions = step(LoadFailed{error});
  EXPECT_NE(find<TellLoadFailed>(actions), nullptr);
  EXPECT_NE(find<PrepareStandby>(actions), nullptr);
  EXPECT_TRUE(is<Standby>());
}

TEST_F(HandoverTest, AStandbyThatDiesWhileLoadedIsToldAndALateGoIsIgnored) {
  have_loaded();
  EXPECT_NE(find<TellLoadFailed>(step(StandbyFailed{error})), nullptr);
  EXPECT_TRUE(step(GoAsked{session}).empty());
  EXPECT_TRUE(is<Standby>());
}

TEST_F(HandoverTest, ACancelUsesTheLoadedStandbyUp) {
  have_loaded();
  EXPECT_NE(find<PrepareStandby>(step(CancelAsked{session, "no"})), nullptr);
  EXPECT_TRUE(is<Standby>());
  EXPECT_NE(find<StartFlush>(step(StandbyReady{})), nullptr);
}

TEST_F(HandoverTest, ACancelDuringTheLoadWaitsForItsEnd) {
  load_it();
  EXPECT_TRUE(step(CancelAsked{session, "no"}).empty());
  EXPECT_EQ(find<StartFlush>(staged(2)), nullptr) << "nothing else touches it meanwhile";
  EXPECT_NE(find<PrepareStandby>(step(Loaded{})), nullptr);
}

TEST_F(HandoverTest, ACheckpointThatArrivesMeansThatTheGuestRunsOn) {
  have_loaded();
  const auto actions = staged(2);
  EXPECT_NE(find<Acknowledge>(actions), nullptr);
  EXPECT_NE(find<PrepareStandby>(actions), nullptr);
  EXPECT_EQ(find<StartFlush>(actions), nullptr) << "it would mix two checkpoints";
  EXPECT_TRUE(is<Standby>());
}

TEST_F(HandoverTest, APrimaryThatDiesWhileItIsLoadedIsTakenOverWithoutAnotherLoad) {
  have_loaded();
  EXPECT_NE(find<StartClaim>(gone()), nullptr);
  const auto actions = won();
  EXPECT_EQ(find<Load>(actions), nullptr);
  EXPECT_NE(find<AcquireResources>(actions), nullptr);
}

TEST_F(HandoverTest, APrimaryThatDiesDuringTheLoadIsTakenOverByThatLoad) {
  load_it();
  gone();
  EXPECT_EQ(find<Load>(won()), nullptr);
  EXPECT_EQ(takeover_step(), Step::loading);
  EXPECT_NE(find<AcquireResources>(step(Loaded{})), nullptr);
}

TEST_F(HandoverTest, ALostClaimUsesTheLoadedStandbyUp) {
  have_loaded();
  step(GoAsked{session});
  const auto actions = lost();
  EXPECT_NE(find<EndSession>(actions), nullptr);
  EXPECT_NE(find<PrepareStandby>(actions), nullptr);
  EXPECT_EQ(find<TellTookOver>(actions), nullptr);
  EXPECT_EQ(core.keeps(), Keeps::base);
}

TEST_F(HandoverTest, AnUnansweredClaimIsToldSoThatTheSourceClaimsToo) {
  have_loaded();
  step(GoAsked{session});
  EXPECT_NE(find<EndSession>(step(ClaimUnanswered{error})), nullptr);
  EXPECT_NE(find<StartClaim>(tick_at_deadline()), nullptr);
}

TEST_F(HandoverTest, WordsOfAnotherSessionAreIgnored) {
  have_loaded();
  EXPECT_TRUE(step(GoAsked{Session{9}}).empty());
  EXPECT_TRUE(step(CancelAsked{Session{9}, "no"}).empty());
  EXPECT_TRUE(step(HandoverAsked{Session{9}, Epoch{1}}).empty());
  EXPECT_EQ(at(), Handover::loaded);
}

TEST_F(HandoverTest, ASilenceWhileItIsLoadedIsASuspicionLikeAnyOther) {
  have_loaded();
  step(PeerSuspected{session, error, false});
  EXPECT_TRUE(core.loaded());
  EXPECT_NE(find<StartClaim>(tick_at_deadline()), nullptr);
  EXPECT_EQ(find<Load>(won()), nullptr);
}

TEST_F(HandoverTest, TheOperatorMayTakeOverOnTheWay) {
  load_it();
  EXPECT_NE(find<StartClaim>(step(TakeoverAsked{})), nullptr);
}

TEST_F(HandoverTest, AStopOnTheWayEndsTheSessionAndClaimsNothing) {
  have_loaded();
  const auto actions = step(StopAsked{});
  EXPECT_NE(find<EndSession>(actions), nullptr);
  EXPECT_EQ(find<StartClaim>(actions), nullptr);
  EXPECT_NE(find<Exit>(actions), nullptr);
}

}  // namespace
}  // namespace colo::secondary
