// The rules of the cache, one scenario each.
#include "tests/cache/memory_target.h"

namespace colo::cache {
namespace {

using testing::garbage;
using testing::MemoryTarget;
using testing::page_of;

constexpr PageId ram(PageIndex page) { return {0, page}; }
constexpr PageId video(PageIndex page) { return {1, page}; }

class CacheRules : public ::testing::Test {
 protected:
  void put(Epoch epoch, PageId page, std::uint32_t content) {
    const auto ok =
        content == 0 ? cache.put_zero(epoch, page) : cache.put_page(epoch, page, page_of(content));
    ASSERT_TRUE(ok) << ok.error().text();
  }
  void commit(Epoch epoch) {
    ASSERT_TRUE(cache.put_device_state(epoch, Bytes(3, static_cast<std::byte>(epoch.value))));
    const auto ok = cache.commit(epoch);
    ASSERT_TRUE(ok) << ok.error().text();
  }
  void flush() {
    target.fails_after.reset();
    const auto ok = cache.flush(target);
    ASSERT_TRUE(ok) << ok.error().text();
  }

  Cache cache{testing::small_layout, testing::video_mirrored, {.staged_pages = 64}};
  MemoryTarget target;
};

TEST_F(CacheRules, StagedPagesNeverReachTheTarget) {
  put(Epoch{1}, ram(1), 11);
  commit(Epoch{1});
  put(Epoch{2}, ram(1), 21);
  put(Epoch{2}, ram(2), 22);
  flush();
  EXPECT_EQ(target.at(ram(1)), 11U);
  EXPECT_EQ(target.at(ram(2)), garbage);
  EXPECT_EQ(cache.committed(), Epoch{1});
  EXPECT_EQ(cache.device_state()->front(), std::byte{1});
}

TEST_F(CacheRules, TheLastPutOfAPageWins) {
  put(Epoch{1}, ram(1), 11);
  put(Epoch{1}, ram(1), 0);
  put(Epoch{1}, ram(2), 0);
  put(Epoch{1}, ram(2), 12);
  put(Epoch{1}, ram(3), 13);
  put(Epoch{1}, ram(3), 14);
  EXPECT_EQ(cache.figures().staged_pages, 3U);
  commit(Epoch{1});
  flush();
  EXPECT_EQ(target.at(ram(1)), 0U);
  EXPECT_EQ(target.at(ram(2)), 12U);
  EXPECT_EQ(target.at(ram(3)), 14U);
}

TEST_F(CacheRules, APageThatBecomesZeroIsFlushedAsZeros) {
  put(Epoch{1}, ram(7), 70);
  put(Epoch{1}, video(7), 71);
  commit(Epoch{1});
  flush();
  put(Epoch{2}, ram(7), 0);
  ASSERT_TRUE(cache.put_page(Epoch{2}, video(7), Bytes(page_bytes)));  // zeros, but not said so
  commit(Epoch{2});
  EXPECT_EQ(cache.figures().zero_pages, 2U);
  flush();
  EXPECT_EQ(target.at(ram(7)), 0U);
  EXPECT_EQ(target.at(video(7)), 0U);
}

TEST_F(CacheRules, ADiscardedCheckpointLeavesNothing) {
  put(Epoch{1}, ram(1), 11);
  commit(Epoch{1});
  put(Epoch{2}, ram(1), 21);
  ASSERT_TRUE(cache.put_device_state(Epoch{2}, Bytes(1)));
  cache.discard_staged();
  EXPECT_EQ(cache.figures().staged, Epoch{0});
  const auto refused = cache.commit(Epoch{2});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().word, "epoch-out-of-order");
  put(Epoch{2}, ram(2), 22);
  commit(Epoch{2});
  flush();
  EXPECT_EQ(target.at(ram(1)), 11U);
  EXPECT_EQ(target.at(ram(2)), 22U);
}

TEST_F(CacheRules, EpochsOutOfOrderAreRefusedAndChangeNothing) {
  put(Epoch{1}, ram(1), 11);
  for (const Epoch wrong : {Epoch{0}, Epoch{2}, Epoch{9}}) {
    EXPECT_EQ(cache.put_page(wrong, ram(1), page_of(99)).error().word, "epoch-out-of-order");
    EXPECT_EQ(cache.put_zero(wrong, ram(1)).error().word, "epoch-out-of-order");
    EXPECT_EQ(cache.put_device_state(wrong, {}).error().word, "epoch-out-of-order");
    EXPECT_EQ(cache.commit(wrong).error().word, "epoch-out-of-order");
  }
  commit(Epoch{1});
  EXPECT_EQ(cache.commit(Epoch{1}).error().word, "epoch-out-of-order");
  flush();
  EXPECT_EQ(target.at(ram(1)), 11U);
}

TEST_F(CacheRules, ACheckpointWithoutDeviceStateIsNotCommitted) {
  put(Epoch{1}, ram(1), 11);
  EXPECT_EQ(cache.commit(Epoch{1}).error().word, "no-device-state");
  EXPECT_EQ(cache.committed(), Epoch{0});
  EXPECT_EQ(cache.device_state(), nullptr);
}

TEST_F(CacheRules, PagesThatDoNotExistAreRefused) {
  EXPECT_EQ(cache.put_page(Epoch{1}, ram(300), page_of(1)).error().word, "page-out-of-range");
  EXPECT_EQ(cache.put_zero(Epoch{1}, video(40)).error().word, "page-out-of-range");
  EXPECT_EQ(cache.put_zero(Epoch{1}, PageId{2, 0}).error().word, "page-out-of-range");
  EXPECT_EQ(cache.put_page(Epoch{1}, ram(0), Bytes(100)).error().word, "page-size");
}

TEST_F(CacheRules, TheStagedLimitIsNamedWithItsRemedy) {
  for (PageIndex page = 0; page < 64; ++page) put(Epoch{1}, ram(page), 5);
  const auto refused = cache.put_page(Epoch{1}, ram(64), page_of(5));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().word, "cache-full");
  EXPECT_NE(refused.error().reason.find("64 staged pages"), std::string::npos);
  EXPECT_NE(refused.error().remedy.find("limits.staged"), std::string::npos);
  put(Epoch{1}, ram(3), 6);   // a page that is there already may be replaced
  put(Epoch{1}, ram(65), 0);  // a zero page takes no memory
  commit(Epoch{1});
  put(Epoch{2}, ram(64), 5);
}

