// The network of the demonstration, for real: needs root, else it is skipped.
#include "demo/stage.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "demo/namespaces.h"
#include "demo/process.h"

namespace colo::demo {
namespace {

bool exists(const std::string& name) {
  return std::filesystem::exists(std::filesystem::path("/run/netns") / name);
}

class StageTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "network namespaces need root";
    auto built = Stage::build();
    ASSERT_TRUE(built) << built.error().text();
    stage_ = std::move(*built);
  }
  bool reaches(const std::string& from, const std::string& address) {
    auto ping = run({"ip", "netns", "exec", namespace_prefix(::getpid()) + from, "busybox", "ping",
                     "-c", "1", "-W", "1", address});
    return ping.has_value();
  }
  // A switch forwards only a moment after its ports have come up.
  bool reaches_soon(const std::string& from, const std::string& address) {
    for (int tries = 0; tries < 10; ++tries) {
      if (reaches(from, address)) return true;
    }
    return false;
  }
  std::unique_ptr<Stage> stage_;
};

TEST_F(StageTest, JoinsTheHostsUntilTheLinkIsCut) {
  EXPECT_TRUE(reaches_soon("alpha", "10.77.1.2"));
  EXPECT_TRUE(reaches_soon("beta", "10.77.1.1"));
  ASSERT_TRUE(stage_->cut());
  EXPECT_FALSE(reaches("alpha", "10.77.1.2"));
  EXPECT_FALSE(reaches("beta", "10.77.1.1"));
  // Silence, not a lost carrier.
  const std::string alpha = namespace_prefix(::getpid()) + "alpha";
  const auto link = run({"ip", "-n", alpha, "link", "show", "repl0"});
  ASSERT_TRUE(link) << link.error().text();
  EXPECT_NE(link->find("LOWER_UP"), std::string::npos) << *link;
}

TEST_F(StageTest, MendsWhatItsLinkSuffered) {
  ASSERT_TRUE(reaches_soon("alpha", "10.77.1.2"));
  for (const auto& harm : std::vector<std::function<Result<void>()>>{
           [&] { return stage_->cut(); }, [&] { return stage_->unplug(); },
           [&] { return stage_->cut_towards("alpha"); }}) {
    const auto harmed = harm();
    ASSERT_TRUE(harmed) << harmed.error().text();
    EXPECT_FALSE(reaches("alpha", "10.77.1.2"));
    const auto mended = stage_->mend();
    ASSERT_TRUE(mended) << mended.error().text();
    EXPECT_TRUE(reaches_soon("alpha", "10.77.1.2"));
  }
}

TEST_F(StageTest, EndsWhoLivesInItAndLeavesNothing) {
  Command command{{"/bin/sleep", "600"}, stage_->namespace_of("alpha"), "/dev/null"};
  auto sleeper = Child::start(command);
  ASSERT_TRUE(sleeper) << sleeper.error().text();
  while (stage_->processes_of("alpha").empty()) ::usleep(1000);
  EXPECT_EQ(stage_->processes_of("alpha"), std::vector<pid_t>{sleeper->pid()});
  EXPECT_TRUE(stage_->processes_of("beta").empty());
  const auto removed = stage_->remove();
  EXPECT_TRUE(removed) << removed.error().text();
  EXPECT_EQ(sleeper->end(std::chrono::seconds(5)), "signal 9");
  for (const char* host : {"alpha", "beta", "client"}) {
    EXPECT_FALSE(exists(namespace_prefix(::getpid()) + host));
  }
}

TEST_F(StageTest, IsRemovedForADemonstrationThatDied) {
  const pid_t dead = ::fork();
  if (dead == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(dead, nullptr, 0), dead);
  const std::string stale = namespace_prefix(dead) + "alpha";
  ASSERT_TRUE(run({"ip", "netns", "add", stale}));
  remove_stale_namespaces();
  EXPECT_FALSE(exists(stale));
  EXPECT_TRUE(exists(namespace_prefix(::getpid()) + "alpha"));
}

}  // namespace
}  // namespace colo::demo
