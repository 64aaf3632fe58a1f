// Both hosts live and cannot hear each other, or one stands still, or the arbiter is away: at most
// one speaks, at every instant, and one goes on.
#include <csignal>

#include "tests/e2e/pair_fixture.h"
#include "tests/e2e/small_disk.h"
#include "tests/e2e/wiretap.h"

namespace colo::e2e {
namespace {

namespace fs = std::filesystem;

Settings quick_to_suspect(bool relay) {
  Settings settings;
  settings.lost_after = "1s";
  settings.relay = relay;
  return settings;
}

std::string other(const std::string& host) { return host == alpha ? beta : alpha; }

// Who of the two runs the guest alone. Empty: nobody, or both.
std::string solo_host(const Pair& pair) {
  const bool a = pair.status(alpha).state == State::solo;
  const bool b = pair.status(beta).state == State::solo;
  return a == b ? "" : a ? alpha : beta;
}

TEST(Partition, ACutLinkLeavesExactlyOneOwnerAndTheOtherSilent) {
  Pair pair(quick_to_suspect(true));
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  pair.relay().cut();
  ASSERT_TRUE(wait_until([&] { return !solo_host(pair).empty(); }));
  const std::string winner = solo_host(pair);
  const std::string loser = other(winner);
  ASSERT_TRUE(pair.answers());
  ASSERT_TRUE(pair.shows(loser, "that it lost", [](const app::Status& status) {
    return status.state == State::joining || status.state == State::lost;
  }));
  EXPECT_TRUE(pair.owned(winner, "alpha " + winner));
  EXPECT_TRUE(pair.conversation_holds());
  Wiretap tap(pair);
  EXPECT_TRUE(tap.hears(winner));
  EXPECT_EQ(tap.frames(loser), 0);
  EXPECT_TRUE(pair.owned(winner, "alpha " + winner));
}

TEST(Partition, APrimaryThatStoodStillTooLongFindsItselfLostAndJoinsInSilence) {
  Pair pair(quick_to_suspect(false));
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  pair.send_signal(alpha, SIGSTOP);
  ASSERT_TRUE(pair.becomes(beta, State::solo));
  ASSERT_TRUE(pair.answers());
  pair.send_signal(alpha, SIGCONT);
  // It learns that it lost, and joins by itself.
  ASSERT_TRUE(pair.protected_by(beta));
  EXPECT_TRUE(pair.logs(alpha, "LOST: beta owns generation 2"));
  ASSERT_TRUE(pair.answers());
  const app::Status lost = pair.status(alpha);
  EXPECT_FALSE(lost.guest && lost.guest->running);
  EXPECT_TRUE(pair.conversation_holds());
  Wiretap tap(pair);
  EXPECT_TRUE(tap.hears(beta));
  EXPECT_EQ(tap.frames(alpha), 0);
}

TEST(Partition, ASecondaryThatStoodStillTooLongLearnsItAndJoinsAgain) {
  Pair pair(quick_to_suspect(false));
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  pair.send_signal(beta, SIGSTOP);
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  ASSERT_TRUE(pair.answers());
  pair.send_signal(beta, SIGCONT);
  ASSERT_TRUE(pair.becomes(alpha, State::protected_));
  ASSERT_TRUE(pair.becomes(beta, State::standby));
  EXPECT_TRUE(pair.owned(alpha, "alpha alpha"));
  pair.kill(alpha);
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Partition, StatusAnswersWhileThePeerStandsStill) {
  Pair pair;  // the silence is shorter than what counts as a loss
  pair.protect();
  pair.send_signal(beta, SIGSTOP);
  // ask_engine() waits for a bounded time only; an engine that waits for its peer would exceed it.
  for (int i = 0; i < 5; ++i) {
    const auto reply = pair.ask(alpha, {});
    EXPECT_TRUE(reply && reply->status);
    const Ran checkpoint = pair.colo("checkpoint", alpha);
    EXPECT_TRUE(checkpoint.status == 0 || !checkpoint.err.empty());
  }
  pair.send_signal(beta, SIGCONT);
  EXPECT_TRUE(pair.becomes(alpha, State::protected_));
  EXPECT_TRUE(pair.becomes(beta, State::standby));
}

// Takes the arbiter's directory away, as storage that fails does, and brings it back.
class ArbiterAway {
 public:
  explicit ArbiterAway(const Pair& pair)
      : here_(pair.folder().arbiter()), away_(pair.folder().path() / "arbiter-away") {
    fs::rename(here_, away_);
  }
  void back() const { fs::rename(away_, here_); }

