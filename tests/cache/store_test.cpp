// The rules of a cache with a store, one scenario each.
#include "tests/cache/kept.h"

namespace colo::cache {
namespace {

using testing::MemoryTarget;
using testing::new_arena;
using testing::new_cache;
using testing::origin_of;
using testing::page_of;
using testing::SharedMemory;
using testing::small_layout;
using testing::staged_pages;
using testing::TestArena;
using testing::video_mirrored;

class StoreRules : public ::testing::Test {
 protected:
  void checkpoint(Cache& cache, std::uint64_t n, std::uint32_t content) {
    ASSERT_TRUE(cache.put_page(Epoch{n}, {0, n}, page_of(content)));
    ASSERT_TRUE(cache.put_page(Epoch{n}, {1, n}, page_of(content + 1)));
    ASSERT_TRUE(cache.put_device_state(Epoch{n}, Bytes(100, static_cast<std::byte>(n))));
    cache.set_origin(origin_of(n));
    ASSERT_TRUE(cache.commit(Epoch{n}));
  }
  Result<std::unique_ptr<Cache>> reopen() {
    return Cache::reopen(std::make_unique<TestArena>(arena_), {staged_pages});
  }
  std::string word() {
    const auto reopened = reopen();
    return reopened ? "checkpoint " + std::to_string((*reopened)->committed().value)
                    : reopened.error().word;
  }

