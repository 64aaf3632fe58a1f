// A host dies: the other goes on, the client's conversation with it, and the pair comes together
// again, in either direction.
#include "tests/e2e/fake_peer.h"
#include "tests/e2e/pair_fixture.h"
#include "tests/e2e/wiretap.h"

namespace colo::e2e {
namespace {

TEST(Takeover, OfAKilledPrimaryKeepsEveryAcknowledgedEntry) {
  Pair pair;
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  pair.kill(alpha);
  ASSERT_TRUE(pair.answers());
  ASSERT_TRUE(pair.becomes(beta, State::solo));
  const app::Status status = pair.status(beta);
  EXPECT_EQ(status.role, "primary");
  EXPECT_EQ(status.generation, 2U);
  EXPECT_TRUE(pair.owned(beta, "alpha beta"));
  ASSERT_TRUE(status.takeover);
  EXPECT_THAT(status.takeover->cause, HasSubstr("alpha"));
  ASSERT_TRUE(status.takeover->detected_unix_ns && status.takeover->claimed_unix_ns &&
              status.takeover->resumed_unix_ns);
  EXPECT_LE(*status.takeover->detected_unix_ns, *status.takeover->claimed_unix_ns);
  EXPECT_LE(*status.takeover->claimed_unix_ns, *status.takeover->resumed_unix_ns);
  EXPECT_THAT(status.next, HasSubstr("run")) << "a lone host says how to get its replica back";
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Takeover, WithoutTlsWorksAsWell) {
  Settings settings;
  settings.tls = false;
  Pair pair(settings);
  pair.protect();
  EXPECT_FALSE(pair.status(alpha).tls);
  pair.talk();
  ASSERT_TRUE(pair.answers());
  pair.kill(alpha);
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Takeover, AKilledSecondaryCostsTheProtectionOnlyAndCanComeBack) {
  Pair pair;
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  pair.kill(beta);
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.owned(alpha, "alpha alpha"));
  EXPECT_FALSE(pair.status(alpha).peer->connected);
  pair.start(beta);
  ASSERT_TRUE(pair.becomes(alpha, State::protected_));
  ASSERT_TRUE(pair.becomes(beta, State::standby));
  ASSERT_TRUE(pair.answers());
  pair.kill(alpha);
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.owned(beta, "alpha alpha beta"));
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Takeover, GoesThereAndBackAndThereAgain) {
  Pair pair;
  pair.protect();
  pair.talk();
  std::string from = alpha;
  std::string to = beta;
  for (int round = 0; round < 3; ++round) {
    ASSERT_TRUE(pair.answers());
    pair.kill(from);
    ASSERT_TRUE(pair.becomes(to, State::solo));
    pair.start(from);
    ASSERT_TRUE(pair.becomes(to, State::protected_));
    ASSERT_TRUE(pair.becomes(from, State::standby));
    std::swap(from, to);
  }
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.owned(beta, "alpha beta alpha beta"));
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Takeover, ASecondaryKilledDuringTheFirstCopyLeavesTheGuestAlone) {
  Settings settings;
  settings.memory_mib = 512;  // a copy that takes a while
  Pair pair(settings);
  pair.start(alpha);
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  pair.talk();
  ASSERT_TRUE(pair.answers());
  pair.start(beta);
  ASSERT_TRUE(pair.shows(alpha, "that the copy began",
                         [](const app::Status& status) { return status.state != State::solo; }));
  pair.kill(beta);
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Takeover, ASecondaryWithoutACompleteCheckpointNeverTakesOver) {
  Settings settings;
  settings.memory_mib = 512;
  Pair pair(settings);
  pair.start(alpha);
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  pair.start(beta);
  ASSERT_TRUE(pair.shows(alpha, "that the copy began",
                         [](const app::Status& status) { return status.state != State::solo; }));
  const bool complete = pair.status(alpha).state == State::protected_;
  pair.kill(alpha);
  if (complete) GTEST_SKIP() << "this machine copied it before the test could look";
  ASSERT_TRUE(pair.shows(beta, "that it dials again", [](const app::Status& status) {
    return status.state == State::joining || status.state == State::solo;
  }));
  if (pair.status(beta).state == State::solo) GTEST_SKIP() << "the copy was complete just in time";
  EXPECT_TRUE(pair.owned(beta, "alpha"));
  const Ran refused = pair.colo("takeover", beta);
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("no-checkpoint"));
}

