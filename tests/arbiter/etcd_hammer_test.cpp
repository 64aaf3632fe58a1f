// Many claimants at one etcd at once: exactly one wins each generation, also while answers are
// lost.
#include <gmock/gmock.h>

#include <map>
#include <mutex>
#include <thread>

#include "arbiter/etcd_arbiter.h"
#include "tests/arbiter/etcd_server.h"
#include "tests/arbiter/slow_proxy.h"

namespace colo::arbiter::test {
namespace {

using heartbeat::ClaimLost;
using heartbeat::ClaimWon;

class Wins {
 public:
  void note(std::uint64_t generation, const std::string& run) {
    const std::lock_guard lock(mutex_);
    const auto [at, first] = winners_.emplace(generation, run);
    EXPECT_TRUE(first || at->second == run)
        << "generation " << generation << " was won by " << at->second << " and by " << run;
  }
  [[nodiscard]] const std::map<std::uint64_t, std::string>& all() const { return winners_; }

 private:
  std::mutex mutex_;
  std::map<std::uint64_t, std::string> winners_;
};

// Claims generation after generation until `last` is owned; an unanswered claim is repeated.
void claim_all(const EtcdSettings& settings, const std::string& run, std::uint64_t last,
               Wins& wins) {
  EtcdArbiter arbiter(settings, "g");
  Generation from;
  while (from.value < last) {
    const auto answer = arbiter.claim({from, "host", run});
    if (!answer) {
      ASSERT_EQ(answer.error().word, "arbiter-unreachable") << answer.error().text();
      continue;
    }
    if (const auto* lost = std::get_if<ClaimLost>(&*answer)) {
      from = lost->current.generation;
      continue;
    }
    from = std::get<ClaimWon>(*answer).generation;
    wins.note(from.value, run);
  }
}

// all_told: no answer is lost, so each winner knows that it won.
void hammer(const std::vector<EtcdSettings>& claimants, std::uint64_t generations, bool all_told) {
  Wins wins;
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < claimants.size(); ++i) {
    threads.emplace_back(
        [&, i] { claim_all(claimants[i], "run-" + std::to_string(i), generations, wins); });
  }
  for (std::thread& thread : threads) thread.join();
  const auto history = EtcdArbiter(claimants.front(), "g").history();
  ASSERT_TRUE(history) << history.error().text();
  ASSERT_GE(history->size(), generations);
  for (std::uint64_t generation = 1; generation <= generations; ++generation) {
    EXPECT_EQ((*history)[generation - 1].generation.value, generation);
    const auto winner = wins.all().find(generation);
    if (all_told) {
      ASSERT_NE(winner, wins.all().end()) << "nobody was told that it won " << generation;
    }
    if (winner == wins.all().end()) continue;
    EXPECT_EQ((*history)[generation - 1].run, winner->second);
  }
}

TEST(EtcdHammer, TwoClaimantsOverAHundredGenerationsHaveOneWinnerEach) {
  const Scratch scratch;
  const EtcdServer server({scratch.path()});
  const EtcdSettings settings = settings_of({&server});
  ASSERT_TRUE(ready(settings));
  hammer({settings, settings}, 100, true);
}

TEST(EtcdHammer, ClaimantsAtThreeMembersHaveOneWinnerEach) {
  const Scratch scratch;
  std::vector<std::unique_ptr<EtcdServer>> members;
  std::vector<EtcdSettings> claimants;
  for (int i = 0; i < 3; ++i) {
    members.push_back(std::make_unique<EtcdServer>(EtcdServer::Options{scratch.path(), i, 3}));
  }
  for (int i = 0; i < 6; ++i) claimants.push_back(settings_of({members[i % 3].get()}));
  ASSERT_TRUE(ready(settings_of({members[0].get(), members[1].get(), members[2].get()})));
  hammer(claimants, 60, true);
}

// Every third answer or so is lost on the way: a claim that was won is won again, by the same one.
TEST(EtcdHammer, LostAnswersDoNotMakeTwoWinners) {
  const Scratch scratch;
  const EtcdServer server({scratch.path()});
  EtcdSettings direct = settings_of({&server});
  ASSERT_TRUE(ready(direct));
  SlowProxy left(own_ip(), server.port()), right(own_ip(), server.port());
  left.swallow_every(3);
  right.swallow_every(4);
  EtcdSettings a = direct, b = direct;
  a.endpoints = {left.endpoint()};
  b.endpoints = {right.endpoint()};
  a.timeout = b.timeout = std::chrono::milliseconds(200);
  hammer({a, b}, 20, false);
  EXPECT_GT(left.swallowed() + right.swallowed(), 5);
}

}  // namespace
}  // namespace colo::arbiter::test
