// The fence arbiter: scripted agents that hang, lie and fail, and Debian's fence_dummy.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <thread>

#include "arbiter/fence_arbiter.h"
#include "arbiter/make.h"
#include "heartbeat/ownership_file.h"
#include "heartbeat/start.h"
#include "tests/arbiter/etcd_server.h"

namespace colo::arbiter::test {
namespace {

using heartbeat::ClaimLost;
using heartbeat::ClaimWon;
using heartbeat::Ownership;
using testing::HasSubstr;
using testing::Not;

const Asker alpha{"ledger", "alpha", "beta", true, {}};
const Asker beta{"ledger", "beta", "alpha", false, {}};

// An agent that appends its input to a file and then does what its options `off` and `status` say.
constexpr const char* script = R"(#!/bin/bash
while IFS= read -r line; do
  echo "$line" >>"${0%/*}/said"
  key=${line%%=*}
  declare "${key}_=${line#*=}"
done
case $action_ in
  off) eval "$off_" ;;
  status) eval "$status_" ;;
esac
)";

class FenceTest : public testing::Test {
 protected:
  // An agent whose two actions do these commands.
  FenceSettings scripted(const std::string& off, const std::string& status) {
    const auto agent = scratch.file("agent", script);
    ::chmod(agent.c_str(), 0700);
    FenceSettings settings;
    settings.agent = agent.string();
    settings.options = {{"off", off}, {"status", status}};
    settings.targets = {FenceTarget{"alpha", {{"plug", "1"}}},
                        FenceTarget{"beta", {{"plug", "2"}}}};
    settings.state_directory = scratch.path();
    settings.timeout = std::chrono::seconds(60);
    return settings;
  }
  FenceSettings good() { return scripted("exit 0", "exit 2"); }
  std::string said() const { return text_of(scratch.path() / "said"); }
  static std::string text_of(const std::filesystem::path& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  // The word of a claim that was not answered.
  static std::string unanswered(const FenceSettings& settings) {
    const auto answer = FenceArbiter(settings, alpha).claim({{1}, "alpha", "a1"});
    return answer ? "answered" : answer.error().word;
  }

  const Scratch scratch;
};

TEST_F(FenceTest, AClaimIsWonByAVerifiedPowerOffOfThePeer) {
  FenceArbiter arbiter(good(), alpha);
  const auto answer = arbiter.claim({{4}, "alpha", "a1"});
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_EQ(std::get<ClaimWon>(*answer).generation, Generation{5});
  EXPECT_EQ(said(),
            "off=exit 0\nstatus=exit 2\nplug=2\naction=off\n"
            "off=exit 0\nstatus=exit 2\nplug=2\naction=status\n");
  EXPECT_EQ(*arbiter.current(), (Ownership{{5}, "alpha", "a1"}));
  // The same claim again does not shoot again; an older one of this run is lost to it.
  std::filesystem::remove(scratch.path() / "said");
  EXPECT_TRUE(std::holds_alternative<ClaimWon>(*arbiter.claim({{4}, "alpha", "a1"})));
  EXPECT_TRUE(std::holds_alternative<ClaimLost>(*arbiter.claim({{3}, "alpha", "a1"})));
  EXPECT_EQ(said(), "");
  // Another run is another owner, and shoots.
  EXPECT_TRUE(std::holds_alternative<ClaimWon>(*arbiter.claim({{4}, "alpha", "a2"})));
  EXPECT_THAT(said(), HasSubstr("action=off"));
}

TEST_F(FenceTest, WhatIsNotVerifiedIsUnanswered) {
  EXPECT_EQ(unanswered(scripted("exit 0", "exit 0")), "fence-unverified");  // lies
  EXPECT_EQ(unanswered(scripted("exit 1", "exit 2")), "fence-failed");
  EXPECT_EQ(unanswered(scripted("exit 0", "exit 1")), "fence-failed");
  EXPECT_EQ(unanswered(scripted("kill -9 $$", "exit 2")), "fence-failed");
  EXPECT_EQ(unanswered(scripted("exit 0", "kill -15 $$")), "fence-failed");
  FenceSettings missing = good();
  missing.agent = "fence_of_nobody";
  EXPECT_EQ(unanswered(missing), "fence-agent-missing");
  // None of them became an ownership.
  EXPECT_THAT(*FenceArbiter(good(), alpha).history(), testing::IsEmpty());
}

TEST_F(FenceTest, ATimeoutIsUnansweredAndNothingOfTheAgentIsLeft) {
  // The agent's own child, which ignores polite signals and keeps the output open.
  FenceSettings settings =
      scripted("bash -c 'trap \"\" TERM HUP; echo $$ >" + (scratch.path() / "child").string() +
                   "; while :; do sleep 60; done' & wait",
               "exit 2");
  settings.timeout = std::chrono::milliseconds(1500);
  const auto started = std::chrono::steady_clock::now();
  EXPECT_EQ(unanswered(settings), "fence-timeout");
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(30));
  const std::string child = text_of(scratch.path() / "child");
  ASSERT_FALSE(child.empty()) << "the agent did not come as far as its child";
  const auto gone = [&] { return ::kill(std::stoi(child), 0) != 0; };
  while (!gone() && std::chrono::steady_clock::now() - started < std::chrono::seconds(60)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_TRUE(gone());
}

TEST_F(FenceTest, AStatusThatHangsIsUnansweredToo) {
  FenceSettings settings = scripted("exit 0", "sleep 600");
  settings.timeout = std::chrono::milliseconds(1500);
  EXPECT_EQ(unanswered(settings), "fence-timeout");
}

TEST_F(FenceTest, WhatAnAgentLeavesBehindDoesNotHoldTheClaimUp) {
  const auto started = std::chrono::steady_clock::now();
  FenceArbiter arbiter(scripted("sleep 600 & exit 0", "exit 2"), alpha);
  EXPECT_TRUE(arbiter.claim({{1}, "alpha", "a1"}));
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(60));
}