TEST_F(CacheRules, SteadyStateTakesNoNewMemory) {
  std::uint64_t bytes = 0;
  for (std::uint64_t epoch = 1; epoch <= 50; ++epoch) {
    for (PageIndex page = 0; page < 60; ++page) {
      put(Epoch{epoch}, ram((page * 7 + epoch) % 300), static_cast<std::uint32_t>(epoch));
    }
    commit(Epoch{epoch});
    flush();
    if (epoch == 2) bytes = cache.figures().bytes;
  }
  EXPECT_GT(bytes, 0U);
  EXPECT_EQ(cache.figures().bytes, bytes);
}

TEST_F(CacheRules, ASecondCommitBeforeTheFlushMergesAndTheNewerPageWins) {
  put(Epoch{1}, ram(1), 11);
  put(Epoch{1}, ram(2), 12);
  commit(Epoch{1});
  put(Epoch{2}, ram(2), 22);
  put(Epoch{2}, ram(3), 23);
  commit(Epoch{2});
  flush();
  EXPECT_EQ(target.at(ram(1)), 11U);
  EXPECT_EQ(target.at(ram(2)), 22U);
  EXPECT_EQ(target.at(ram(3)), 23U);
  EXPECT_EQ(cache.figures().flushed, Epoch{2});
  EXPECT_FALSE(cache.flush_needed());
}

TEST_F(CacheRules, DivergedPagesComeBackFromTheMirror) {
  put(Epoch{1}, video(1), 11);
  put(Epoch{1}, video(2), 0);
  put(Epoch{1}, ram(1), 5);
  commit(Epoch{1});
  flush();
  target.pages[video(1)] = garbage;
  target.pages[video(2)] = garbage;
  const std::uint64_t before = target.writes;
  cache.mark_diverged(video(1), 2);
  EXPECT_TRUE(cache.flush_needed());
  EXPECT_EQ(cache.figures().diverged_pages, 2U);
  flush();
  EXPECT_EQ(target.at(video(1)), 11U);
  EXPECT_EQ(target.at(video(2)), 0U);
  EXPECT_EQ(target.writes, before + 2);
  EXPECT_EQ(cache.figures().diverged_pages, 0U);
}

TEST_F(CacheRules, ADivergedPageThatTheCacheDoesNotHoldIsLostAndNeverGuessed) {
  put(Epoch{1}, ram(1), 11);
  put(Epoch{1}, ram(2), 12);
  commit(Epoch{1});
  cache.mark_diverged(ram(1), 1);  // received too: restored
  flush();
  cache.mark_diverged(ram(2), 1);  // flushed since: gone
  cache.mark_diverged(video(9), 1);
  const auto lost = cache.flush(target);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().word, "page-lost");
  EXPECT_NE(lost.error().reason.find("page 2 of region ram"), std::string::npos);
  EXPECT_TRUE(cache.flush_needed());
  put(Epoch{2}, ram(2), 22);
  commit(Epoch{2});
  EXPECT_NE(cache.flush(target).error().reason.find("page 9 of region video"), std::string::npos);
  put(Epoch{3}, video(9), 0);
  commit(Epoch{3});
  flush();
  EXPECT_EQ(target.at(ram(2)), 22U);
  EXPECT_EQ(target.at(video(9)), 0U);
}

