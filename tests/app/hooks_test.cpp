// Hooks: their order, what each is told, and what is left when one fails.
#include "app/hooks.h"

#include <gmock/gmock.h>

#include "tests/app/hook_support.h"

namespace colo::app {
namespace {

using testing::HasSubstr;

class HooksTest : public HookTest {
 protected:
  // Three that write down that they were called; the one in the middle succeeds once `good` exists.
  void three() {
    const std::string note = "echo \"$COLO_HOOK $1 $COLO_CAUSE\" >> " + file("calls");
    config.hooks = {shell_hook("one", note),
                    shell_hook("two", note + "; [ $1 = release ] || [ -e " + file("good") + " ]"),
                    shell_hook("three", note)};
  }
  std::string calls() const { return read_text(file("calls")); }
};

TEST_F(HooksTest, RunInOrderAndAreReleasedInReverse) {
  three();
  scratch.write("good", "");
  HookRunner runner(config, "alpha");
  ASSERT_TRUE(runner.acquire(HookCause::takeover, {7}, cancel));
  EXPECT_EQ(runner.acquired(), 3U);
  ASSERT_TRUE(runner.release(HookRunner::Of::acquired, HookCause::give_back, {7}, cancel));
  EXPECT_EQ(calls(),
            "one acquire takeover\ntwo acquire takeover\nthree acquire takeover\n"
            "three release give-back\ntwo release give-back\none release give-back\n");
  EXPECT_EQ(runner.acquired(), 0U);
}

TEST_F(HooksTest, ARetryBeginsWithTheOneThatFailed) {
  three();
  HookRunner runner(config, "alpha");
  const auto failed = runner.acquire(HookCause::takeover, {7}, cancel);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().word, "hook-failed");
  EXPECT_EQ(failed.error().reason, "hook two: exit status 1");
  EXPECT_EQ(runner.acquired(), 1U);
  scratch.write("good", "");
  EXPECT_TRUE(runner.acquire(HookCause::takeover, {7}, cancel));
  EXPECT_EQ(calls(),
            "one acquire takeover\ntwo acquire takeover\n"
            "two acquire takeover\nthree acquire takeover\n");
}

TEST_F(HooksTest, TheOneThatFailedIsReleasedTooAsItMayHoldHalf) {
  three();
  HookRunner runner(config, "alpha");
  ASSERT_FALSE(runner.acquire(HookCause::switchover, {7}, cancel));
  ASSERT_TRUE(runner.release(HookRunner::Of::acquired, HookCause::lost, {8}, cancel));
  EXPECT_EQ(calls(),
            "one acquire switchover\ntwo acquire switchover\n"
            "two release lost\none release lost\n");
}

TEST_F(HooksTest, NothingIsReleasedTwiceNorWithoutNeed) {
  three();
  HookRunner runner(config, "alpha");
  EXPECT_TRUE(runner.release(HookRunner::Of::acquired, HookCause::lost, {7}, cancel));
  EXPECT_EQ(calls(), "");
  EXPECT_TRUE(runner.release(HookRunner::Of::all, HookCause::lost, {7}, cancel));
  EXPECT_EQ(calls(), "three release lost\ntwo release lost\none release lost\n");
  EXPECT_TRUE(runner.release(HookRunner::Of::acquired, HookCause::lost, {7}, cancel));
  EXPECT_EQ(calls(), "three release lost\ntwo release lost\none release lost\n");
}

TEST_F(HooksTest, AReleaseThatFailsDoesNotKeepTheOthers) {
  const std::string note = "echo $COLO_HOOK >> " + file("calls") + "; [ $1 = acquire ]";
  config.hooks = {shell_hook("one", note), shell_hook("two", note)};
  HookRunner runner(config, "alpha");
  ASSERT_TRUE(runner.acquire(HookCause::boot, {1}, cancel));
  const auto released = runner.release(HookRunner::Of::acquired, HookCause::lost, {2}, cancel);
  ASSERT_FALSE(released);
  EXPECT_EQ(released.error().reason, "hook two: exit status 1");
  EXPECT_THAT(log.str(), HasSubstr("hook one: exit status 1"));
  EXPECT_EQ(calls(), "one\ntwo\ntwo\none\n");
}

TEST_F(HooksTest, SeeWhatIsDocumentedAndNothingElse) {
  ASSERT_EQ(::setenv("COLO_TEST_SECRET", "1", 1), 0);
  config.hooks = {shell_hook("vip", "exec /usr/bin/env > " + file("environment"))};
  ASSERT_TRUE(HookRunner(config, "alpha").acquire(HookCause::switchover, {41}, cancel));
  std::istringstream lines(read_text(file("environment")));
  std::vector<std::string> all;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("PWD=")) all.push_back(line);  // the shell's own
  }
  EXPECT_THAT(all, testing::UnorderedElementsAre(
                       "COLO_GUEST=ledger", "COLO_HOST=alpha", "COLO_PEER=beta", "COLO_HOOK=vip",
                       "COLO_GENERATION=41", "COLO_CAUSE=switchover", "LC_ALL=C.UTF-8",
                       "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
}

TEST_F(HooksTest, AnEmptyListIsAlwaysAcquired) {
  HookRunner runner(config, "beta");
  EXPECT_TRUE(runner.acquire(HookCause::takeover, {7}, cancel));
  EXPECT_TRUE(runner.release(HookRunner::Of::all, HookCause::lost, {7}, cancel));
  EXPECT_EQ(log.str(), "");
}

}  // namespace
}  // namespace colo::app
