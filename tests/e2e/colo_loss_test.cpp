// COLO mode where it does not go well: the arbiter decides for the replica's side, the replica
// writes too much, the guests agree on nothing, the guest itself dies.
#include <algorithm>

#include "guest/embedded/ledger.h"
#include "tests/e2e/asker.h"
#include "tests/e2e/comparing.h"
#include "tests/e2e/wiretap.h"

namespace colo::e2e {
namespace {

TEST(ColoLoss, AReplicaWhoseSideWinsTheCutOpensItsGateWithEveryConversation) {
  Settings settings = comparing();
  settings.lost_after = "1s";
  settings.relay = true;
  settings.hides_arbiter = true;
  Pair pair(settings);
  pair.protect();
  ASSERT_TRUE(compares(pair, alpha));
  pair.talk();
  ASSERT_TRUE(releases_by_comparing(pair, alpha));
  ASSERT_TRUE(pair.folder().hide_arbiter(alpha));
  pair.relay().cut();
  ASSERT_TRUE(pair.becomes(beta, State::solo));
  ASSERT_TRUE(pair.answers(50));
  EXPECT_TRUE(pair.logs(beta, "with the replica that runs"));
  // The loser learns it as soon as it can, and joins as the winner's secondary.
  ASSERT_TRUE(pair.folder().show_arbiter(alpha));
  ASSERT_TRUE(pair.logs(alpha, "LOST: beta owns generation 2"));
  pair.relay().mend();
  ASSERT_TRUE(compares(pair, beta));
  ASSERT_TRUE(releases_by_comparing(pair, beta));
  EXPECT_TRUE(pair.owned(beta, "alpha beta"));
  EXPECT_TRUE(pair.conversation_holds());
  Wiretap tap(pair);
  EXPECT_TRUE(tap.hears(beta));
  EXPECT_EQ(tap.frames(alpha), 0);
}

TEST(ColoLoss, AReplicaAtItsLimitWaitsForTheNextCheckpointAndIsStillTakenOver) {
  Settings settings = comparing();
  settings.memory_mib = 64;
  settings.dirty_pages_per_second = 3000;  // what checkpoints can follow under sanitizers
  settings.more += "diverged_limit = \"1MiB\"\n";
  Pair pair(settings);
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.logs(beta, "asking for a checkpoint: the replica wrote"));
  ASSERT_TRUE(pair.logs(beta, "waits for the next one: it wrote"));
  const std::uint64_t epoch = pair.status(alpha).epoch;
  ASSERT_TRUE(pair.shows(alpha, "checkpoints that go on",
                         [&](const app::Status& status) { return status.epoch >= epoch + 3; }));
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.owned(alpha, "alpha")) << "a limit costs no session";
  pair.kill(alpha);
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.conversation_holds());
}

// What makes one of two equal guests crash makes the other crash too. Nobody goes back to where the
// replica began: clients have heard what it said since. An operator has the guest booted anew.
TEST(ColoLoss, AGuestThatCrashesOnBothHostsIsBootedAnewByAnOperator) {
  Pair pair(comparing());
  pair.protect();
  ASSERT_TRUE(compares(pair, alpha));
  crash_guest(pair, alpha);
  EXPECT_TRUE(pair.logs(alpha, "crashed"));
  EXPECT_TRUE(pair.logs(beta, "crashed"));
  std::string owner = alpha;
  ASSERT_TRUE(pair.shows(beta, "that nothing runs there", [&](const app::Status& status) {
    if (status.state == State::failed) owner = beta;  // it had claimed before its replica ended
    return owner == beta || status.state == State::joining;
  }));
  EXPECT_EQ(pair.status(alpha).state, State::ended);
  pair.kill(beta);
  pair.kill(alpha);
  pair.start(alpha);
  pair.start(beta);
  ASSERT_TRUE(pair.becomes(owner, State::waiting));
  const Ran ran = pair.colo("takeover", owner);
  EXPECT_EQ(ran.status, 0) << ran.err;
  ASSERT_TRUE(compares(pair, owner));
  pair.talk();
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(ColoLoss, AutoHoldsPeriodicallyWhileTheGuestsAgreeOnNothingAndThenComparesAgain) {
  Settings settings = comparing();
  settings.mode = "auto";
  Pair pair(settings);
  pair.protect();
  ASSERT_TRUE(compares(pair, alpha));
  {
    Asker asker(pair);
    ASSERT_TRUE(wait_until([&] {
      EXPECT_TRUE(asker.steps());
      const auto mode = pair.status(alpha).effective_mode;
      return mode && mode->reason.find("had to be replaced") != std::string::npos;
    }));
    EXPECT_EQ(pair.status(alpha).effective_mode->mode, "periodic");
    EXPECT_TRUE(asker.steps()) << "periodic lets out what the guests disagree about";
  }
  pair.talk();
  ASSERT_TRUE(compares(pair, alpha));
  ASSERT_TRUE(releases_by_comparing(pair, alpha));
  EXPECT_TRUE(pair.owned(alpha, "alpha")) << "no change of the mode costs a session";
  EXPECT_TRUE(pair.conversation_holds());
}

}  // namespace
}  // namespace colo::e2e
