// The link is lost and comes back, with both sides alive: only what changed is sent, and within the
// grace nobody claims.
#include <csignal>

#include "tests/e2e/pair_fixture.h"

namespace colo::e2e {
namespace {

Settings cut_soon(const std::string& grace) {
  Settings settings;
  settings.relay = true;
  settings.lost_after = "1s";
  settings.grace = grace;
  settings.memory_mib = 64;
  return settings;
}

constexpr std::uint64_t all_pages = 64U * 256;

bool waits_for_its_peer(const app::Status& status) { return status.state == State::reconnecting; }

TEST(Reconnect, WithinTheGraceNobodyClaimsAndTheDifferenceIsEnough) {
  Pair pair(cut_soon("60s"));
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  EXPECT_FALSE(pair.status(alpha).session->resumed);
  const std::uint64_t before = pair.status(alpha).epoch;
  pair.relay().cut();
  ASSERT_TRUE(pair.shows(alpha, "that it waits", waits_for_its_peer));
  ASSERT_TRUE(pair.shows(beta, "that it waits", waits_for_its_peer));
  const app::Status waiting = pair.status(alpha);
  EXPECT_THAT(waiting.reason, HasSubstr("output is held"));
  EXPECT_THAT(waiting.next, HasSubstr("--host beta"));
  EXPECT_TRUE(waiting.guest->running);
  EXPECT_THAT(pair.status(beta).reason, HasSubstr("this host claims from checkpoint"));
  pair.relay().mend();
  ASSERT_TRUE(pair.protected_by(alpha));
  ASSERT_TRUE(pair.answers());
  const app::Status back = pair.status(alpha);
  EXPECT_EQ(back.generation, 1U);
  ASSERT_TRUE(back.session);
  EXPECT_TRUE(back.session->resumed);
  EXPECT_GE(back.session->base_epoch, before);
  EXPECT_GT(back.epoch, back.session->base_epoch);
  ASSERT_TRUE(back.session->difference_pages);
  EXPECT_LT(*back.session->difference_pages, all_pages / 2);
  EXPECT_FALSE(back.takeover) << "nothing was lost";
  EXPECT_TRUE(pair.owned(alpha, "alpha"));
  // What was resumed can be taken over from.
  pair.kill(alpha);
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Reconnect, BehindTheGraceOneSideClaimsAndTheGuestGoesOn) {
  Pair pair(cut_soon("1s"));
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  pair.relay().cut();
  ASSERT_TRUE(wait_until([&] {
    return pair.status(alpha).state == State::solo || pair.status(beta).state == State::solo;
  }));
  const std::string winner = pair.status(alpha).state == State::solo ? alpha : beta;
  ASSERT_TRUE(pair.answers());
  pair.relay().mend();
  ASSERT_TRUE(pair.protected_by(winner));
  EXPECT_TRUE(pair.owned(winner, "alpha " + winner));
  // The primary went on: what the secondary has is still a base.
  if (winner == alpha) {
    const auto session = pair.status(alpha).session;
    EXPECT_TRUE(session && session->resumed);
    EXPECT_LT(session->difference_pages.value_or(all_pages), all_pages / 2);
  }
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Reconnect, ASecondaryThatStoodStillGetsTheDifference) {
  Settings settings = cut_soon("0ms");
  settings.relay = false;
  Pair pair(settings);
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  pair.send_signal(beta, SIGSTOP);
  ASSERT_TRUE(pair.goes_on_at(alpha));
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  pair.send_signal(beta, SIGCONT);
  ASSERT_TRUE(pair.protected_by(alpha));
  const auto session = pair.status(alpha).session;
  ASSERT_TRUE(session);
  EXPECT_TRUE(session->resumed);
  EXPECT_LT(session->difference_pages.value_or(all_pages), all_pages / 2);
  pair.kill(alpha);
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Reconnect, APrimaryThatIsKilledDuringTheGraceIsTakenOverFromWhenItIsOver) {
  Pair pair(cut_soon("2s"));
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  pair.relay().cut();
  ASSERT_TRUE(pair.shows(beta, "that it waits", waits_for_its_peer));
  pair.kill(alpha);
  ASSERT_TRUE(pair.becomes(beta, State::solo));
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Reconnect, APeerThatMovedIsDialedWhereTheOperatorSaysItIs) {
  Pair pair;
  pair.start(alpha);
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  const app::HostConfig& there = pair.config().own(alpha);
  const auto heartbeat = there.heartbeat.front().text();
  std::string elsewhere = there.replication.text();
  elsewhere.replace(elsewhere.rfind(':'), std::string::npos, ":9");
  pair.start(beta, pair.changed("moved.toml", "\"" + there.replication.text() + "\"",
                                "\"" + elsewhere + "\""));
  ASSERT_TRUE(pair.shows(beta, "that nobody is there", [](const app::Status& status) {
    return status.reason.find("unreachable") != std::string::npos;
  }));
  const Ran bad = pair.colo("set", beta, "peer=alpha:7700");
  EXPECT_EQ(bad.status, 2);
  EXPECT_THAT(bad.err, HasSubstr("bad-address"));
  const Ran links = pair.colo("set", beta, "peer-heartbeat=" + heartbeat + "," + heartbeat);
  EXPECT_EQ(links.status, 1);
  EXPECT_THAT(links.err, HasSubstr("wrong-count"));
  const Ran said = pair.colo("set", beta, "peer-heartbeat=" + heartbeat);
  EXPECT_EQ(said.status, 0) << said.err;
  const Ran set = pair.colo("set", beta, "peer=" + there.replication.text());
  EXPECT_EQ(set.status, 0) << set.err;
  EXPECT_THAT(set.out, HasSubstr("until this engine ends"));
  EXPECT_TRUE(pair.protected_by(alpha));
}

}  // namespace
}  // namespace colo::e2e
