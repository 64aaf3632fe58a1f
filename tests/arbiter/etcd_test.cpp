// The arbiter against real etcd servers: claims, outages, slowness, lost answers.
#include <gmock/gmock.h>

#include "arbiter/etcd_arbiter.h"
#include "tests/arbiter/etcd_server.h"
#include "tests/arbiter/slow_proxy.h"

namespace colo::arbiter::test {
namespace {

using heartbeat::Claim;
using heartbeat::ClaimLost;
using heartbeat::ClaimWon;
using heartbeat::Ownership;
using testing::HasSubstr;

// True for a claim that was won, and of that generation.
testing::AssertionResult won(const Result<heartbeat::ClaimAnswer>& answer,
                             std::uint64_t generation) {
  if (!answer) return testing::AssertionFailure() << answer.error().text();
  const auto* win = std::get_if<ClaimWon>(&*answer);
  if (win == nullptr) return testing::AssertionFailure() << "lost";
  if (win->generation.value == generation) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "generation " << win->generation.value;
}

// One server for all tests of this kind; each test has a guest of its own.
class EtcdTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    scratch_ = std::make_unique<Scratch>();
    server_ = std::make_unique<EtcdServer>(EtcdServer::Options{scratch_->path()});
    ASSERT_TRUE(ready(settings_of({server_.get()})));
  }
  static void TearDownTestSuite() {
    server_.reset();
    scratch_.reset();
  }
  static EtcdSettings settings() { return settings_of({server_.get()}); }
  static std::string guest() {
    return testing::UnitTest::GetInstance()->current_test_info()->name();
  }
  static EtcdArbiter arbiter() { return {settings(), guest()}; }

  static inline std::unique_ptr<Scratch> scratch_;
  static inline std::unique_ptr<EtcdServer> server_;
};

TEST_F(EtcdTest, FirstClaimWinsTheSecondLosesAndARepeatWinsAgain) {
  auto alpha = arbiter();
  auto beta = arbiter();
  const auto nobody = alpha.current();
  ASSERT_TRUE(nobody) << nobody.error().text();
  EXPECT_EQ(*nobody, Ownership{});
  EXPECT_TRUE(won(alpha.claim({{0}, "alpha", "a1"}), 1));
  const auto lost = beta.claim({{0}, "beta", "b1"});
  ASSERT_TRUE(lost) << lost.error().text();
  EXPECT_EQ(std::get<ClaimLost>(*lost).current, (Ownership{{1}, "alpha", "a1"}));
  EXPECT_TRUE(won(alpha.claim({{0}, "alpha", "a1"}), 1));
  EXPECT_TRUE(won(beta.claim({{1}, "beta", "b1"}), 2));
  EXPECT_TRUE(won(beta.claim({{2}, "", "b1"}), 3));
  EXPECT_EQ(*alpha.current(), (Ownership{{3}, "", "b1"}));
  const auto history = alpha.history();
  ASSERT_TRUE(history) << history.error().text();
  EXPECT_THAT(*history,
              testing::ElementsAre(Ownership{{1}, "alpha", "a1"}, Ownership{{2}, "beta", "b1"},
                                   Ownership{{3}, "", "b1"}));
}

TEST_F(EtcdTest, AnOperatorReadsTheOwnerWithEtcdctl) {
  EXPECT_TRUE(won(arbiter().claim({{0}, "alpha", "a1"}), 1));
  const auto said = server_->ctl({"get", "--print-value-only", "/colo/" + guest() + "/owner"});
  ASSERT_TRUE(said) << said.error().text();
  EXPECT_THAT(*said, HasSubstr("generation 1\nowner alpha\nrun a1\n"));
}

TEST_F(EtcdTest, AClaimFromBeyondWhatEtcdKnowsIsAnError) {
  EXPECT_TRUE(won(arbiter().claim({{0}, "alpha", "a1"}), 1));
  const auto behind = arbiter().claim({{5}, "beta", "b1"});
  ASSERT_FALSE(behind);
  EXPECT_EQ(behind.error().word, "arbiter-behind");
}

