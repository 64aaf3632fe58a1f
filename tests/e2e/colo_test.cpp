// COLO mode: both guests run, what both say leaves at once, and the one beside goes on from where
// it is when the other is lost.
#include <csignal>

#include "tests/e2e/asker.h"
#include "tests/e2e/comparing.h"
#include "tests/e2e/wiretap.h"

namespace colo::e2e {
namespace {

TEST(Colo, WhatBothGuestsSayLeavesWithoutACheckpoint) {
  Pair pair(comparing());
  pair.protect();
  ASSERT_TRUE(compares(pair, alpha));
  const std::uint64_t epoch = pair.status(alpha).epoch;
  pair.talk();
  ASSERT_TRUE(pair.answers(50));
  ASSERT_TRUE(releases_by_comparing(pair, alpha));
  EXPECT_EQ(pair.status(alpha).epoch, epoch) << "a checkpoint was taken";
  const app::Status beside = pair.status(beta);
  ASSERT_TRUE(beside.replica);
  EXPECT_TRUE(beside.replica->running);
  EXPECT_EQ(beside.replica->epoch, epoch);
  EXPECT_TRUE(beside.guest && beside.guest->running);
  EXPECT_TRUE(pair.conversation_holds());
  Wiretap tap(pair);
  EXPECT_TRUE(tap.hears(alpha));
  EXPECT_EQ(tap.frames(beta), 0) << "the replica speaks to the network";
}

TEST(Colo, AReplyThatDiffersCostsACheckpointAndArrives) {
  Pair pair(comparing());
  pair.protect();
  ASSERT_TRUE(compares(pair, alpha));
  Asker asker(pair);
  std::uint64_t last = 0;
  // Both may happen to have made as many: then it leaves as equal, and the next one is asked for.
  for (std::uint64_t wanted = 1; wanted <= 3; ++wanted) {
    ASSERT_TRUE(wait_until([&] {
      const auto steps = asker.steps();
      EXPECT_TRUE(steps);
      EXPECT_GE(steps.value_or(0), last);
      last = steps.value_or(last);
      return !steps || checkpoints(pair.status(alpha), "different") >= wanted;
    }));
    ASSERT_TRUE(compares(pair, alpha));
  }
  EXPECT_TRUE(pair.logs(alpha, "a checkpoint is asked for: "));
}

TEST(Colo, TheReplicaGoesOnWhereItIsWhenThePrimaryIsKilled) {
  Pair pair(comparing());
  pair.protect();
  ASSERT_TRUE(compares(pair, alpha));
  pair.talk();
  ASSERT_TRUE(pair.answers(50));
  ASSERT_TRUE(releases_by_comparing(pair, alpha));
  pair.kill(alpha);
  ASSERT_TRUE(pair.answers());
  ASSERT_TRUE(pair.becomes(beta, State::solo));
  EXPECT_TRUE(pair.owned(beta, "alpha beta"));
  EXPECT_TRUE(pair.logs(beta, "with the replica that runs"));
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Colo, ACutLinkLeavesOneOwnerAndTheConversationWhole) {
  Settings settings = comparing();
  settings.lost_after = "1s";
  settings.relay = true;
  Pair pair(settings);
  pair.protect();
  ASSERT_TRUE(compares(pair, alpha));
  pair.talk();
  ASSERT_TRUE(pair.answers(50));
  pair.relay().cut();
  ASSERT_TRUE(wait_until([&] {
    return (pair.status(alpha).state == State::solo) != (pair.status(beta).state == State::solo);
  }));
  const std::string winner = pair.status(alpha).state == State::solo ? alpha : beta;
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.owned(winner, "alpha " + winner));
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Colo, ALostReplicaCostsTheProtectionOnlyAndANewOneComes) {
  Pair pair(comparing());
  pair.protect();
  ASSERT_TRUE(compares(pair, alpha));
  pair.talk();
  ASSERT_TRUE(pair.answers());
  pair.kill(beta);
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  ASSERT_TRUE(pair.answers());
  pair.start(beta);
  ASSERT_TRUE(compares(pair, alpha));
  ASSERT_TRUE(releases_by_comparing(pair, alpha));
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Colo, ASurvivorIsComparedAgainAndLostAgain) {
  Pair pair(comparing());
  pair.protect();
  ASSERT_TRUE(compares(pair, alpha));
  pair.talk();
  std::string from = alpha;
  std::string to = beta;
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(pair.answers(20));
    pair.kill(from);
    ASSERT_TRUE(pair.becomes(to, State::solo));
    pair.start(from);
    ASSERT_TRUE(compares(pair, to));
    ASSERT_TRUE(releases_by_comparing(pair, to));
    std::swap(from, to);
  }
  EXPECT_TRUE(pair.owned(beta, "alpha beta alpha beta"));
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Colo, TheModeIsChangedWhileTheGuestRuns) {
  Settings settings = comparing();
  settings.mode = "periodic";
  Pair pair(settings);
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  EXPECT_FALSE(pair.status(alpha).effective_mode);
  EXPECT_EQ(pair.colo("set", alpha, "mode=colo").status, 0);
  ASSERT_TRUE(compares(pair, alpha));
  ASSERT_TRUE(releases_by_comparing(pair, alpha));
  EXPECT_EQ(pair.colo("set", alpha, "mode=periodic").status, 0);
  ASSERT_TRUE(pair.shows(beta, "no replica", [](const app::Status& status) {
    return status.state == State::standby && !status.replica;
  }));
  const std::uint64_t epoch = pair.status(alpha).epoch;
  ASSERT_TRUE(pair.shows(alpha, "periodic checkpoints",
                         [&](const app::Status& status) { return status.epoch >= epoch + 5; }));
  ASSERT_TRUE(pair.answers());
  EXPECT_EQ(pair.colo("set", alpha, "mode=colo").status, 0);
  ASSERT_TRUE(compares(pair, alpha));
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.owned(alpha, "alpha")) << "no change of the mode costs a session";
  pair.kill(alpha);
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.conversation_holds());
}

