// Which phase a log tells of, and that a watched line is seen.
#include "drill/log_steps.h"

#include <gmock/gmock.h>

#include <fstream>
#include <thread>

#include "demo/folder.h"
#include "drill/history.h"

namespace colo::drill {
namespace {

std::string line(const std::string& words) {
  return "2026-11-21T14:39:38.448Z trace alpha: " + words + "\n";
}

TEST(DrillPhase, FollowsFromTheLastStep) {
  EXPECT_EQ(phase_after(""), "idle");
  std::string log = line("step: pass 1");
  EXPECT_EQ(phase_after(log), "initial-copy");
  log += line("step: awaiting 1");
  EXPECT_EQ(phase_after(log), "commit");
  log += line("step: acknowledged 1");
  EXPECT_EQ(phase_after(log), "idle");
  log += line("step: pass 2");
  EXPECT_EQ(phase_after(log), "pass");
  log += line("step: standstill 2");
  EXPECT_EQ(phase_after(log), "standstill");
  log += line("step: sending 2");
  EXPECT_EQ(phase_after(log), "stream");
  log += line("beta is lost: lane-reset");
  EXPECT_EQ(phase_after(log), "stream");
}

TEST(DrillPhase, OfASecondaryIsItsFlushOrLoad) {
  EXPECT_EQ(phase_after(line("step: committed 7") + line("step: flushing")), "flush");
  EXPECT_EQ(phase_after(line("step: flushing") + line("step: flushed 7")), "idle");
  EXPECT_EQ(phase_after(line("step: loading")), "load");
}

TEST(DrillPhase, OfAReplicaThatIsToRunIsItsStart) {
  std::string log = line("step: loading") + line("step: loaded");
  EXPECT_EQ(phase_after(log), "idle");
  log += line("step: starting 7");
  EXPECT_EQ(phase_after(log), "start");
  log += line("step: replica-runs");
  EXPECT_EQ(phase_after(log), "idle");
}

TEST(DrillPhase, OfASwitchoverIsItsStep) {
  std::string log = line("HANDING-OVER/passing: to beta: sending") + line("step: pass 9");
  EXPECT_EQ(phase_after(log), "passing");
  log += line("HANDING-OVER/loading: beta loads");
  EXPECT_EQ(phase_after(log), "loading");
  log += line("PROTECTED: checkpoint 9") + line("step: pass 10");
  EXPECT_EQ(phase_after(log), "pass");
}

class DrillFiles : public testing::Test {
 protected:
  void write(const std::filesystem::path& path, const std::string& text) {
    std::ofstream(path, std::ios::app) << text;
  }
  demo::Folder folder_ = std::move(*demo::Folder::make());
};

TEST_F(DrillFiles, WatchSeesWhatIsWrittenFromNowOn) {
  const auto log = folder_.log("alpha");
  write(log, line("step: pass 1"));
  LogWatch watch(log);
  EXPECT_FALSE(watch.wait_for("step: pass", std::chrono::milliseconds(0), [] { return false; }));
  std::thread writer([&] {
    write(log, "step: pa");
    write(log, "ss 2\n");
  });
  EXPECT_TRUE(watch.wait_for("step: pass", std::chrono::seconds(60), [] { return false; }));
  writer.join();
}

TEST_F(DrillFiles, HistoryIsReadFromTheArbitersOwnFiles) {
  write(folder_.arbiter() / "generation.1", "colo-ownership 1\ngeneration 1\nowner alpha\nrun r\n");
  write(folder_.arbiter() / "generation.2", "colo-ownership 1\ngeneration 2\nowner \nrun r\n");
  const auto owners = read_history(folder_.arbiter());
  ASSERT_TRUE(owners) << owners.error().text();
  ASSERT_EQ(owners->size(), 2U);
  EXPECT_EQ((*owners)[0].host, "alpha");
  EXPECT_EQ((*owners)[1].host, "");
  write(folder_.arbiter() / "generation.3", "something else\n");
  EXPECT_FALSE(read_history(folder_.arbiter()));
}

TEST_F(DrillFiles, OneHostLosesTheArbiterAndTheOtherDoesNot) {
  ASSERT_TRUE(folder_.hide_arbiter("alpha"));
  EXPECT_FALSE(std::filesystem::exists(folder_.host_directory("alpha") / "arbiter"));
  EXPECT_TRUE(std::filesystem::exists(folder_.host_directory("beta") / "arbiter"));
  ASSERT_TRUE(folder_.show_arbiter("alpha"));
  EXPECT_TRUE(std::filesystem::exists(folder_.host_directory("alpha") / "arbiter"));
}

}  // namespace
}  // namespace colo::drill
