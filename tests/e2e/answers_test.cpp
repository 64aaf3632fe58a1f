// The operator is answered at once, whatever hangs: the peer, the guest, the arbiter's storage.
#include <sys/stat.h>

#include <csignal>
#include <iostream>

#include "tests/e2e/pair_fixture.h"

namespace colo::e2e {
namespace {

// Far above what is promised (100 ms), so that a busy machine is no failure; far below any of the
// time-outs that an engine which waited would run into.
constexpr auto bound = std::chrono::milliseconds(1500);

std::chrono::milliseconds longest_answer(const Pair& pair, const std::string& host) {
  std::chrono::milliseconds longest{0};
  for (int i = 0; i < 30; ++i) {
    for (const app::Command command :
         {app::Command::status, app::Command::checkpoint, app::Command::give_back}) {
      const auto before = std::chrono::steady_clock::now();
      EXPECT_TRUE(pair.ask(host, {command, "", ""}));
      longest = std::max(longest, std::chrono::duration_cast<std::chrono::milliseconds>(
                                      std::chrono::steady_clock::now() - before));
    }
  }
  return longest;
}

void expect_quick(const Pair& pair, const std::string& host, const std::string& while_what) {
  const auto longest = longest_answer(pair, host);
  std::cout << "  longest answer of " << host << " " << while_what << ": " << longest.count()
            << " ms\n";
  EXPECT_LT(longest, bound) << while_what;
}

TEST(Answers, ComeAtOnceWhileThePeerHangs) {
  Settings settings;
  settings.lost_after = "2s";
  Pair pair(settings);
  pair.protect();
  pair.send_signal(beta, SIGSTOP);
  expect_quick(pair, alpha, "while its secondary stands still");
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  pair.send_signal(beta, SIGCONT);
  ASSERT_TRUE(pair.protected_by(alpha));
  pair.send_signal(alpha, SIGSTOP);
  expect_quick(pair, beta, "while its primary stands still");
  ASSERT_TRUE(pair.becomes(beta, State::solo));
  pair.send_signal(alpha, SIGCONT);
  EXPECT_TRUE(pair.protected_by(beta));
}

TEST(Answers, ComeAtOnceOverALinkThatSwallowsEverything) {
  Settings settings;
  settings.relay = true;
  settings.lost_after = "1s";
  settings.grace = "3s";
  Pair pair(settings);
  pair.protect();
  pair.relay().cut();
  ASSERT_TRUE(pair.becomes(alpha, State::reconnecting));
  expect_quick(pair, alpha, "while it waits for its peer");
  expect_quick(pair, beta, "while it dials into nothing");
  pair.relay().mend();
  EXPECT_TRUE(pair.goes_on_at(pair.status(alpha).role == "primary" ? alpha : beta));
}

TEST(Answers, ComeAtOnceWhileTheArbitersStorageHangs) {
  Pair pair;
  pair.protect();
  // Whoever reads this file waits for a writer, for ever.
  const auto hangs = pair.folder().arbiter() / "generation.2";
  ASSERT_EQ(::mkfifo(hangs.c_str(), 0600), 0);
  pair.kill(beta);
  ASSERT_TRUE(pair.becomes(alpha, State::claiming));
  expect_quick(pair, alpha, "while the arbiter's storage hangs");
  EXPECT_TRUE(pair.status(alpha).guest->running);
  EXPECT_EQ(pair.status(alpha).state, State::claiming);
}

}  // namespace
}  // namespace colo::e2e
