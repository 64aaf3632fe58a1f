// A session with a secondary, checkpoint by checkpoint.
#include "tests/primary/driver.h"

namespace colo::primary {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SessionTest : public testing::CoreTest {};

TEST_F(SessionTest, TheFirstCheckpointBeginsTheHoldAndItsAcknowledgementProtects) {
  boot();
  EXPECT_NE(find<AcceptPeer>(step(PeerAsks{session, "beta"})), nullptr);
  const auto first = step(BulkAttached{session});
  ASSERT_NE(find<SendPass>(first), nullptr);
  EXPECT_TRUE(find<SendPass>(first)->first);
  const auto capture = step(PassEnded{session, 10});
  ASSERT_NE(find<Capture>(capture), nullptr);
  EXPECT_TRUE(find<Capture>(capture)->begins_hold);
  EXPECT_TRUE(step(Captured{session, Epoch{1}}).empty());
  const auto released = acknowledged(1);
  ASSERT_NE(find<Release>(released), nullptr);
  EXPECT_EQ(find<Release>(released)->up_to, Epoch{1});
  EXPECT_TRUE(is<Protected>());
}

TEST_F(SessionTest, PassesRepeatWhileTheyFindMuchButNotForEver) {
  boot();
  step(PeerAsks{session, "beta"});
  step(BulkAttached{session});
  std::uint32_t passes = 1;
  while (find<SendPass>(step(PassEnded{session, 1'000'000})) != nullptr) ++passes;
  EXPECT_EQ(passes, CoreConfig{}.passes_first);
}

TEST_F(SessionTest, TheNextCheckpointComesAfterTheDelay) {
  protect();
  ASSERT_TRUE(core.deadline());
  EXPECT_EQ(*core.deadline() - now, CoreConfig{}.delay);
  wait(CoreConfig{}.delay);
  const auto actions = step(Tick{});
  ASSERT_NE(find<SendPass>(actions), nullptr);
  EXPECT_EQ(find<SendPass>(actions)->epoch, Epoch{2});
}

TEST_F(SessionTest, AnAcknowledgementThatOvertakesCapturedIsNotAnError) {
  protect();
  begin_capture();
  EXPECT_TRUE(acknowledged(2).empty());  // nothing is released before the cut is certain
  EXPECT_TRUE(is<Protected>());
  const auto actions = step(Captured{session, Epoch{2}});
  ASSERT_NE(find<Release>(actions), nullptr);
  EXPECT_EQ(find<Release>(actions)->up_to, Epoch{2});
}

TEST_F(SessionTest, ALinkThatCrawlsIsGivenUpSoThatOutputDoesNotWaitForEver) {
  protect();
  wait(CoreConfig{}.delay);
  ASSERT_NE(find<SendPass>(step(Tick{})), nullptr);
  wait(CoreConfig{}.answer_timeout);
  const auto actions = step(Tick{});
  EXPECT_NE(find<EndSession>(actions), nullptr);
  EXPECT_NE(find<StartClaim>(actions), nullptr);
}

TEST_F(SessionTest, AGuestThatHangsInItsStandstillDoesNotCostTheSecondary) {
  protect();
  begin_capture();
  wait(10 * CoreConfig{}.answer_timeout);
  EXPECT_TRUE(step(Tick{}).empty());
  step(StandstillEnded{session, Epoch{2}});  // from here on it is the link that is waited for
  wait(CoreConfig{}.answer_timeout);
  EXPECT_NE(find<EndSession>(step(Tick{})), nullptr);
}

TEST_F(SessionTest, TheFirstCopyMayTakeAsLongAsItTakes) {
  boot();
  step(PeerAsks{session, "beta"});
  step(BulkAttached{session});
  EXPECT_FALSE(core.deadline());
  wait(100 * CoreConfig{}.answer_timeout);
  EXPECT_TRUE(step(Tick{}).empty());
}

TEST_F(SessionTest, AfterASessionThatWasGivenUpTheNextOneMustWait) {
  protect();
  wait(CoreConfig{}.delay);
  step(Tick{});
  wait(CoreConfig{}.answer_timeout);
  step(Tick{});
  step(ClaimAnswered{heartbeat::ClaimWon{core.generation().next()}});
  ASSERT_TRUE(is<Solo>());
  const Session next = session.next();
  EXPECT_NE(find<RefusePeer>(step(PeerAsks{next, "beta"})), nullptr);
  wait(CoreConfig{}.setback_first);
  EXPECT_NE(find<AcceptPeer>(step(PeerAsks{next, "beta"})), nullptr);
}

TEST_F(SessionTest, AnAcknowledgementOfACaptureThatFailedEndsTheSession) {
  protect();
  begin_capture();
  acknowledged(2);
  const auto actions = step(CaptureFailed{session, Epoch{2}, {"save-failed", "no", ""}});
  EXPECT_NE(find<EndSession>(actions), nullptr);
  EXPECT_NE(find<StartClaim>(actions), nullptr);
  EXPECT_EQ(find<Release>(actions), nullptr);
}

TEST_F(SessionTest, TheSameAcknowledgementTwiceReleasesOnce) {
  protect();
  const auto actions = acknowledged(1);
  EXPECT_EQ(find<Release>(actions), nullptr);
  EXPECT_TRUE(is<Claiming>());
}

TEST_F(SessionTest, AnAcknowledgementOfAnEndedSessionReleasesNothing) {
  protect();
  begin_capture();
  step(Captured{session, Epoch{2}});
  peer_lost();
  EXPECT_TRUE(acknowledged(2).empty());
  EXPECT_TRUE(is<Claiming>());
}

TEST_F(SessionTest, AnAcknowledgementOfAnotherGenerationReleasesNothing) {
  protect();
  begin_capture();
  step(Captured{session, Epoch{2}});
  const auto actions = step(CommitAcknowledged{session, Generation{7}, Epoch{2}});
  EXPECT_EQ(find<Release>(actions), nullptr);
  EXPECT_TRUE(is<Claiming>());
}

TEST_F(SessionTest, ASecondaryThatDoesNotAcknowledgeDoesNotKeepTheOutput) {
  protect();
  begin_capture();
  step(Captured{session, Epoch{2}});
  wait(CoreConfig{}.answer_timeout);
  EXPECT_NE(find<StartClaim>(step(Tick{})), nullptr);
  EXPECT_NE(find<ReleaseAll>(won()), nullptr);
  EXPECT_TRUE(is<Solo>());
}

TEST_F(SessionTest, CapturesThatFailForEverDoNotHoldTheOutputForEver) {
  protect();
  for (std::uint32_t i = 0; i < CoreConfig{}.capture_attempts; ++i) {
    ASSERT_TRUE(is<Protected>());
    begin_capture();
    step(CaptureFailed{session, Epoch{2}, {"save-failed", "no", ""}});
  }
  EXPECT_TRUE(is<Claiming>());
}

TEST_F(SessionTest, AHoldQueueThatFillsBeforeTheCutAsksForOneCheckpointNotTwo) {
  protect();
  ASSERT_NE(find<SendPass>(step(HoldFull{})), nullptr);
  EXPECT_TRUE(step(HoldFull{}).empty());
  ASSERT_NE(find<Capture>(step(PassEnded{session, 1})), nullptr);
  step(Captured{session, Epoch{2}});
  const auto actions = acknowledged(2);
  EXPECT_NE(find<Release>(actions), nullptr);
  EXPECT_EQ(find<SendPass>(actions), nullptr);
}

TEST_F(SessionTest, AHoldQueueThatFillsAfterTheCutGetsAnotherCheckpointAtOnce) {
  protect();
  begin_capture();
  step(Captured{session, Epoch{2}});
  step(HoldFull{});
  EXPECT_NE(find<SendPass>(acknowledged(2)), nullptr);
}

TEST_F(SessionTest, AShorterDelayCountsAtOnceAlsoWhileAnAcknowledgementIsAwaited) {
  core = Core::start({seconds(60)}, Generation{0});
  protect();
  begin_capture();
  step(Captured{session, Epoch{2}});
  step(DelaySet{milliseconds(50)});
  acknowledged(2);
  EXPECT_EQ(*core.deadline() - now, milliseconds(50));
}

TEST_F(SessionTest, ASecondSecondaryIsRefusedByName) {
  protect();
  const auto actions = step(PeerAsks{Session{2}, "gamma"});
  ASSERT_NE(find<RefusePeer>(actions), nullptr);
  EXPECT_NE(find<RefusePeer>(actions)->error.reason.find("beta"), std::string::npos);
}

TEST_F(SessionTest, EventsOfAnEndedSessionDoNotTouchTheNextOne) {
  protect();
  begin_capture();
  peer_lost();
  won();
  step(PeerAsks{Session{2}, "beta"});
  step(BulkAttached{Session{2}});
  EXPECT_TRUE(step(Captured{session, Epoch{2}}).empty());
  EXPECT_TRUE(step(PassEnded{session, 1}).empty());
  EXPECT_TRUE(acknowledged(1).empty());
  EXPECT_TRUE(peer_lost().empty());
  EXPECT_TRUE(is<Syncing>());
}

TEST_F(SessionTest, ACheckpointWithoutASecondaryIsRefused) {
  boot();
  EXPECT_TRUE(step(CheckpointAsked{}).empty());
  ASSERT_TRUE(core.refusal());
  EXPECT_EQ(core.refusal()->word, "not-protected");
}

}  // namespace
}  // namespace colo::primary