// A checkpoint and the word that it is not to be run come by different lanes.
TEST(Colo, TheModeIsChangedFasterThanReplicasStart) {
  Settings settings = comparing();
  settings.mode = "periodic";
  Pair pair(settings);
  pair.protect();
  pair.talk();
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(pair.colo("set", alpha, i % 2 == 0 ? "mode=colo" : "mode=periodic").status, 0);
    ASSERT_TRUE(pair.answers(3));
  }
  EXPECT_EQ(pair.colo("set", alpha, "mode=colo").status, 0);
  ASSERT_TRUE(compares(pair, alpha));
  EXPECT_TRUE(pair.owned(alpha, "alpha")) << "no change of the mode costs a session";
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Colo, ASwitchoverMovesTheGuestWhoseReplicaRunsThere) {
  Pair pair(comparing());
  pair.protect();
  ASSERT_TRUE(compares(pair, alpha));
  pair.talk();
  ASSERT_TRUE(pair.answers());
  const Ran ran = pair.colo("switchover", alpha);
  EXPECT_EQ(ran.status, 0) << ran.err;
  ASSERT_TRUE(pair.protected_by(beta));
  ASSERT_TRUE(compares(pair, beta));
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Colo, EqualGuestsAreStillBroughtTogetherNowAndThen) {
  Settings settings = comparing();
  settings.more = "\n[colo]\nmax_interval = \"200ms\"\nsilence = \"2s\"\nbehind = \"10s\"\n";
  Pair pair(settings);
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.shows(alpha, "checkpoints for the interval", [](const app::Status& status) {
    return checkpoints(status, "interval") >= 5;
  }));
  ASSERT_TRUE(pair.answers());
  ASSERT_TRUE(releases_by_comparing(pair, alpha));
  pair.kill(alpha);
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Colo, AReplicaThatWritesMuchIsReplaced) {
  Settings settings = comparing();
  settings.memory_mib = 64;
  settings.dirty_pages_per_second = 2000;
  settings.more += "diverged_limit = \"1MiB\"\n";
  Pair pair(settings);
  pair.protect();
  pair.talk();
  ASSERT_TRUE(
      pair.shows(alpha, "checkpoints that the replica needed",
                 [](const app::Status& status) { return checkpoints(status, "peer-asked") >= 3; }));
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.logs(beta, "colo.diverged_limit"));
  EXPECT_TRUE(pair.conversation_holds());
}

// An incarnation runs once: what it said is in no other guest's past.
TEST(Colo, ACheckpointThatWasRunIsOnlyABaseForTheNextEngine) {
  Pair pair(comparing());
  pair.protect();
  ASSERT_TRUE(compares(pair, alpha));
  pair.talk();
  ASSERT_TRUE(pair.answers());
  pair.send_signal(alpha, SIGSTOP);  // it must not claim behind beta's end
  pair.kill(beta);
  pair.kill(alpha);
  pair.start(beta);
  EXPECT_TRUE(pair.logs(beta, "it saves copying what has not changed"));
  EXPECT_TRUE(pair.becomes(beta, State::joining));
  EXPECT_TRUE(pair.owned(beta, "alpha"));
}

}  // namespace
}  // namespace colo::e2e
