// Many processes at one directory: exactly one wins each generation, whatever dies meanwhile.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/prctl.h>

#include <array>
#include <csignal>
#include <map>
#include <random>

#include "base/unique_fd.h"
#include "heartbeat/directory_arbiter.h"
#include "tests/heartbeat/scratch.h"

namespace colo::heartbeat {
namespace {

// What a claimant tells the test for each claim it won. Small enough for write(2) to a pipe to be
// atomic.
struct Win {
  std::uint64_t generation = 0;
  int claimant = 0;
};

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe(ends.data()), 0);
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
  UniqueFd read, write;
};

std::string run_of(int claimant) { return "run-" + std::to_string(claimant); }

// Claims generation after generation until `last` is owned, as every other claimant does.
int claim_all(const std::filesystem::path& directory, int claimant, std::uint64_t last, int wins) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  DirectoryArbiter arbiter(directory);
  Generation from;
  while (from.value < last) {
    const auto answer =
        arbiter.claim({from, "host-" + std::to_string(claimant % 2), run_of(claimant)});
    if (!answer) {
      std::fprintf(stderr, "%s\n", answer.error().text().c_str());
      return 1;
    }
    if (const auto* lost = std::get_if<ClaimLost>(&*answer)) {
      from = lost->current.generation;
      continue;
    }
    from = std::get<ClaimWon>(*answer).generation;
    const Win win{from.value, claimant};
    if (::write(wins, &win, sizeof(win)) != sizeof(win)) return 2;
  }
  return 0;
}

// Everything that is in the pipe now; waits for the first one. Empty at the end of the stream.
std::vector<Win> read_wins(int fd) {
  std::array<Win, 64> wins;
  const ssize_t bytes = ::read(fd, wins.data(), sizeof(wins));
  EXPECT_GE(bytes, 0);
  EXPECT_EQ(static_cast<std::size_t>(bytes) % sizeof(Win), 0U);
  return {wins.begin(), wins.begin() + bytes / static_cast<ssize_t>(sizeof(Win))};
}

TEST(ArbiterHammer, EightProcessesOverTwoHundredGenerationsHaveOneWinnerEach) {
  constexpr int claimants = 8;
  constexpr std::uint64_t generations = 200;
  const Scratch scratch;
  Pipe wins;
  std::vector<pid_t> children;
  for (int i = 0; i < claimants; ++i) {
    children.push_back(
        fork_with([&] { return claim_all(scratch.path(), i, generations, wins.write.get()); }));
  }
  wins.write.reset();
  std::map<std::uint64_t, std::vector<int>> winners;
  for (auto some = read_wins(wins.read.get()); !some.empty(); some = read_wins(wins.read.get())) {
    for (const Win& win : some) winners[win.generation].push_back(win.claimant);
  }
  for (const pid_t child : children) EXPECT_EQ(wait_for(child), 0);

  const auto history = DirectoryArbiter(scratch.path()).history();
  ASSERT_TRUE(history) << history.error().text();
  ASSERT_EQ(history->size(), generations);
  for (std::uint64_t generation = 1; generation <= generations; ++generation) {
    ASSERT_EQ(winners[generation].size(), 1U) << "generation " << generation;
    EXPECT_EQ((*history)[generation - 1].run, run_of(winners[generation].front()));
  }
  const auto entries = std::filesystem::directory_iterator(scratch.path());
  EXPECT_EQ(static_cast<std::uint64_t>(std::distance(begin(entries), end(entries))), generations);
}

// Kills claimants in the middle of their claims and starts others in their place.
class Killing {
 public:
  Killing(std::filesystem::path directory, unsigned seed)
      : directory_(std::move(directory)), random_(seed) {}
  ~Killing() {
    for (const pid_t child : children_) end(child);
  }

  void start(std::size_t claimants) {
    while (children_.size() < claimants) {
      const int claimant = started_++;
      children_.push_back(
          fork_with([&] { return claim_all(directory_, claimant, endless, wins_.write.get()); }));
    }
  }
  // Lets some wins pass, then a part of a claim's time, then kills one claimant.
  void kill_one() {
    for (std::size_t passed = 0, wanted = random_() % 4; passed <= wanted;) {
      pollfd readable{wins_.read.get(), POLLIN, 0};
      ASSERT_EQ(::poll(&readable, 1, 60000), 1) << "no claimant wins any more";
      for (const Win& win : read_wins(wins_.read.get())) {
        note(win);
        ++passed;
      }
    }
    // The moment within a claim is drawn by spinning: a sleep would end at a tick, always alike.
    volatile unsigned spin = static_cast<unsigned>(random_() % 200000);
    while (spin != 0) spin = spin - 1;
    const std::size_t victim = random_() % children_.size();
    end(children_[victim]);
    children_.erase(children_.begin() + static_cast<std::ptrdiff_t>(victim));
  }
  void finish() {
    for (const pid_t child : children_) end(child);
    children_.clear();
    wins_.write.reset();
    for (auto some = read_wins(wins_.read.get()); !some.empty();
         some = read_wins(wins_.read.get())) {
      for (const Win& win : some) note(win);
    }
  }
  [[nodiscard]] const std::map<std::uint64_t, std::string>& winners() const { return winners_; }

 private:
  static constexpr std::uint64_t endless = 1000000;
  static void end(pid_t child) {
    ::kill(child, SIGKILL);
    EXPECT_EQ(wait_for(child), 128 + SIGKILL);
  }
  void note(const Win& win) {
    const auto [at, first] = winners_.emplace(win.generation, run_of(win.claimant));
    EXPECT_TRUE(first) << "generation " << win.generation << " was won by " << at->second
                       << " and by " << run_of(win.claimant);
  }

  std::filesystem::path directory_;
  std::mt19937 random_;
  Pipe wins_;
  std::vector<pid_t> children_;
  int started_ = 0;
  std::map<std::uint64_t, std::string> winners_;
};

TEST(ArbiterHammer, ClaimantsKilledAtAnyMomentLeaveAWholeHistoryWithOneWinnerEach) {
  constexpr unsigned seed = 20;
  const Scratch scratch;
  Killing killing(scratch.path(), seed);
  for (int round = 0; round < 100; ++round) {
    killing.start(4);
    killing.kill_one();
  }
  killing.finish();

  DirectoryArbiter arbiter(scratch.path());
  const auto history = arbiter.history();
  ASSERT_TRUE(history) << history.error().text();
  EXPECT_GE(history->size(), 100U);
  // A claimant may die between its win and its word of it; then the history alone has the win.
  for (const auto& [generation, run] : killing.winners()) {
    ASSERT_LE(generation, history->size());
    EXPECT_EQ((*history)[generation - 1].run, run) << "generation " << generation;
  }
  // And the directory still answers.
  const auto answer = arbiter.claim({history->back().generation, "alpha", "after"});
  ASSERT_TRUE(answer) << answer.error().text();
  EXPECT_TRUE(std::holds_alternative<ClaimWon>(*answer));
}

}  // namespace
}  // namespace colo::heartbeat