TEST(Takeover, AKilledSoloPrimaryWaitsForTheOperatorAndBootsAnew) {
  Pair pair;
  pair.start(alpha);
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  pair.kill(alpha);
  pair.start(alpha);
  ASSERT_TRUE(pair.becomes(alpha, State::waiting));
  const app::Status waiting = pair.status(alpha);
  EXPECT_EQ(waiting.role, "none");
  EXPECT_THAT(waiting.reason, HasSubstr("generation 1"));
  EXPECT_THAT(waiting.next, HasSubstr("colo takeover " + pair.folder().config().string()));
  const Ran checkpoint = pair.colo("checkpoint", alpha);
  EXPECT_EQ(checkpoint.status, 1);
  EXPECT_THAT(checkpoint.err, HasSubstr("waiting"));
  const Ran takeover = pair.colo("takeover", alpha);
  EXPECT_EQ(takeover.status, 0) << takeover.err;
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  pair.talk();
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.owned(alpha, "alpha alpha"));
  EXPECT_TRUE(pair.conversation_holds());
}

// Its checkpoint is newer than anything the old primary has: it must be the one that goes on.
TEST(Takeover, APrimaryThatComesBackAtOnceFindsItsSuccessorAndJoins) {
  Pair pair;
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  pair.kill(alpha);
  pair.start(alpha);
  ASSERT_TRUE(pair.becomes(beta, State::protected_));
  ASSERT_TRUE(pair.becomes(alpha, State::standby));
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.owned(alpha, "alpha beta"));
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Takeover, ByTheOperatorWhileThePrimaryLivesSilencesIt) {
  Pair pair;
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  const Ran ran = pair.colo("takeover", beta);
  EXPECT_EQ(ran.status, 0) << ran.err;
  ASSERT_TRUE(pair.goes_on_at(beta));
  // The old primary joins by itself.
  ASSERT_TRUE(pair.protected_by(beta));
  EXPECT_TRUE(pair.logs(alpha, "LOST: beta owns generation 2"));
  EXPECT_FALSE(pair.status(alpha).guest->running);
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.conversation_holds());
  Wiretap tap(pair);
  EXPECT_TRUE(tap.hears(beta));
  EXPECT_EQ(tap.frames(alpha), 0);
}

TEST(Takeover, AskedOfThePrimaryIsRefusedWithTheRightCommand) {
  Pair pair;
  pair.protect();
  const Ran ran = pair.colo("takeover", alpha);
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.err, HasSubstr("already-primary"));
  EXPECT_THAT(ran.err, HasSubstr("colo switchover"));
  const Ran checkpoint = pair.colo("checkpoint", beta);
  EXPECT_EQ(checkpoint.status, 1);
  EXPECT_THAT(checkpoint.err, HasSubstr("--host alpha"));
}

// The new primary cannot listen: its guest runs on, and the status says what keeps replicas away.
TEST(Takeover, WithTheOwnPortTakenByAnotherProgramStillRunsTheGuestAndSaysSo) {
  Pair pair;
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  UniqueFd thief = listen_at(pair.config().own(beta).listen);
  ASSERT_TRUE(thief);
  pair.kill(alpha);
  ASSERT_TRUE(pair.becomes(beta, State::solo));
  ASSERT_TRUE(pair.answers());
  EXPECT_THAT(pair.status(beta).reason, HasSubstr("address-in-use"));
  // As soon as it is free, the pair comes together again.
  thief.reset();
  pair.start(alpha);
  EXPECT_TRUE(pair.becomes(beta, State::protected_));
  EXPECT_TRUE(pair.conversation_holds());
}

}  // namespace
}  // namespace colo::e2e
