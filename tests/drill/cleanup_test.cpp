// A drill that is broken off, in whatever way, leaves no files and no processes.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <thread>
#include <vector>

#include "demo/folder.h"
#include "demo/process.h"

namespace colo::drill {
namespace {

namespace fs = std::filesystem;

std::size_t entries(const fs::path& folder) {
  std::error_code ignored;
  std::size_t count = 0;
  for (auto entry = fs::directory_iterator(folder, ignored);
       !ignored && entry != fs::directory_iterator(); entry.increment(ignored)) {
    count += 1;
  }
  return count;
}

// Processes that work in this folder, as every engine of a drill does.
std::size_t workers_in(const fs::path& folder) {
  std::error_code ignored;
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const fs::path directory = fs::read_symlink(entry.path() / "cwd", ignored);
    if (directory.string().rfind(folder.string() + "/", 0) == 0) count += 1;
  }
  return count;
}

bool soon(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return true;
}

class DrillCleanup : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    fs::create_directory(rounds_);
    ::setenv("TMPDIR", rounds_.c_str(), 1);
  }
  void TearDown() override { ::unsetenv("TMPDIR"); }
  demo::Folder folder_ = std::move(*demo::Folder::make());
  fs::path rounds_ = folder_.path() / "t";
};

TEST_P(DrillCleanup, LeavesNothingWhenItIsBrokenOff) {
  demo::Command command{
      {COLO_BINARY, "drill", "--embedded", "--jobs", "2", "silent-drop", "blip-5"},
      -1,
      folder_.log("drill")};
  auto drill = demo::Child::start(command);
  ASSERT_TRUE(drill) << drill.error().text();
  // Both rounds have both of their engines.
  ASSERT_TRUE(soon([&] { return workers_in(rounds_) >= 4; }));
  std::vector<fs::path> kept;  // what the engines keep in memory has the same names
  for (const auto& entry : fs::directory_iterator(rounds_)) {
    kept.push_back(demo::Folder::shared_memory() / entry.path().filename());
  }
  ::kill(drill->pid(), GetParam());
  EXPECT_TRUE(soon([&] { return workers_in(rounds_) == 0; }));
  EXPECT_TRUE(soon([&] { return entries(rounds_) == 0; }));
  for (const fs::path& one : kept) EXPECT_FALSE(fs::exists(one)) << one;
  EXPECT_TRUE(soon([&] { return drill->ended().has_value(); }));
  if (GetParam() != SIGKILL) {
    EXPECT_EQ(*drill->ended(), "exit status 130");
  }
}

INSTANTIATE_TEST_SUITE_P(Signals, DrillCleanup, testing::Values(SIGINT, SIGTERM, SIGKILL));

}  // namespace
}  // namespace colo::drill