  std::shared_ptr<SharedMemory> arena_ = new_arena();
  MemoryTarget target_;
};

TEST_F(StoreRules, NothingIsKeptBeforeTheFirstCommitNorAfterStrikingOut) {
  EXPECT_EQ(word(), "nothing-kept");
  auto cache = new_cache(std::make_unique<TestArena>(arena_));
  ASSERT_TRUE(cache->put_page(Epoch{1}, {0, 1}, page_of(5)));
  EXPECT_EQ(word(), "nothing-kept");
  checkpoint(*cache, 1, 10);
  EXPECT_EQ(word(), "checkpoint 1");
  cache->strike_out();
  EXPECT_EQ(word(), "nothing-kept");
  checkpoint(*cache, 2, 20);  // the cache goes on; nothing of it is kept
  EXPECT_EQ(word(), "nothing-kept");
  EXPECT_FALSE(cache->store_trouble());
  const auto flushed = cache->flush(target_);
  ASSERT_TRUE(flushed) << flushed.error().text();
  EXPECT_EQ(target_.at({0, 2}), 20U);
}

TEST_F(StoreRules, AFreshStoreForgetsWhatTheLastOneKept) {
  checkpoint(*new_cache(std::make_unique<TestArena>(arena_)), 1, 10);
  EXPECT_EQ(word(), "checkpoint 1");
  new_cache(std::make_unique<TestArena>(arena_));
  EXPECT_EQ(word(), "nothing-kept");
}

// Without it the connections of a guest that was a replica once would break in the next engine.
TEST_F(StoreRules, TheTableOfRewrittenConnectionsIsKeptWithItsCheckpoint) {
  auto cache = new_cache(std::make_unique<TestArena>(arena_));
  for (std::uint64_t n = 1; n <= 6; ++n) {
    checkpoint(*cache, n, 10);
    Origin next = origin_of(n);
    next.flows.assign(999, std::byte{1});
    cache->set_origin(next);  // of a checkpoint that never comes
    auto reopened = reopen();
    ASSERT_TRUE(reopened);
    EXPECT_EQ((*reopened)->origin().flows, origin_of(n).flows);
  }
}

TEST_F(StoreRules, StagedPagesAreNotKept) {
  auto cache = new_cache(std::make_unique<TestArena>(arena_));
  checkpoint(*cache, 1, 10);
  ASSERT_TRUE(cache->put_page(Epoch{2}, {0, 1}, page_of(99)));
  cache.reset();
  auto reopened = reopen();
  ASSERT_TRUE(reopened);
  ASSERT_TRUE((*reopened)->flush(target_));
  EXPECT_EQ(target_.at({0, 1}), 10U);
  EXPECT_EQ(target_.at({1, 1}), 11U);
}

TEST_F(StoreRules, AReopenedCacheGoesOnWithTheNextEpoch) {
  checkpoint(*new_cache(std::make_unique<TestArena>(arena_)), 1, 10);
  {
    auto reopened = reopen();
    ASSERT_TRUE(reopened);
    EXPECT_EQ((*reopened)->put_page(Epoch{1}, {0, 1}, page_of(5)).error().word,
              "epoch-out-of-order");
    checkpoint(**reopened, 2, 20);
  }
  auto again = reopen();
  ASSERT_TRUE(again);
  EXPECT_EQ((*again)->committed(), Epoch{2});
  ASSERT_TRUE((*again)->flush(target_));
  EXPECT_EQ(target_.at({0, 1}), 10U);
  EXPECT_EQ(target_.at({0, 2}), 20U);
}

TEST_F(StoreRules, ADamagedRecordIsRefusedAndTheOlderOneIsNotTakenInstead) {
  {
    auto cache = new_cache(std::make_unique<TestArena>(arena_));
    checkpoint(*cache, 1, 10);
    checkpoint(*cache, 2, 20);
  }
  // The record of checkpoint 2 is the one in the first place: 1 went to the second.
  const MutableBytes all = arena_->bytes();
  std::uint64_t record_bytes = 0;
  std::memcpy(&record_bytes, all.data() + 16, sizeof record_bytes);
  std::uint64_t body = 0;
  std::memcpy(&body, all.data() + page_bytes + 16, sizeof body);
  ASSERT_GT(body, 200U);
  for (std::size_t i = 8; i < 32 + body; ++i) {
    std::byte& byte = all[page_bytes + i];
    byte ^= std::byte{0x10};
    ASSERT_EQ(word(), "store-damaged") << "byte " << i;
    byte ^= std::byte{0x10};
  }
  ASSERT_EQ(word(), "checkpoint 2");
  // What is left of the older one, or half of the next, does not matter.
  for (std::size_t i = 8; i < 200; ++i) all[page_bytes + record_bytes + i] ^= std::byte{0xff};
  EXPECT_EQ(word(), "checkpoint 2");
}

// The process was killed after the new record was valid and before the old one was struck out.
TEST_F(StoreRules, OfTwoValidRecordsTheNewerCountsAndStrikingOutEndsBoth) {
  {
    auto cache = new_cache(std::make_unique<TestArena>(arena_));
    checkpoint(*cache, 1, 10);
    checkpoint(*cache, 2, 20);
  }
  const MutableBytes all = arena_->bytes();
  std::uint64_t record_bytes = 0;
  std::memcpy(&record_bytes, all.data() + 16, sizeof record_bytes);
  const std::uint64_t first = 1;
  std::memcpy(all.data() + page_bytes + record_bytes, &first, sizeof first);
  auto reopened = reopen();
  ASSERT_TRUE(reopened);
  EXPECT_EQ((*reopened)->committed(), Epoch{2});
  (*reopened)->strike_out();
  EXPECT_EQ(word(), "nothing-kept");
}

TEST_F(StoreRules, ADamagedHeadOrAnotherVersionIsRefused) {
  checkpoint(*new_cache(std::make_unique<TestArena>(arena_)), 1, 10);
  const MutableBytes all = arena_->bytes();
  const auto word_with = [&](std::size_t at, std::byte flip) {
    all[at] ^= flip;
    const std::string found = word();
    all[at] ^= flip;
    return found;
  };
  EXPECT_EQ(word_with(0, std::byte{1}), "nothing-kept");
  EXPECT_EQ(word_with(8, std::byte{2}), "store-version");
  EXPECT_EQ(word_with(16, std::byte{1}), "store-damaged");
  EXPECT_EQ(word_with(23, std::byte{0x70}), "store-damaged");
  EXPECT_EQ(word(), "checkpoint 1");
}

TEST_F(StoreRules, SlotsOfAKeptRecordAreNotWrittenBeforeTheNextRecord) {
  auto cache = new_cache(std::make_unique<TestArena>(arena_));
  for (PageIndex i = 0; i < 200; ++i) ASSERT_TRUE(cache->put_page(Epoch{1}, {0, i}, page_of(7)));
  checkpoint(*cache, 1, 10);
  // Much is staged over it; none of it may be in the memory that record 1 names.
  for (PageIndex i = 0; i < 300; ++i) ASSERT_TRUE(cache->put_page(Epoch{2}, {0, i}, page_of(8)));
  cache.reset();
  auto reopened = reopen();
  ASSERT_TRUE(reopened);
  ASSERT_TRUE((*reopened)->flush(target_));
  for (PageIndex i = 2; i < 200; ++i) ASSERT_EQ(target_.at({0, i}), 7U) << i;
}

TEST_F(StoreRules, SteadyStateTakesNoNewMemory) {
  auto cache = new_cache(std::make_unique<TestArena>(arena_));
  for (std::uint64_t n = 1; n < 40; ++n) {
    for (PageIndex i = 0; i < 250; ++i) {
      ASSERT_TRUE(cache->put_page(Epoch{n}, {0, i}, page_of(static_cast<std::uint32_t>(n))));
    }
    checkpoint(*cache, n, 10);
    if (n % 3 != 0) {
      ASSERT_TRUE(cache->flush(target_));
    }
  }
  // Staged and committed: twice 251 pages, and the mirrored ones.
  EXPECT_LE(cache->figures().bytes, 3U << 20);
}

// Protection goes on; what was kept would be older than what was acknowledged, so it is struck out.
TEST_F(StoreRules, AFullStoreIsToldAndNothingOfTheCheckpointIsLost) {
  for (const std::size_t budget :
       {2 * page_bytes, std::size_t{4 * page_bytes}, std::size_t{(1U << 20) + 4 * page_bytes}}) {
    SCOPED_TRACE(budget);
    auto store =
        Store::create(std::make_unique<TestArena>(arena_, budget + page_bytes), small_layout);
    ASSERT_TRUE(store);
    Cache cache(small_layout, video_mirrored, {staged_pages}, std::move(*store));
    for (std::uint64_t n = 1; n <= 3; ++n) {
      for (PageIndex i = 10; i < 290; ++i) {
        const auto content = static_cast<std::uint32_t>(n * 1000 + i);
        ASSERT_TRUE(cache.put_page(Epoch{n}, {0, i}, page_of(content)));
      }
      checkpoint(cache, n, 10);
    }
    ASSERT_TRUE(cache.store_trouble());
    EXPECT_EQ(cache.store_trouble()->word, "store-full");
    EXPECT_EQ(word(), "nothing-kept");
    ASSERT_TRUE(cache.flush(target_));
    for (PageIndex i = 10; i < 290; ++i) ASSERT_EQ(target_.at({0, i}), 3000 + i);
  }
}

TEST_F(StoreRules, NoMemoryForTheStoreIsAnError) {
  const auto store = Store::create(std::make_unique<TestArena>(arena_, page_bytes), small_layout);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().word, "store-full");
}

}  // namespace
}  // namespace colo::cache
