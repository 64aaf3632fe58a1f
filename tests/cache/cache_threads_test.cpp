// A stager and a flush thread at once, as in the engine.
#include <atomic>
#include <condition_variable>
#include <functional>
#include <random>
#include <thread>

#include "tests/cache/memory_target.h"

namespace colo::cache {
namespace {

using testing::MemoryTarget;
using testing::page_of;

constexpr std::uint32_t staged_content = 0xFFFFFFFF;

// A target that calls back before a chosen write, on the flush thread.
class InterruptedTarget final : public FlushTarget {
 public:
  Result<void> write_page(PageId page, ByteView bytes) override {
    if (writes_++ == at && interrupt) interrupt();
    EXPECT_NE(testing::content_of(bytes), staged_content);
    return memory.write_page(page, bytes);
  }
  MemoryTarget memory;
  std::uint64_t at = 0;
  std::function<void()> interrupt;

 private:
  std::uint64_t writes_ = 0;
};

void commit(Cache& cache, std::map<PageId, std::uint32_t>& model, std::uint64_t seed,
            int puts = 150) {
  const Epoch epoch = cache.committed().next();
  std::mt19937_64 random(seed);
  for (int i = 0; i < puts; ++i) {
    const PageId page = random() % 5 == 0 ? PageId{1, random() % 40} : PageId{0, random() % 300};
    const auto content = static_cast<std::uint32_t>(random() % 4 == 0 ? 0 : random() % 100000);
    ASSERT_TRUE(cache.put_page(epoch, page, page_of(content)));
    model[page] = content;
  }
  ASSERT_TRUE(cache.put_device_state(epoch, Bytes(8)));
  ASSERT_TRUE(cache.commit(epoch));
}

// Deterministic: the commit of n+1 falls exactly before the k-th write of the flush of n.
TEST(CacheThreads, ACommitAtAnyWriteOfAFlushEndsInExactlyTheNewerCheckpoint) {
  constexpr int enough_for_two_batches = 3000;
  std::uint64_t writes = 1;
  for (std::uint64_t at = 0; at < writes; at += 3) {
    Cache cache(testing::small_layout, testing::video_mirrored, {});
    std::map<PageId, std::uint32_t> model;
    commit(cache, model, at * 2 + 1, enough_for_two_batches);
    writes = cache.figures().received_pages;
    ASSERT_GT(writes, 256U);
    InterruptedTarget target;
    target.at = at;
    bool interrupted = false;
    target.interrupt = [&] {
      interrupted = true;
      commit(cache, model, at * 2 + 2);
      for (const auto& [page, content] : model) {
        if (page.region != 1) continue;  // the guest process went away, and this memory with it
        target.memory.pages[page] = testing::garbage;
        cache.mark_diverged(page, 1);
      }
      // Staged memory must not be that which the flush still reads.
      for (PageIndex page = 0; page < 300; ++page) {
        ASSERT_TRUE(cache.put_page(Epoch{3}, {0, page}, page_of(staged_content)));
      }
      EXPECT_EQ(cache.figures().flushed, Epoch{0});
    };
    const auto ok = cache.flush(target);
    ASSERT_TRUE(ok) << ok.error().text();
    ASSERT_TRUE(interrupted) << "at write " << at;
    ASSERT_EQ(cache.figures().flushed, Epoch{2});
    ASSERT_EQ(target.memory.pages, model) << "at write " << at;
  }
}

TEST(CacheThreads, AFlushThatFailsAfterACommitInItsMiddleIsBegunAgain) {
  Cache cache(testing::small_layout, testing::video_mirrored, {});
  std::map<PageId, std::uint32_t> model;
  commit(cache, model, 1);
  InterruptedTarget target;
  target.at = 50;
  target.interrupt = [&] { commit(cache, model, 2); };
  target.memory.fails_after = 70;
  EXPECT_EQ(cache.flush(target).error().word, "write-failed");
  EXPECT_EQ(cache.figures().flushed, Epoch{0});
  target.memory.fails_after.reset();
  ASSERT_TRUE(cache.flush(target));
  EXPECT_EQ(target.memory.pages, model);
}

TEST(CacheThreads, StagingAndFlushingAtOnceLoseNothing) {
  Cache cache(testing::small_layout, testing::video_mirrored, {});
  std::map<PageId, std::uint32_t> model;
  commit(cache, model, 1);
  std::atomic<bool> done{false};
  MemoryTarget target;
  std::thread flusher([&] {
    std::mt19937_64 random(99);
    while (!done) {
      target.writes = 0;
      target.fails_after = random() % 3 == 0 ? std::optional(random() % 200) : std::nullopt;
      const auto ok = cache.flush(target);
      if (!ok) {
        EXPECT_EQ(ok.error().word, "write-failed");
      }
      const CacheFigures figures = cache.figures();
      EXPECT_LE(figures.flushed, figures.committed);
    }
  });
  for (std::uint64_t seed = 2; seed < 120; ++seed) {
    commit(cache, model, seed);
    if (seed % 7 == 0) cache.mark_diverged({1, model.rbegin()->first.page}, 1);
    if (seed % 5 == 0) {
      EXPECT_TRUE(cache.put_zero(cache.committed().next(), {0, 0}));
      cache.discard_staged();
    }
  }
  done = true;
  flusher.join();
  target.fails_after.reset();
  ASSERT_TRUE(cache.flush(target));
  EXPECT_EQ(target.pages, model);
  EXPECT_FALSE(cache.flush_needed());
}

}  // namespace
}  // namespace colo::cache
