// A committed checkpoint outlives the process that held it, whole, whenever that process is killed.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <map>
#include <random>
#include <thread>

#include "tests/cache/memory_target.h"
#include "tests/cache/shared_arena.h"

namespace colo::cache {
namespace {

using testing::content_of;
using testing::MemoryTarget;
using testing::page_of;
using testing::SharedMemory;
using testing::small_layout;
using testing::TestArena;
using testing::video_mirrored;

constexpr std::uint64_t staged_pages = 400;

std::shared_ptr<SharedMemory> new_arena() {
  return std::make_shared<SharedMemory>(Store::arena_bytes(small_layout, staged_pages));
}

std::unique_ptr<Cache> new_cache(std::unique_ptr<Arena> arena) {
  auto store = Store::create(std::move(arena), small_layout);
  EXPECT_TRUE(store) << store.error().text();
  return std::make_unique<Cache>(small_layout, video_mirrored, CacheLimits{staged_pages},
                                 std::move(*store));
}

Origin origin_of(std::uint64_t epoch) {
  Origin origin;
  origin.generation = {3 + epoch / 7};
  origin.token[5] = static_cast<std::byte>(epoch);
  origin.primary_run = "run-" + std::to_string(epoch);
  origin.memory = 77;
  origin.identity = epoch * 31;
  return origin;
}

// The guest's memory in shared memory, so that it outlives the process that flushes into it. The
// video memory lived in that process.
class SharedTarget final : public FlushTarget {
 public:
  explicit SharedTarget(std::shared_ptr<SharedMemory> ram) : ram_(std::move(ram)) {}
  Result<void> write_page(PageId page, ByteView bytes) override {
    std::memcpy(at(page).data(), bytes.data(), page_bytes);
    return {};
  }
  [[nodiscard]] MutableBytes at(PageId page) {
    if (page.region == 0) return ram_->bytes().subspan(page.page * page_bytes, page_bytes);
    return MutableBytes(video_).subspan(page.page * page_bytes, page_bytes);
  }

 private:
  std::shared_ptr<SharedMemory> ram_;
  Bytes video_ = Bytes(40 * page_bytes, std::byte{0x6a});
};

using Content = std::map<PageId, std::uint32_t>;

// What is committed is a function of the seed alone, so the parent knows what the child committed.
class Story {
 public:
  explicit Story(std::uint64_t seed) : random_(seed) {}
  struct Chapter {
    Content in_vain;  // staged, then dropped
    Content pages;
  };
  // Of the next checkpoint; the first has every page.
  Chapter next() {
    Chapter chapter;
    if (std::exchange(first_, false)) {
      for (PageIndex i = 0; i < 300; ++i) chapter.pages[{0, i}] = content();
      for (PageIndex i = 0; i < 40; ++i) chapter.pages[{1, i}] = content();
      return chapter;
    }
    if (random_() % 4 == 0) write_some(chapter.in_vain);
    write_some(chapter.pages);
    return chapter;
  }