TEST_F(FenceTest, SecretsReachTheAgentAndNoMessage) {
  FenceSettings settings = scripted("echo login with $passwd_ failed >&2; exit 1", "exit 2");
  settings.secrets_file = scratch.file("secrets", "passwd=hunter2\n");
  const auto answer = FenceArbiter(settings, alpha).claim({{1}, "alpha", "a1"});
  ASSERT_FALSE(answer);
  EXPECT_THAT(said(), HasSubstr("passwd=hunter2\n"));
  EXPECT_THAT(answer.error().reason, HasSubstr("login with *** failed"));
  EXPECT_THAT(answer.error().text(), Not(HasSubstr("hunter2")));
  EXPECT_THAT(answer.error().remedy, HasSubstr("touch " + confirm_file(settings, alpha).string()));
  ::chmod(settings.secrets_file.c_str(), 0644);
  EXPECT_EQ(unanswered(settings), "secret-permissions");
}

TEST_F(FenceTest, WithoutADiskForTheRecordNobodyIsShot) {
  FenceSettings settings = good();
  settings.state_directory = scratch.path() / "none";
  EXPECT_EQ(unanswered(settings), "record-unusable");
  EXPECT_EQ(FenceArbiter(settings, alpha).current().error().word, "record-unusable");
  EXPECT_EQ(said(), "");
}

TEST_F(FenceTest, ARecordThatWasAlteredIsNotNobody) {
  scratch.file("ledger.alpha", heartbeat::encode_ownership({{3}, "alpha", "a1"}) + "colo-owner");
  EXPECT_EQ(unanswered(good()), "record-corrupt");
  EXPECT_EQ(FenceArbiter(good(), alpha).current().error().word, "record-corrupt");
  EXPECT_EQ(said(), "");
}

TEST_F(FenceTest, TheRecordKeepsTheNewest) {
  std::string many;
  for (std::uint64_t i = 1; i <= record_entries_max; ++i) {
    many += heartbeat::encode_ownership({{i}, "alpha", "a" + std::to_string(i)});
  }
  scratch.file("ledger.alpha", many);
  FenceArbiter arbiter(good(), alpha);
  ASSERT_TRUE(arbiter.claim({{1000}, "alpha", "new"}));
  const auto history = arbiter.history();
  ASSERT_TRUE(history) << history.error().text();
  EXPECT_EQ(history->size(), record_entries_max);
  EXPECT_EQ(history->front().generation, Generation{2});
  EXPECT_EQ(history->back(), (Ownership{{1001}, "alpha", "new"}));
}

// A local record proves nothing about the other host: nobody boots by it.
TEST_F(FenceTest, NoHostBootsByItsOwnRecord) {
  const auto start = [&](const Asker& who) {
    const auto current = FenceArbiter(good(), who).current();
    EXPECT_TRUE(current);
    return decide_start(*current, who.host, "alpha");
  };
  EXPECT_EQ(start(alpha), heartbeat::Start::wait) << "a host that was replaced has no record";
  EXPECT_EQ(start(beta), heartbeat::Start::join);
  ASSERT_TRUE(FenceArbiter(good(), alpha).claim({{0}, "alpha", "a1"}));
  EXPECT_EQ(start(alpha), heartbeat::Start::wait) << "it was shot and returns";
  ASSERT_TRUE(FenceArbiter(good(), alpha).claim({{1}, "", "a1"}));
  EXPECT_EQ(start(alpha), heartbeat::Start::wait) << "the other may have gone on since";
  ASSERT_TRUE(FenceArbiter(good(), beta).claim({{1}, "beta", "b1"}));
  EXPECT_EQ(start(beta), heartbeat::Start::wait);
}