TEST_F(EtcdTest, AnAlteredOwnerIsCorruptForBoth) {
  ASSERT_TRUE(server_->ctl({"put", "/colo/" + guest() + "/owner", "alpha"}));
  EXPECT_EQ(arbiter().claim({{0}, "alpha", "a1"}).error().word, "arbiter-corrupt");
  EXPECT_EQ(arbiter().current().error().word, "arbiter-corrupt");
}

TEST_F(EtcdTest, RemovingTheHistoryDoesNotChangeTheOwner) {
  EXPECT_TRUE(won(arbiter().claim({{0}, "alpha", "a1"}), 1));
  EXPECT_TRUE(won(arbiter().claim({{1}, "beta", "b1"}), 2));
  ASSERT_TRUE(server_->ctl({"del", "--prefix", "/colo/" + guest() + "/generation/"}));
  EXPECT_EQ(*arbiter().current(), (Ownership{{2}, "beta", "b1"}));
  EXPECT_THAT(*arbiter().history(), testing::IsEmpty());
  const auto lost = arbiter().claim({{0}, "alpha", "a2"});
  ASSERT_TRUE(lost);
  EXPECT_TRUE(std::holds_alternative<ClaimLost>(*lost));
}

TEST_F(EtcdTest, ALostAnswerIsUnansweredAndTheRepeatTellsWhoWon) {
  SlowProxy proxy(own_ip(), server_->port());
  EtcdSettings through = settings();
  through.endpoints = {proxy.endpoint()};
  through.timeout = std::chrono::milliseconds(1500);
  EtcdArbiter alpha(through, guest());
  // The read passes; the transaction is done and its answer lost.
  proxy.swallow_from(2);
  const auto unanswered = alpha.claim({{0}, "alpha", "a1"});
  ASSERT_FALSE(unanswered);
  EXPECT_EQ(unanswered.error().word, "arbiter-unreachable");
  EXPECT_EQ(proxy.requests(), 2);
  const auto beta = arbiter().claim({{0}, "beta", "b1"});
  ASSERT_TRUE(beta) << beta.error().text();
  EXPECT_TRUE(std::holds_alternative<ClaimLost>(*beta));
  proxy.swallow_from(1 << 20);
  EXPECT_TRUE(won(alpha.claim({{0}, "alpha", "a1"}), 1));
}

TEST_F(EtcdTest, ALostAnswerIsFoundAgainThroughTheNextEndpoint) {
  SlowProxy proxy(own_ip(), server_->port());
  EtcdSettings through = settings();
  through.endpoints = {proxy.endpoint(), server_->endpoint()};
  through.timeout = std::chrono::seconds(4);
  EtcdArbiter alpha(through, guest());
  proxy.swallow_from(2);
  EXPECT_TRUE(won(alpha.claim({{0}, "alpha", "a1"}), 1));
  EXPECT_EQ(proxy.requests(), 2);
  EXPECT_EQ(alpha.history()->size(), 1U);
}

TEST_F(EtcdTest, ASlowEtcdAnswersAndATooSlowOneDoesNot) {
  SlowProxy proxy(own_ip(), server_->port());
  EtcdSettings through = settings();
  through.endpoints = {proxy.endpoint()};
  proxy.delay(std::chrono::milliseconds(300));
  EXPECT_TRUE(won(EtcdArbiter(through, guest()).claim({{0}, "alpha", "a1"}), 1));
  through.timeout = std::chrono::milliseconds(200);
  const auto started = std::chrono::steady_clock::now();
  EtcdArbiter hasty(through, guest());
  const auto unanswered = hasty.claim({{1}, "beta", "b1"});
  ASSERT_FALSE(unanswered);
  EXPECT_EQ(unanswered.error().word, "arbiter-unreachable");
  // The bound is the call's, not each request's: far from the 20 s of the other settings.
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(10));
}

