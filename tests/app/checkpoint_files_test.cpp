// The files in which a secondary keeps its checkpoint: found again, refused, removed.
#include "app/checkpoint_files.h"

#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "cache/cache.h"

namespace colo::app {
namespace {

namespace fs = std::filesystem;

const MemoryLayout layout{{"ram", 2000, true}};
constexpr std::uint64_t staged_pages = 4000;

class Checkpoints : public ::testing::Test {
 protected:
  Checkpoints() : parent_("/dev/shm/colo-test-" + std::to_string(::getpid())) {}
  ~Checkpoints() override { fs::remove_all(parent_); }

  std::unique_ptr<CheckpointFiles> open() const {
    auto files = CheckpointFiles::open(parent_, "ledger.beta");
    EXPECT_TRUE(files) << files.error().text();
    return files ? std::move(*files) : nullptr;
  }
  static std::string word(const Result<std::unique_ptr<CheckpointFiles>>& files) {
    return files ? "opened" : files.error().word;
  }
  static std::unique_ptr<cache::Cache> new_cache(const CheckpointFiles& files) {
    auto arena = files.create_store(cache::Store::arena_bytes(layout, staged_pages));
    EXPECT_TRUE(arena) << arena.error().text();
    auto store = cache::Store::create(std::move(*arena), layout);
    EXPECT_TRUE(store) << store.error().text();
    return std::make_unique<cache::Cache>(layout, std::vector<bool>{true},
                                          cache::CacheLimits{staged_pages}, std::move(*store));
  }
  static void commit(cache::Cache& cache, Epoch epoch, std::uint64_t pages) {
    const Bytes page(page_bytes, std::byte{9});
    for (PageIndex i = 0; i < pages; ++i) ASSERT_TRUE(cache.put_page(epoch, {0, i}, page));
    ASSERT_TRUE(cache.put_device_state(epoch, Bytes(1000)));
    ASSERT_TRUE(cache.commit(epoch));
  }

  const fs::path parent_;
};

TEST_F(Checkpoints, OfAnEngineThatIsGoneAreFoundUntilTheyAreRemoved) {
  {
    const auto files = open();
    ASSERT_TRUE(files);
    const auto nothing = files->open_store();
    ASSERT_FALSE(nothing);
    EXPECT_EQ(nothing.error().word, "nothing-kept");
    commit(*new_cache(*files), Epoch{1}, 500);
    struct stat facts {};
    ASSERT_EQ(::stat((parent_ / "ledger.beta" / "checkpoint").c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 07777, 0600U);
    EXPECT_LT(facts.st_blocks * 512, 8 << 20) << "it takes more memory than it needs";
    ASSERT_EQ(::stat((parent_ / "ledger.beta").c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 07777, 0700U);
  }
  const auto files = open();
  ASSERT_TRUE(files);
  auto arena = files->open_store();
  ASSERT_TRUE(arena) << arena.error().text();
  const auto kept = cache::Cache::reopen(std::move(*arena), {staged_pages});
  ASSERT_TRUE(kept) << kept.error().text();
  EXPECT_EQ((*kept)->committed(), Epoch{1});
  std::ofstream(files->memory_file()) << "memory";
  files->remove();
  EXPECT_FALSE(files->open_store());
  EXPECT_FALSE(fs::exists(files->memory_file()));
}

TEST_F(Checkpoints, TwoEnginesNeverShareThem) {
  const auto files = open();
  ASSERT_TRUE(files);
  const auto second = CheckpointFiles::open(parent_, "ledger.beta");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().word, "checkpoint-files");
  EXPECT_NE(second.error().reason.find("runs already"), std::string::npos);
  EXPECT_EQ(word(CheckpointFiles::open(parent_, "ledger.alpha")), "opened");
}

TEST_F(Checkpoints, ADirectoryThatOthersMayChangeIsRefused) {
  fs::create_directory(parent_);
  ::chmod(parent_.c_str(), 0777);
  EXPECT_EQ(word(CheckpointFiles::open(parent_, "ledger.beta")), "checkpoint-files");
  fs::remove(parent_);
  fs::create_directory_symlink("/dev/shm", parent_);
  EXPECT_EQ(word(CheckpointFiles::open(parent_, "ledger.beta")), "checkpoint-files");
  EXPECT_EQ(word(CheckpointFiles::open("/proc/colo", "ledger.beta")), "checkpoint-files");
  EXPECT_EQ(word(CheckpointFiles::open("/proc", "ledger.beta")), "not-in-memory");
}

// Protection goes on without it, and nothing stale is found.
TEST_F(Checkpoints, AFullFileSystemEndsKeepingAndLosesNothing) {
  fs::create_directory(parent_);
  if (::mount("tmpfs", parent_.c_str(), "tmpfs", 0, "size=6m") != 0) {
    GTEST_SKIP() << "needs root: a small tmpfs";
  }
  {
    const auto files = open();
    ASSERT_TRUE(files);
    const auto cache = new_cache(*files);
    commit(*cache, Epoch{1}, 500);
    EXPECT_FALSE(cache->store_trouble());
    commit(*cache, Epoch{2}, 2000);
    ASSERT_TRUE(cache->store_trouble());
    EXPECT_EQ(cache->store_trouble()->word, "memory-full");
    EXPECT_EQ(cache->committed(), Epoch{2});
    auto arena = files->open_store();
    ASSERT_TRUE(arena);
    const auto kept = cache::Cache::reopen(std::move(*arena), {staged_pages});
    ASSERT_FALSE(kept);
    EXPECT_EQ(kept.error().word, "nothing-kept");
  }
  ::umount2(parent_.c_str(), MNT_DETACH);
}

}  // namespace
}  // namespace colo::app