TEST_F(FenceTest, ClaimsForNobodyShootNobodyAndReleaseNothing) {
  FenceArbiter arbiter(good(), alpha);
  const auto answer = arbiter.claim({{1}, "", "a1"});
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_EQ(std::get<ClaimLost>(*answer).current, (Ownership{{2}, "", "a1"}));
  EXPECT_EQ(said(), "");
  EXPECT_TRUE(std::holds_alternative<ClaimLost>(*arbiter.claim({{1}, "", "a1"})));
  EXPECT_EQ(arbiter.history()->size(), 1U);
}

TEST_F(FenceTest, AGuestCannotBeGivenBackToAHostWithoutPower) {
  const auto answer = FenceArbiter(good(), alpha).claim({{1}, "beta", "b1"});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().word, "no-give-back");
  EXPECT_EQ(said(), "");
}

TEST_F(FenceTest, TheOperatorsWordCountsOnceAndNotFromBefore) {
  const FenceSettings settings = scripted("exit 1", "exit 1");
  const auto word = [&] { std::ofstream(confirm_file(settings, alpha)).put('\n'); };
  word();
  FenceArbiter arbiter(settings, alpha);
  EXPECT_FALSE(arbiter.claim({{1}, "alpha", "a1"})) << "said before this engine started";
  word();
  EXPECT_TRUE(arbiter.claim({{1}, "alpha", "a1"}));
  EXPECT_FALSE(std::filesystem::exists(confirm_file(settings, alpha)));
  EXPECT_FALSE(arbiter.claim({{2}, "alpha", "a1"}));
}

// Debian's own agent with its status in a file: one file is one host's power.
class DummyTest : public FenceTest {
 protected:
  FenceSettings dummy() {
    FenceSettings settings;
    settings.agent = "fence_dummy";
    settings.options = {{"type", "file"}};
    settings.targets = {FenceTarget{"alpha", {{"status_file", power("alpha").string()}}},
                        FenceTarget{"beta", {{"status_file", power("beta").string()}}}};
    settings.state_directory = scratch.path();
    return settings;
  }
  std::filesystem::path power(const std::string& host) const {
    return scratch.path() / ("power." + host);
  }
  void SetUp() override {
    scratch.file("power.alpha", "on");
    scratch.file("power.beta", "on");
  }
};

TEST_F(DummyTest, PowersThePeerOffAndVerifiesIt) {
  EXPECT_EQ(*ask_power(dummy(), alpha), fence::Power::on);
  const auto answer = FenceArbiter(dummy(), alpha).claim({{1}, "alpha", "a1"});
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_EQ(text_of(power("beta")), "off");
  EXPECT_EQ(text_of(power("alpha")), "on");
  EXPECT_EQ(*ask_power(dummy(), alpha), fence::Power::off);
}

TEST_F(DummyTest, FailsAsItSays) {
  FenceSettings settings = dummy();
  settings.options = {{"type", "fail"}, {"power_timeout", "1"}};
  settings.targets[1].options = {{"plug", "1"}};
  const auto answer = FenceArbiter(settings, alpha).claim({{1}, "alpha", "a1"});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().word, "fence-failed");
  EXPECT_THAT(answer.error().reason, HasSubstr("fence_dummy"));
}

// Whoever fires first is alone: a host without power does not come to its own shot. The second shot
// here stands for a race; that both can hit is why the secondary's head start must be longer than a
// shot takes, and what `colo check` measures.
TEST_F(DummyTest, CheckFindsWhatAClaimWouldMissAndMeasuresTheHeadStart) {
  Settings settings;
  settings.kind = Kind::fence;
  settings.fence = dummy();
  const auto words = [&](Duration head_start) {
    Asker asker = alpha;
    asker.head_start = head_start;
    std::vector<std::string> all;
    for (const Finding& finding : check_arbiter(settings, asker)) {
      EXPECT_FALSE(finding.error.remedy.empty()) << finding.error.word;
      all.push_back((finding.fatal ? "missing " : "warning ") + finding.error.word);
    }
    return all;
  };
  EXPECT_THAT(words(std::chrono::seconds(60)), testing::IsEmpty());
  EXPECT_THAT(words(Duration::zero()), testing::ElementsAre("warning fence-head-start"));
  EXPECT_EQ(text_of(power("beta")), "on") << "a check shoots nobody";
  settings.fence.agent = "/none/fence_dummy";
  EXPECT_THAT(words(std::chrono::seconds(60)), testing::ElementsAre("missing fence-agent-missing"));
  settings.fence = dummy();
  settings.fence.state_directory = scratch.path() / "none";
  EXPECT_THAT(words(std::chrono::seconds(60)), testing::ElementsAre("missing record-unusable"));
  settings.fence = scripted("exit 0", "exit 1");
  EXPECT_THAT(words(std::chrono::seconds(60)), testing::ElementsAre("missing fence-failed"));
}

}  // namespace
}  // namespace colo::arbiter::test