TEST_F(EtcdTest, OneSideThatCannotReachEtcdDoesNotStopTheOther) {
  SlowProxy proxy(own_ip(), server_->port());
  EtcdSettings cut_off = settings();
  cut_off.endpoints = {proxy.endpoint()};
  EtcdArbiter alpha(cut_off, guest());
  auto beta = arbiter();
  EXPECT_TRUE(won(alpha.claim({{0}, "alpha", "a1"}), 1));
  proxy.mood(Mood::refuse);
  EXPECT_EQ(alpha.claim({{1}, "alpha", "a1"}).error().word, "arbiter-unreachable");
  EXPECT_TRUE(won(beta.claim({{1}, "beta", "b1"}), 2));
  proxy.mood(Mood::pass);
  const auto lost = alpha.claim({{1}, "alpha", "a1"});
  ASSERT_TRUE(lost) << lost.error().text();
  EXPECT_EQ(std::get<ClaimLost>(*lost).current.owner, "beta");
}

TEST_F(EtcdTest, TwoClustersBehindOneListAreNoticed) {
  const Scratch scratch;
  const EtcdServer other({scratch.path(), 7});
  ASSERT_TRUE(ready(settings_of({&other})));
  EtcdSettings mixed = settings_of({server_.get(), &other});
  mixed.timeout = std::chrono::seconds(2);
  EtcdArbiter arbiter(mixed, guest());
  EXPECT_TRUE(won(arbiter.claim({{0}, "alpha", "a1"}), 1));
  EXPECT_NE(*arbiter.probe(server_->endpoint()), *arbiter.probe(other.endpoint()));
  server_->stop();
  const auto refused = arbiter.current();
  server_->go_on();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().reason, HasSubstr("another etcd cluster"));
}

TEST_F(EtcdTest, AStoppedEtcdIsUnansweredAndAKilledOneKeepsItsAnswers) {
  EtcdSettings hasty = settings();
  hasty.timeout = std::chrono::milliseconds(500);
  EXPECT_TRUE(won(arbiter().claim({{0}, "alpha", "a1"}), 1));
  server_->stop();
  EXPECT_EQ(EtcdArbiter(hasty, guest()).claim({{1}, "beta", "b1"}).error().word,
            "arbiter-unreachable");
  server_->go_on();
  // What was asked of the stopped one may be done now; the repeat is won either way.
  EXPECT_TRUE(won(arbiter().claim({{1}, "beta", "b1"}), 2));
  server_->kill();
  EXPECT_EQ(arbiter().claim({{2}, "alpha", "a1"}).error().word, "arbiter-unreachable");
  EXPECT_EQ(arbiter().current().error().word, "arbiter-unreachable");
  server_->start();
  ASSERT_TRUE(ready(settings()));
  EXPECT_EQ(*arbiter().current(), (Ownership{{2}, "beta", "b1"}));
}

TEST(EtcdCluster, AnswersWithTwoOfThreeMembersAndNotWithOne) {
  const Scratch scratch;
  std::vector<std::unique_ptr<EtcdServer>> members;
  for (int i = 0; i < 3; ++i) {
    members.push_back(std::make_unique<EtcdServer>(EtcdServer::Options{scratch.path(), i, 3}));
  }
  const EtcdSettings patient = settings_of({members[0].get(), members[1].get(), members[2].get()});
  ASSERT_TRUE(ready(patient));
  EXPECT_TRUE(won(EtcdArbiter(patient, "g").claim({{0}, "alpha", "a1"}), 1));

  // The first in the list hangs: the others get their share of the time.
  members[0]->stop();
  EXPECT_TRUE(won(EtcdArbiter(patient, "g").claim({{1}, "beta", "b1"}), 2));
  members[1]->stop();
  EtcdSettings hasty = patient;
  hasty.timeout = std::chrono::seconds(1);
  const auto unanswered = EtcdArbiter(hasty, "g").claim({{2}, "alpha", "a1"});
  ASSERT_FALSE(unanswered) << "one of three is no majority";
  EXPECT_EQ(unanswered.error().word, "arbiter-unreachable");
  // A read must not be answered from one member's own copy either.
  EXPECT_FALSE(EtcdArbiter(hasty, "g").current());
  members[0]->go_on();
  members[1]->go_on();
  ASSERT_TRUE(ready(patient));
  EXPECT_TRUE(won(EtcdArbiter(patient, "g").claim({{2}, "alpha", "a1"}), 3));
}

}  // namespace
}  // namespace colo::arbiter::test
