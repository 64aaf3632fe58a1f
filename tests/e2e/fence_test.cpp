// Real pairs that shoot each other: the "power" of a host is the life of its engine's process.
#include <sys/stat.h>

#include <csignal>
#include <fstream>

#include "tests/arbiter/etcd_server.h"
#include "tests/e2e/pair_fixture.h"

namespace colo::e2e {
namespace {

// A fence agent for processes: `plug` is a file with the id of the one that it powers off.
constexpr const char* agent_script = R"(#!/bin/bash
while IFS='=' read -r key value; do declare "${key}_=$value"; done
pid=$(<"$plug_") || exit 1
alive() { grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$pid/status" 2>/dev/null; }
case $action_ in
  off)
    kill -9 "$pid"
    while alive; do sleep 0.01; done
    exit 0 ;;
  status) if alive; then exit 0; fi; exit 2 ;;
esac
exit 1
)";

class FencedPair : public testing::Test {
 protected:
  void SetUp() override {
    const auto agent = scratch.file("agent", agent_script);
    ::chmod(agent.c_str(), 0700);
    for (const char* host : {alpha, beta}) scratch.file(plug(host).filename(), "0");
    Settings settings;
    settings.lost_after = "1s";
    settings.arbiter = "kind = \"fence\"\nagent = \"" + agent.string() +
                       "\"\nstate_directory = \"" + scratch.path().string() +
                       "\"\ntimeout = \"20s\"\n";
    for (const char* host : {alpha, beta}) {
      settings.arbiter +=
          "[arbiter.target." + std::string(host) + "]\nplug = \"" + plug(host).string() + "\"\n";
    }
    pair = std::make_unique<Pair>(settings);
  }
  std::filesystem::path plug(const std::string& host) const {
    return scratch.path() / ("plug." + host);
  }
  void start(const std::string& host) {
    pair->start(host);
    scratch.file(plug(host).filename(), std::to_string(pair->pid(host)));
  }
  void vouch(const std::string& host) { scratch.file("ledger." + host + ".peer-is-off", ""); }
  // The first start of a guest needs the operator's word: nothing proves that it runs nowhere.
  void protect() {
    start(alpha);
    ASSERT_TRUE(pair->becomes(alpha, State::waiting));
    EXPECT_THAT(pair->status(alpha).next, HasSubstr("ledger.alpha.peer-is-off"));
    vouch(alpha);
    ASSERT_EQ(pair->colo("takeover", alpha).status, 0);
    start(beta);
    ASSERT_TRUE(pair->becomes(alpha, State::protected_));
    ASSERT_TRUE(pair->becomes(beta, State::standby));
  }

  const arbiter::test::Scratch scratch;
  std::unique_ptr<Pair> pair;
};

TEST_F(FencedPair, AFrozenPrimaryIsPoweredOffBeforeItsGuestGoesOnElsewhere) {
  protect();
  pair->talk();
  ASSERT_TRUE(pair->answers());
  pair->send_signal(alpha, SIGSTOP);
  ASSERT_TRUE(pair->becomes(beta, State::solo));
  EXPECT_EQ(pair->wait_for_end(alpha), "signal 9");
  ASSERT_TRUE(pair->answers());
  EXPECT_TRUE(pair->owned(beta, "beta"));  // what this host knows
  EXPECT_TRUE(pair->conversation_holds());
}

TEST_F(FencedPair, AnUnverifiedShotWinsNothingUntilTheOperatorVouches) {
  protect();
  // The switch of alpha's power is gone: nobody can say that it is off.
  std::filesystem::remove(plug(alpha));
  pair->kill(alpha);
  ASSERT_TRUE(pair->shows(beta, "that the shot failed", [](const app::Status& status) {
    return status.state == State::claiming &&
           status.reason.find("fence-failed") != std::string::npos;
  }));
  vouch(beta);
  ASSERT_TRUE(pair->becomes(beta, State::solo));
}

TEST_F(FencedPair, AHostThatWasShotWaitsWhenItReturns) {
  protect();
  pair->send_signal(alpha, SIGSTOP);
  ASSERT_TRUE(pair->becomes(beta, State::solo));
  EXPECT_EQ(pair->wait_for_end(alpha), "signal 9");
  // Alone: where it hears beta it would join, and must not boot by its record in any case.
  ASSERT_EQ(pair->end(beta), "exit status 0");
  start(alpha);
  ASSERT_TRUE(pair->becomes(alpha, State::waiting));
  EXPECT_THAT(pair->status(alpha).reason, HasSubstr("owned generation 1"));
}

}  // namespace
}  // namespace colo::e2e
