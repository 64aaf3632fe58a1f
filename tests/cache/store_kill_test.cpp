// A committed checkpoint outlives the process that held it, whole, whenever that process is killed.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <random>
#include <thread>

#include "tests/cache/kept.h"

namespace colo::cache {
namespace {

using testing::content_of;
using testing::new_arena;
using testing::new_cache;
using testing::origin_of;
using testing::page_of;
using testing::SharedMemory;
using testing::small_layout;
using testing::staged_pages;
using testing::TestArena;

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
    EXPECT_EQ(cache.origin().flows, origin_of(n).flows);
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

}  // namespace
}  // namespace colo::cache