 private:
  void write_some(Content& pages) {
    for (std::uint64_t i = random_() % 30; i > 0; --i) {
      const bool video = random_() % 6 == 0;
      const PageId page = video ? PageId{1, random_() % 40} : PageId{0, random_() % 300};
      pages[page] = content();
    }
  }
  std::uint32_t content() {
    return random_() % 4 == 0 ? 0 : static_cast<std::uint32_t>(random_() | 1U);
  }
  std::mt19937_64 random_;
  bool first_ = true;
};

void put(Cache& cache, Epoch epoch, const Content& pages) {
  for (const auto& [page, content] : pages) {
    COLO_CHECK(cache.put_page(epoch, page, page_of(content)).has_value());
  }
}

// Commits for ever, while a thread flushes for ever. `acknowledged`: as a peer would have heard it.
[[noreturn]] void live(Cache& cache, FlushTarget& target, Story& story,
                       std::atomic<std::uint64_t>& acknowledged) {
  std::thread flusher([&] {
    for (;;) {
      if (cache.flush_needed()) COLO_CHECK(cache.flush(target).has_value());
    }
  });
  for (std::uint64_t n = cache.committed().value + 1;; ++n) {
    const Story::Chapter chapter = story.next();
    put(cache, Epoch{n}, chapter.in_vain);
    if (n > 1) cache.discard_staged();
    put(cache, Epoch{n}, chapter.pages);
    const auto state = page_of(static_cast<std::uint32_t>(n));
    COLO_CHECK(cache.put_device_state(Epoch{n}, state).has_value());
    cache.set_origin(origin_of(n));
    COLO_CHECK(cache.commit(Epoch{n}).has_value());
    COLO_CHECK(!cache.store_trouble());
    acknowledged.store(n);
  }
}

class Killed : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  // The life of one process, which ends by SIGKILL after some commits, anywhere.
  void run_and_kill(bool first) {
    const std::uint64_t before = acknowledged().load();
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      SharedTarget target(ram_);
      Story story(GetParam());
      std::unique_ptr<Cache> cache;
      if (first) {
        cache = new_cache(std::make_unique<TestArena>(arena_));
      } else {
        auto reopened = Cache::reopen(std::make_unique<TestArena>(arena_), {staged_pages});
        COLO_CHECK(reopened.has_value());
        cache = std::move(*reopened);
        for (std::uint64_t n = 0; n < cache->committed().value; ++n) (void)story.next();
      }
      live(*cache, target, story, acknowledged());
    }
    const std::uint64_t enough = before + random_() % 12;
    while (acknowledged().load() < enough) {
      ASSERT_EQ(::waitpid(child, nullptr, WNOHANG), 0) << "the child ended by itself";
    }
    for (std::uint64_t spin = random_() % 60000; spin > 0; --spin) acknowledged().load();
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  }

  void expect_the_last_acknowledged_or_the_next() {
    auto reopened = Cache::reopen(std::make_unique<TestArena>(arena_), {staged_pages});
    const std::uint64_t last = acknowledged().load();
    if (!reopened) {
      ASSERT_EQ(reopened.error().word, "nothing-kept");
      ASSERT_EQ(last, 0U);
      return;
    }
    Cache& cache = **reopened;
    const std::uint64_t n = cache.committed().value;
    ASSERT_TRUE(n == last || n == last + 1) << n << " kept, " << last << " acknowledged";
    acknowledged().store(n);
    EXPECT_EQ(cache.origin().primary_run, origin_of(n).primary_run);
    EXPECT_EQ(cache.origin().generation, origin_of(n).generation);
    EXPECT_EQ(cache.origin().token, origin_of(n).token);
    EXPECT_EQ(cache.origin().identity, origin_of(n).identity);
    EXPECT_EQ(cache.layout(), small_layout);
    EXPECT_EQ(content_of(*cache.device_state()), n);
    ASSERT_TRUE(cache.flush_needed());
    SharedTarget target(ram_);
    const auto flushed = cache.flush(target);
    ASSERT_TRUE(flushed) << flushed.error().text();
    Story story(GetParam());
    Content memory;
    for (std::uint64_t i = 0; i < n; ++i) {
      for (const auto& [page, content] : story.next().pages) memory[page] = content;
    }
    for (const auto& [page, content] : memory) {
      ASSERT_EQ(content_of(target.at(page)), content)
          << "seed " << GetParam() << ", checkpoint " << n << ", region " << page.region
          << ", page " << page.page;
    }
  }

  std::atomic<std::uint64_t>& acknowledged() {
    return *reinterpret_cast<std::atomic<std::uint64_t>*>(told_.bytes().data());
  }

  std::mt19937_64 random_{GetParam() * 7919};
  std::shared_ptr<SharedMemory> arena_ = new_arena();
  std::shared_ptr<SharedMemory> ram_ = std::make_shared<SharedMemory>(300 * page_bytes);
  SharedMemory told_{page_bytes};
};

TEST_P(Killed, ProcessLeavesTheLastAcknowledgedCheckpointOrTheNextOneWhole) {
  for (int life = 0; life < 25; ++life) {
    run_and_kill(acknowledged().load() == 0);
    ASSERT_FALSE(HasFatalFailure());
    // Each other time the next process finds it as the kill left it.
    if (life % 2 == 0) continue;
    expect_the_last_acknowledged_or_the_next();
    ASSERT_FALSE(HasFatalFailure()) << "life " << life;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, Killed, ::testing::Range<std::uint64_t>(1, 9));

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
