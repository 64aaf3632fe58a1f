// What comes after a fault that costs more than one host, or less than one: a link that is mended,
// a short silence, a guest that dies by itself, both hosts down.
#include <csignal>
#include <filesystem>

#include "tests/e2e/pair_fixture.h"
#include "tests/e2e/wiretap.h"

namespace colo::e2e {
namespace {

Settings with_relay(const std::string& lost_after) {
  Settings settings;
  settings.relay = true;
  settings.lost_after = lost_after;
  return settings;
}

// Nothing was heard on any link for so long that a further silence would soon be a loss.
bool is_silent(const app::Status& status) {
  if (!status.peer || status.peer->links.empty()) return false;
  for (const app::LinkStatus& link : status.peer->links) {
    if (link.silence_ms.value_or(0) < 500) return false;
  }
  return true;
}

TEST(Recovery, BeginsInEitherOrder) {
  Pair pair;
  pair.start(beta);
  ASSERT_TRUE(pair.becomes(beta, State::joining));
  const app::Status joining = pair.status(beta);
  EXPECT_THAT(joining.reason, testing::AnyOf(HasSubstr("dialing alpha"), HasSubstr("unreachable")));
  EXPECT_THAT(joining.next, HasSubstr("--host alpha"));
  pair.start(alpha);
  EXPECT_TRUE(pair.becomes(alpha, State::protected_));
  EXPECT_TRUE(pair.becomes(beta, State::standby));
}

TEST(Recovery, AShortCutOfTheLinkIsNoLoss) {
  Pair pair(with_relay("20s"));
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  pair.relay().cut();
  ASSERT_TRUE(pair.shows(alpha, "the silence", is_silent));
  EXPECT_EQ(pair.status(alpha).state, State::protected_);
  pair.relay().mend();
  ASSERT_TRUE(pair.answers());
  EXPECT_EQ(pair.status(alpha).state, State::protected_);
  EXPECT_EQ(pair.status(beta).state, State::standby);
  EXPECT_TRUE(pair.owned(alpha, "alpha"));
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Recovery, APrimaryThatStoodStillForAShortTimeKeepsTheGuest) {
  Settings settings;
  settings.lost_after = "20s";
  Pair pair(settings);
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  pair.send_signal(alpha, SIGSTOP);
  ASSERT_TRUE(pair.shows(beta, "the silence", is_silent));
  pair.send_signal(alpha, SIGCONT);
  ASSERT_TRUE(pair.answers());
  EXPECT_EQ(pair.status(alpha).state, State::protected_);
  EXPECT_EQ(pair.status(beta).state, State::standby);
  EXPECT_TRUE(pair.owned(alpha, "alpha"));
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Recovery, AMendedLinkBringsTheLoserOfTheClaimBack) {
  Pair pair(with_relay("1s"));
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  pair.relay().cut();
  ASSERT_TRUE(wait_until([&] {
    return pair.status(alpha).state == State::solo || pair.status(beta).state == State::solo;
  }));
  const std::string winner = pair.status(alpha).state == State::solo ? alpha : beta;
  const std::string loser = winner == alpha ? beta : alpha;
  pair.relay().mend();
  // Whichever it was before.
  ASSERT_TRUE(pair.becomes(winner, State::protected_));
  ASSERT_TRUE(pair.becomes(loser, State::standby));
  pair.kill(winner);
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.owned(loser, "alpha " + winner + " " + loser));
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Recovery, AGuestThatDiesOnThePrimaryGoesOnAtTheSecondary) {
  Pair pair;
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  crash_guest(pair, alpha);
  ASSERT_TRUE(pair.goes_on_at(beta));
  ASSERT_TRUE(pair.answers());
  EXPECT_THAT(pair.status(beta).takeover->cause, HasSubstr("crashed"));
  EXPECT_TRUE(pair.logs(alpha, "beta was told and takes over"));
  // The engine stays, and joins its successor as soon as that runs.
  EXPECT_TRUE(pair.protected_by(beta));
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Recovery, ASoloGuestThatDiesEndsItsEngineAndTheNextStartBootsIt) {
  Pair pair;
  pair.start(alpha);
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  crash_guest(pair, alpha);
  EXPECT_EQ(pair.wait_for_end(alpha), "exit status 1");
  EXPECT_TRUE(pair.logs(alpha, "crashed"));
  pair.start(alpha);
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  EXPECT_TRUE(pair.owned(alpha, "alpha - alpha"));
}

// The new owner dies before it has a replica: what the old one kept is the only copy left, and only
// the operator can say that nothing newer is wanted.
TEST(Recovery, TheOperatorTakesAKeptGuestBackWhenItsNewOwnerIsGone) {
  Pair pair(with_relay("1s"));
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  pair.relay().cut();
  ASSERT_EQ(pair.colo("takeover", beta).status, 0);
  ASSERT_TRUE(pair.becomes(alpha, State::lost));
  ASSERT_TRUE(pair.becomes(beta, State::solo));
  EXPECT_THAT(pair.status(alpha).next, HasSubstr("colo takeover"));
  pair.kill(beta);
  const Ran taken = pair.colo("takeover", alpha);
  EXPECT_EQ(taken.status, 0) << taken.err;
  ASSERT_TRUE(pair.goes_on_at(alpha));
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.owned(alpha, "alpha beta alpha"));
}

TEST(Recovery, BothHostsDownAtOnceAreBroughtBackByTheOperatorsWord) {
  Pair pair;
  pair.protect();
  pair.send_signal(alpha, SIGKILL);
  pair.send_signal(beta, SIGKILL);
  pair.wait_for_end(alpha);
  pair.wait_for_end(beta);
  // With the hosts goes what the secondary kept in memory.
  std::filesystem::remove_all(pair.folder().checkpoint_directory());
  pair.start(beta);
  pair.start(alpha);
  // Whoever owned it last waits: the other might hold its checkpoint.
  const auto waits = [&](const std::string& host) {
    const auto reply = pair.ask(host, {});
    return reply && reply->status && reply->status->state == State::waiting;
  };
  ASSERT_TRUE(wait_until([&] { return waits(alpha) || waits(beta); }));
  const std::string owner = waits(alpha) ? alpha : beta;
  EXPECT_EQ(pair.colo("takeover", owner).status, 0);
  EXPECT_TRUE(pair.becomes(owner, State::protected_));
  EXPECT_TRUE(pair.becomes(owner == alpha ? beta : alpha, State::standby));
}

}  // namespace
}  // namespace colo::e2e
