// SIGTERM in every state: who goes on, how the engine ends, and what it leaves behind.
#include <csignal>

#include "tests/e2e/pair_fixture.h"

namespace colo::e2e {
namespace {

namespace fs = std::filesystem;

// What an ended engine must not leave: its sockets. (Its lock file stays; memory files have no name
// and go with the process.)
testing::AssertionResult leaves_nothing(const Pair& pair, const std::string& host) {
  for (const auto& entry : fs::recursive_directory_iterator(pair.config().engine_directory(host))) {
    if (entry.is_socket()) return testing::AssertionFailure() << entry.path() << " is left";
  }
  if (fs::exists(pair.engine_cable(host))) {
    return testing::AssertionFailure() << pair.engine_cable(host) << " is left";
  }
  return testing::AssertionSuccess();
}

TEST(Stop, OfAProtectedPrimaryHandsTheGuestOver) {
  Pair pair;
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  EXPECT_EQ(pair.end(alpha), "exit status 0");
  EXPECT_TRUE(leaves_nothing(pair, alpha));
  ASSERT_TRUE(pair.becomes(beta, State::solo));
  ASSERT_TRUE(pair.answers());
  EXPECT_THAT(pair.status(beta).takeover->cause, HasSubstr("stopped by the operator"));
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Stop, OfASecondaryLeavesThePrimaryAlone) {
  Pair pair;
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  EXPECT_EQ(pair.end(beta), "exit status 0");
  EXPECT_TRUE(leaves_nothing(pair, beta));
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  ASSERT_TRUE(pair.answers());
  EXPECT_THAT(pair.status(alpha).reason, HasSubstr("stopped by the operator"));
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Stop, OfASoloPrimaryGivesTheGuestUpAndTheNextStartBootsIt) {
  Pair pair;
  pair.start(alpha);
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  EXPECT_EQ(pair.end(alpha), "exit status 0");
  EXPECT_TRUE(leaves_nothing(pair, alpha));
  pair.start(alpha);
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  EXPECT_TRUE(pair.owned(alpha, "alpha - alpha"));
  EXPECT_EQ(pair.end(alpha), "exit status 0");
}

TEST(Stop, OfASurvivorEndsTheGuestForBothHosts) {
  Pair pair;
  pair.protect();
  pair.kill(alpha);
  ASSERT_TRUE(pair.becomes(beta, State::solo));
  EXPECT_EQ(pair.end(beta), "exit status 0");
  EXPECT_TRUE(leaves_nothing(pair, beta));
  pair.start(beta);
  EXPECT_TRUE(pair.shows(beta, "who boots the guest", [](const app::Status& status) {
    return status.state == State::joining &&
           status.reason.find("nobody owns it; alpha boots it") != std::string::npos &&
           status.next.find("on alpha: colo run") != std::string::npos;
  }));
  EXPECT_EQ(pair.end(beta), "exit status 0");
  // Nobody owns it: the first primary boots it without anybody's word.
  pair.protect();
  EXPECT_TRUE(pair.owned(alpha, "alpha beta - alpha"));
}

TEST(Stop, DuringTheFirstCopyEndsTheGuestAndTheOtherHostDoesNotTakeOver) {
  Settings settings;
  settings.memory_mib = 512;
  Pair pair(settings);
  pair.start(alpha);
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  pair.start(beta);
  ASSERT_TRUE(pair.shows(alpha, "that the copy began",
                         [](const app::Status& status) { return status.state != State::solo; }));
  const bool copying = pair.status(alpha).state == State::syncing;
  EXPECT_EQ(pair.end(alpha), "exit status 0");
  if (!copying) GTEST_SKIP() << "this machine copied it before the test could look";
  ASSERT_TRUE(pair.shows(beta, "that it waits for a primary, or took over just in time",
                         [](const app::Status& status) {
                           return status.state == State::solo ||
                                  (status.state == State::joining && owners(status) == "alpha -");
                         }));
  EXPECT_EQ(pair.end(beta), "exit status 0");
}

TEST(Stop, OfASecondaryDuringTheFirstCopyIsClean) {
  Settings settings;
  settings.memory_mib = 512;
  Pair pair(settings);
  pair.start(alpha);
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  pair.start(beta);
  ASSERT_TRUE(pair.shows(alpha, "that the copy began",
                         [](const app::Status& status) { return status.state != State::solo; }));
  EXPECT_EQ(pair.end(beta), "exit status 0");
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  EXPECT_EQ(pair.end(alpha), "exit status 0");
}

TEST(Stop, OfASecondaryThatFindsNoPrimaryIsClean) {
  Pair pair;
  pair.start(beta);
  ASSERT_TRUE(pair.becomes(beta, State::joining));
  EXPECT_EQ(pair.end(beta), "exit status 0");
  EXPECT_TRUE(leaves_nothing(pair, beta));
}

TEST(Stop, OfAWaitingEngineIsClean) {
  Pair pair;
  pair.start(alpha);
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  pair.kill(alpha);
  pair.start(alpha);
  ASSERT_TRUE(pair.becomes(alpha, State::waiting));
  EXPECT_EQ(pair.end(alpha), "exit status 0");
  EXPECT_TRUE(leaves_nothing(pair, alpha));
}

TEST(Stop, OfALostPrimaryIsClean) {
  Settings settings;
  settings.relay = true;
  settings.lost_after = "1s";
  Pair pair(settings);
  pair.protect();
  // It loses, and does not hear that its successor runs.
  pair.relay().cut();
  EXPECT_EQ(pair.colo("takeover", beta).status, 0);
  ASSERT_TRUE(pair.becomes(alpha, State::lost));
  EXPECT_THAT(pair.status(alpha).reason, HasSubstr("beta owns generation 2"));
  EXPECT_THAT(pair.status(alpha).next, HasSubstr("--host beta"));
  EXPECT_EQ(pair.end(alpha), "exit status 0");
  EXPECT_TRUE(leaves_nothing(pair, alpha));
  EXPECT_EQ(pair.status(beta).state, State::solo);
}

TEST(Stop, WithoutTheArbiterIsWaitedForAndTheSecondSignalEndsIt) {
  Pair pair;
  pair.start(alpha);
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  const fs::path away = pair.folder().path() / "arbiter-away";
  fs::rename(pair.folder().arbiter(), away);
  pair.send_signal(alpha, SIGTERM);
  ASSERT_TRUE(pair.becomes(alpha, State::ended));
  ASSERT_TRUE(pair.shows(alpha, "what it waits for", [](const app::Status& status) {
    return status.reason.find("arbiter") != std::string::npos;
  }));
  EXPECT_EQ(pair.end(alpha), "exit status 0");
  EXPECT_TRUE(leaves_nothing(pair, alpha));
  fs::rename(away, pair.folder().arbiter());
  // Nobody was told that it ended.
  pair.start(alpha);
  EXPECT_TRUE(pair.becomes(alpha, State::waiting));
}

TEST(Stop, OfBothAtOnceEndsBothAndOneOfThemOwnsTheGuestLast) {
  Pair pair;
  pair.protect();
  pair.send_signal(alpha, SIGTERM);
  pair.send_signal(beta, SIGTERM);
  EXPECT_EQ(pair.wait_for_end(alpha), "exit status 0");
  EXPECT_EQ(pair.wait_for_end(beta), "exit status 0");
  EXPECT_TRUE(leaves_nothing(pair, alpha));
  EXPECT_TRUE(leaves_nothing(pair, beta));
}

}  // namespace
}  // namespace colo::e2e
