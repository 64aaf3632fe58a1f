// One hook as a process: it hangs, crashes, prints without end, does not exist, does not listen.
#include "app/hook_process.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <thread>

#include "tests/app/hook_support.h"

namespace colo::app {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

using HookProcessTest = HookTest;

TEST_F(HookProcessTest, ThatFailsIsNamedWithItsStatusAndLastLine) {
  const auto failed = acquire("echo starting; echo; echo 'no route to 10.0.0.1' >&2; echo; exit 3");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().text(),
            "hook-failed: hook vip: exit status 3: no route to 10.0.0.1 (what it printed is in the "
            "log)");
  EXPECT_THAT(log.str(), HasSubstr("hook vip: starting\nhook vip: no route to 10.0.0.1\n"));
}

TEST_F(HookProcessTest, ThatCrashesIsNamedWithItsSignal) {
  const auto failed = acquire("kill -SEGV $$");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().word, "hook-failed");
  EXPECT_EQ(failed.error().reason, "hook vip: killed by signal 11");
}

TEST_F(HookProcessTest, ThatHangsIsEndedWithItsChildren) {
  const auto failed =
      acquire("echo waiting; sleep 1000 & echo $! > " + file("pid") + "; wait", 1500ms);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().word, "hook-timed-out");
  EXPECT_EQ(failed.error().reason, "hook vip: no end within 1500ms: waiting");
  EXPECT_TRUE(wait_until([pid = pid_in("pid")] { return !lives(pid); }));
}

TEST_F(HookProcessTest, ThatIgnoresBeingToldToEndIsKilled) {
  const auto failed = acquire(
      "trap '' TERM; echo $$ > " + file("pid") + "; while true; do sleep 1000; done", 1500ms);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().word, "hook-timed-out");
  EXPECT_FALSE(lives(pid_in("pid")));
}

TEST_F(HookProcessTest, ThatCleansUpWhenToldToEndMayDoSo) {
  const auto failed =
      acquire("trap 'echo cleaned; exit 0' TERM; sleep 1000 & echo ready; wait", 1500ms);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().reason, "hook vip: no end within 1500ms: cleaned");
}

TEST_F(HookProcessTest, ThatIsMissingOrNoProgramIsTold) {
  const auto run = [&](const std::string& path) {
    config.hooks = {{"vip", {path}, 60s}};
    const auto failed = HookRunner(config, "alpha").acquire(HookCause::takeover, {7}, cancel);
    EXPECT_FALSE(failed);
    if (failed) return std::string();
    EXPECT_EQ(failed.error().word, "hook-not-started");
    return failed.error().reason;
  };
  EXPECT_EQ(run("/nonexistent/vip"),
            "hook vip: cannot start /nonexistent/vip: No such file or directory");
  const std::string text = scratch.write("vip", "neither a script nor a program\n");
  EXPECT_EQ(run(text), "hook vip: cannot start " + text + ": Permission denied");
  ASSERT_EQ(::chmod(text.c_str(), 0755), 0);
  EXPECT_EQ(run(text), "hook vip: cannot start " + text + ": Exec format error");
}

TEST_F(HookProcessTest, ThatPrintsALotIsReadAndCutInTheLog) {
  ASSERT_TRUE(
      acquire("yes chatter | head -n 200000; head -c 5000 /dev/zero | tr '\\0' x; echo; "
              "printf 'esc\\033[2J and \\377'"));
  std::istringstream lines(log.str());
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) EXPECT_LT(line.size(), 1100U);
  EXPECT_LT(count, 210U);
  EXPECT_THAT(log.str(), HasSubstr("hook vip: 199802 more lines are not shown\n"));
}

TEST_F(HookProcessTest, ThatPrintsWithoutEndIsEndedInTime) {
  const auto failed = acquire("exec yes", 1500ms);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().reason, "hook vip: no end within 1500ms: y");
}

TEST_F(HookProcessTest, WordsAreCleanedForTerminals) {
  ASSERT_FALSE(acquire("printf 'esc\\033[2J and \\377'; exit 1"));
  EXPECT_THAT(log.str(), HasSubstr("hook vip: esc?[2J and ?\n"));
}

TEST_F(HookProcessTest, WhatItLeavesInTheBackgroundLivesOn) {
  ASSERT_TRUE(acquire("sleep 1000 & echo $! > " + file("pid")));
  const pid_t pid = pid_in("pid");
  EXPECT_TRUE(lives(pid));
  ::kill(pid, SIGKILL);
}

TEST_F(HookProcessTest, InheritsNothingOfOurs) {
  // A descriptor without close-on-exec, ignored and blocked signals: none may get through.
  const UniqueFd ours(::dup(2));
  struct sigaction before {};
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  ASSERT_EQ(::sigaction(SIGPIPE, &ignore, &before), 0);
  const auto done = acquire(
      "readlink /proc/$$/fd/0; ls /proc/$$/fd | tr '\\n' ' '; echo; pwd; "
      "grep -E 'Sig(Blk|Ign)' /proc/$$/status | tr -s '\\t0' ' .'; "
      "set -- $(cat /proc/$$/stat); [ $5 = $$ ] && echo leader");
  ::sigaction(SIGPIPE, &before, nullptr);
  ASSERT_TRUE(done);
  EXPECT_THAT(log.str(), HasSubstr("hook vip: /dev/null\n"));
  EXPECT_THAT(log.str(), HasSubstr("hook vip: 0 1 2 \n"));
  EXPECT_THAT(log.str(), HasSubstr("hook vip: /\n"));
  EXPECT_THAT(log.str(), HasSubstr("hook vip: SigBlk: .\n"));
  EXPECT_THAT(log.str(), HasSubstr("hook vip: SigIgn: .\n"));
  EXPECT_THAT(log.str(), HasSubstr("hook vip: leader\n"));
}

TEST_F(HookProcessTest, CanBeCalledOffWhileItRuns) {
  std::thread other([&] {
    pid_in("pid");
    cancel.cancel();
  });
  const auto failed = acquire("sleep 1000 & echo $! > " + file("pid") + "; wait");
  other.join();
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().word, "hook-canceled");
  EXPECT_TRUE(wait_until([pid = pid_in("pid")] { return !lives(pid); }));
}

TEST_F(HookProcessTest, CalledOffBeforeItBeginsDoesNotBegin) {
  cancel.cancel();
  const auto failed = acquire("touch " + file("begun"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().word, "hook-canceled");
  EXPECT_FALSE(std::filesystem::exists(file("begun")));
}

TEST_F(HookProcessTest, DiesWithTheEngine) {
  const pid_t engine = ::fork();
  ASSERT_GE(engine, 0);
  if (engine == 0) {
    static_cast<void>(acquire("echo $$ > " + file("pid") + "; exec sleep 1000"));
    ::_exit(0);
  }
  const pid_t hook = pid_in("pid");
  EXPECT_TRUE(lives(hook));
  ::kill(engine, SIGKILL);
  ASSERT_EQ(::waitpid(engine, nullptr, 0), engine);
  EXPECT_TRUE(wait_until([&] { return !lives(hook); }));
}

}  // namespace
}  // namespace colo::app