 private:
  fs::path here_, away_;
};

TEST(Partition, WithoutTheArbiterProtectionGoesOn) {
  Pair pair;
  pair.protect();
  pair.talk();
  const ArbiterAway arbiter(pair);
  ASSERT_TRUE(pair.answers(30));
  EXPECT_EQ(pair.status(alpha).state, State::protected_);
  EXPECT_EQ(pair.status(beta).state, State::standby);
  arbiter.back();
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Partition, WithoutTheArbiterAPrimaryThatLostItsPeerHoldsItsOutputUntilItIsBack) {
  Pair pair;
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  const ArbiterAway arbiter(pair);
  pair.kill(beta);
  ASSERT_TRUE(pair.becomes(alpha, State::claiming));
  ASSERT_TRUE(pair.shows(alpha, "why nobody answers", [](const app::Status& status) {
    return status.reason.find("arbiter-unreachable") != std::string::npos ||
           status.reason.find("arbiter") != std::string::npos;
  }));
  // What the guest says now is held, not lost and not sent.
  ASSERT_TRUE(pair.shows(alpha, "held output", [](const app::Status& status) {
    return status.hold && status.hold->packets > 0;
  }));
  const app::Status claiming = pair.status(alpha);
  EXPECT_TRUE(claiming.guest && claiming.guest->running) << "the guest outlives its replica";
  EXPECT_THAT(claiming.next, HasSubstr(pair.folder().arbiter().string()));
  const std::int64_t now = demo::unix_now_ns();
  ASSERT_TRUE(pair.shows(alpha, "more held output", [&](const app::Status& status) {
    return status.hold && status.hold->packets > claiming.hold->packets;
  }));
  EXPECT_FALSE(pair.talking().first_reply_since(now));
  arbiter.back();
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.owned(alpha, "alpha alpha"));
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Partition, WithoutTheArbiterASecondaryWaitsWithItsTakeover) {
  Pair pair;
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  const ArbiterAway arbiter(pair);
  pair.kill(alpha);
  ASSERT_TRUE(pair.becomes(beta, State::claiming));
  ASSERT_TRUE(pair.shows(beta, "why nobody answers", [](const app::Status& status) {
    return status.reason.find("arbiter") != std::string::npos && !status.next.empty();
  }));
  arbiter.back();
  ASSERT_TRUE(pair.becomes(beta, State::solo));
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.owned(beta, "alpha beta"));
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Partition, AFullArbiterAnswersNobodyUntilThereIsRoomAgain) {
  Pair pair;
  const SmallDisk disk(pair.folder().arbiter());
  if (!disk.mounted()) GTEST_SKIP() << "needs root, to mount a small disk";
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  disk.fill();
  pair.kill(alpha);
  ASSERT_TRUE(pair.shows(beta, "the full disk", [](const app::Status& status) {
    return status.state == State::claiming &&
           status.reason.find("No space left on device") != std::string::npos;
  }));
  disk.make_room();
  ASSERT_TRUE(pair.becomes(beta, State::solo));
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.owned(beta, "alpha beta"));
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Partition, ACutLinkWithoutTheArbiterKeepsBothSilentUntilOneWins) {
  Pair pair(quick_to_suspect(true));
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  const ArbiterAway arbiter(pair);
  pair.relay().cut();
  ASSERT_TRUE(pair.becomes(alpha, State::claiming));
  ASSERT_TRUE(pair.becomes(beta, State::claiming));
  arbiter.back();
  ASSERT_TRUE(wait_until([&] { return !solo_host(pair).empty(); }));
  const std::string winner = solo_host(pair);
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.conversation_holds());
  EXPECT_TRUE(pair.owned(winner, "alpha " + winner));
  Wiretap tap(pair);
  EXPECT_TRUE(tap.hears(winner));
  EXPECT_EQ(tap.frames(other(winner)), 0);
}

TEST(Partition, AnEngineThatStartsWithoutTheArbiterWaitsAndSaysWhy) {
  Pair pair;
  pair.start(alpha);
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  pair.kill(alpha);
  pair.start(beta);
  ASSERT_TRUE(pair.becomes(beta, State::joining));
  const app::Status joining = pair.status(beta);
  EXPECT_EQ(joining.role, "secondary");
  EXPECT_NE(joining.reason, "");
  EXPECT_EQ(pair.end(beta), "exit status 0");
}

TEST(Partition, SettingsOfARunningEngineWork) {
  Pair pair;
  pair.protect();
  EXPECT_EQ(pair.status(alpha).delay_ms, 50);
  const Ran set = pair.colo("set", alpha, "delay=20ms");
  EXPECT_EQ(set.status, 0) << set.err;
  EXPECT_EQ(pair.status(alpha).delay_ms, 20);
  EXPECT_EQ(pair.colo("set", beta, "delay=20ms").status, 1);
  // A delay of a minute, and still a checkpoint at once when it is asked for.
  EXPECT_EQ(pair.colo("set", alpha, "delay=60s").status, 0);
  const std::uint64_t before = pair.status(alpha).epoch;
  const Ran checkpoint = pair.colo("checkpoint", alpha);
  EXPECT_EQ(checkpoint.status, 0) << checkpoint.err;
  EXPECT_TRUE(pair.shows(alpha, "another checkpoint",
                         [&](const app::Status& status) { return status.epoch > before; }));
  const Ran json = pair.colo("status", alpha, "--json");
  EXPECT_EQ(json.status, 0);
  EXPECT_THAT(json.out, HasSubstr("\"state\":\"PROTECTED\""));
  const Ran text = pair.colo("status", beta);
  EXPECT_EQ(text.status, 0);
  EXPECT_THAT(text.out, testing::StartsWith("STANDBY: "));
}

}  // namespace
}  // namespace colo::e2e
