// The memory of a standby in a file with a name: what it survives and what is refused.
#include "guest/memory_file.h"

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "tests/guest_embedded/fixture.h"

namespace colo::guest::embedded::testing {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t bytes = 4ULL << 20;

class MemoryFiles : public ::testing::Test {
 protected:
  MemoryFiles() : folder_("/dev/shm/colo-test-" + std::to_string(::getpid())) {
    fs::create_directory(folder_);
  }
  ~MemoryFiles() override { fs::remove_all(folder_); }
  [[nodiscard]] fs::path file() const { return folder_ / "memory"; }
  std::string word(std::uint64_t size = bytes) const {
    const auto opened = open_memory_file(file(), size);
    return opened ? "opened" : opened.error().word;
  }
  const fs::path folder_;
};

TEST_F(MemoryFiles, ContentOutlivesGuestAndMaker) {
  std::uint64_t first = 0;
  {
    auto maker = make_embedded_maker(config_of());
    const auto used = maker->use_memory_file(file());
    ASSERT_TRUE(used) << used.error().text();
    first = *used;
    auto standby = maker->standby();
    ASSERT_TRUE(standby) << standby.error().text();
    EXPECT_TRUE((*standby)->write_page(0, 5, Bytes(page_bytes, std::byte{7})));
  }
  struct stat facts {};
  ASSERT_EQ(::stat(file().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0600U);
  EXPECT_GE(static_cast<std::uint64_t>(facts.st_blocks) * 512, bytes) << "memory is not set aside";
  auto maker = make_embedded_maker(config_of());
  const auto used = maker->use_memory_file(file());
  ASSERT_TRUE(used) << used.error().text();
  EXPECT_EQ(*used, first);
  auto standby = maker->standby();
  ASSERT_TRUE(standby) << standby.error().text();
  EXPECT_EQ((*standby)->mapping(0)[5 * page_bytes], std::byte{7});
  // A guest that boots starts from zero, and leaves the file alone.
  standby->reset();
  auto booted = maker->boot();
  ASSERT_TRUE(booted) << booted.error().text();
  EXPECT_EQ((*booted)->mapping(0)[5 * page_bytes], std::byte{0});
  std::ifstream in(file(), std::ios::binary);
  in.seekg(5 * page_bytes);
  EXPECT_EQ(in.get(), 7);
}

TEST_F(MemoryFiles, AnotherSizeIsReplacedAndIsAnotherFile) {
  const auto first = open_memory_file(file(), bytes);
  ASSERT_TRUE(first) << first.error().text();
  const auto second = open_memory_file(file(), 2 * bytes);
  ASSERT_TRUE(second) << second.error().text();
  EXPECT_NE(first->inode, second->inode);
  EXPECT_EQ(fs::file_size(file()), 2 * bytes);
}

TEST_F(MemoryFiles, WhatIsNotOursAloneIsRefused) {
  ASSERT_EQ(word(), "opened");
  ::chmod(file().c_str(), 0640);
  EXPECT_EQ(word(), "memory-file");
  fs::remove(file());
  std::ofstream(folder_ / "other") << "mine";
  fs::create_symlink(folder_ / "other", file());
  EXPECT_EQ(word(), "memory-file");
  fs::remove(file());
  fs::create_hard_link(folder_ / "other", file());
  ::chmod(file().c_str(), 0600);
  EXPECT_EQ(word(), "memory-file");
  fs::remove(file());
  EXPECT_EQ(fs::file_size(folder_ / "other"), 4U) << "it must be untouched";
  fs::create_directory(file());
  EXPECT_EQ(word(), "memory-file");
}

TEST_F(MemoryFiles, ADiskIsRefused) {
  const auto opened = open_memory_file("/proc/colo-test", bytes);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().word, "not-in-memory");
}

class SmallMemoryFiles : public MemoryFiles {
 protected:
  void SetUp() override {
    mounted_ = ::mount("tmpfs", folder_.c_str(), "tmpfs", 0, "size=6m") == 0;
    if (!mounted_) GTEST_SKIP() << "needs root: a small tmpfs";
  }
  void TearDown() override {
    if (mounted_) ::umount2(folder_.c_str(), MNT_DETACH);
  }
  bool mounted_ = false;
};

TEST_F(SmallMemoryFiles, AFullFileSystemIsToldAndLeavesNothing) {
  EXPECT_EQ(word(8ULL << 20), "memory-full");
  EXPECT_FALSE(fs::exists(file()));
  ASSERT_EQ(word(), "opened");
  std::ofstream(file(), std::ios::in | std::ios::binary) << "kept";
  // The maker goes on with memory that has no name.
  auto maker = make_embedded_maker(config_of(20000, {"net0"}, 8ULL << 20));
  const auto used = maker->use_memory_file(folder_ / "another");
  ASSERT_FALSE(used);
  EXPECT_EQ(used.error().word, "memory-full");
  EXPECT_NE(used.error().reason.find("8 MiB"), std::string::npos) << used.error().reason;
  EXPECT_TRUE(maker->standby());
  std::ifstream in(file(), std::ios::binary);
  EXPECT_EQ(in.get(), 'k') << "what was kept there before is lost";
}

}  // namespace
}  // namespace colo::guest::embedded::testing