TEST_F(CacheRules, NothingCommittedIsNothingToFlush) {
  put(Epoch{1}, ram(1), 11);
  EXPECT_FALSE(cache.flush_needed());
  EXPECT_EQ(cache.flush(target).error().word, "nothing-committed");
  EXPECT_TRUE(target.pages.empty());
}

TEST_F(CacheRules, TheFirstCopyIsWrittenThroughAndTheMirroredPartStaged) {
  cache.write_through(&target);
  for (PageIndex page = 0; page < 300; ++page) {  // past the staged limit of 64
    put(Epoch{1}, ram(page), page % 3 == 0 ? 0 : static_cast<std::uint32_t>(page));
  }
  put(Epoch{1}, video(4), 44);
  EXPECT_EQ(target.at(ram(4)), 4U);
  EXPECT_EQ(target.at(ram(3)), 0U);
  EXPECT_EQ(target.at(video(4)), garbage);
  EXPECT_EQ(cache.figures().written_through_pages, 300U);
  EXPECT_EQ(cache.figures().staged_pages, 1U);
  EXPECT_EQ(cache.figures().staged, Epoch{1});

  cache.discard_staged();
  EXPECT_EQ(cache.committed(), Epoch{0});
  EXPECT_EQ(cache.figures().written_through_pages, 0U);

  for (PageIndex page = 0; page < 300; ++page) put(Epoch{1}, ram(page), 9);
  put(Epoch{1}, video(4), 45);
  commit(Epoch{1});
  put(Epoch{2}, ram(1), 21);
  EXPECT_EQ(target.at(ram(1)), 9U);  // from the first commit on pages are staged
  const std::uint64_t before = target.writes;
  flush();
  EXPECT_EQ(target.writes, before + 1);
  EXPECT_EQ(target.at(video(4)), 45U);
}

TEST_F(CacheRules, ACutOffFirstCopyIsKeptAndNamedAsRanges) {
  cache.write_through(&target);
  for (const PageIndex page : {3, 4, 5, 9}) put(Epoch{1}, ram(page), 1);
  put(Epoch{1}, ram(6), 0);
  put(Epoch{1}, video(2), 7);
  put(Epoch{1}, video(3), 0);
  ASSERT_TRUE(cache.put_device_state(Epoch{1}, Bytes(9)));
  cache.end_session();
  EXPECT_EQ(cache.held_pages(10), (std::vector<PageRange>{{0, 3, 4}, {0, 9, 1}, {1, 2, 2}}));
  // A commit without a device state of the session that goes on would mix two instants.
  EXPECT_FALSE(cache.commit(Epoch{1}));
  put(Epoch{1}, video(5), 8);
  commit(Epoch{1});
  EXPECT_TRUE(cache.held_pages(10).empty()) << "a committed checkpoint is named by its epoch";
  flush();
  EXPECT_EQ(target.at(video(2)), 7U);
  EXPECT_EQ(target.at(video(3)), 0U);
  EXPECT_EQ(target.at(video(5)), 8U);
}

TEST_F(CacheRules, HeldPagesThatAreNotNamedAreForgotten) {
  cache.write_through(&target);
  for (const PageIndex page : {3, 5, 7}) put(Epoch{1}, ram(page), 1);
  put(Epoch{1}, video(2), 7);
  cache.end_session();
  EXPECT_EQ(cache.held_pages(2), (std::vector<PageRange>{{0, 3, 1}, {0, 5, 1}}));
  EXPECT_EQ(cache.held_pages(10), (std::vector<PageRange>{{0, 3, 1}, {0, 5, 1}}));
  EXPECT_EQ(cache.figures().staged_pages, 0U);
  cache.discard_staged();
  EXPECT_TRUE(cache.held_pages(10).empty());
}

TEST_F(CacheRules, AnEndedSessionDropsWhatWasStagedBehindACommittedCheckpoint) {
  put(Epoch{1}, ram(1), 11);
  commit(Epoch{1});
  put(Epoch{2}, ram(1), 21);
  cache.end_session();
  EXPECT_EQ(cache.figures().staged_pages, 0U);
  EXPECT_TRUE(cache.held_pages(10).empty());
  flush();
  EXPECT_EQ(target.at(ram(1)), 11U);
}

TEST_F(CacheRules, AFailedWriteThroughIsAnError) {
  cache.write_through(&target);
  target.fails_after = 1;
  put(Epoch{1}, ram(0), 1);
  EXPECT_EQ(cache.put_page(Epoch{1}, ram(1), page_of(1)).error().word, "write-failed");
  EXPECT_EQ(cache.put_zero(Epoch{1}, ram(1)).error().word, "write-failed");
}

}  // namespace
}  // namespace colo::cache
