// Random use against a plain model: a map from page to content per checkpoint.
#include <random>

#include "tests/cache/memory_target.h"

namespace colo::cache {
namespace {

using testing::garbage;
using testing::MemoryTarget;
using testing::page_of;

using Content = std::map<PageId, std::uint32_t>;

class RandomUse : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  [[nodiscard]] std::uint64_t pick(std::uint64_t below) { return random_() % below; }
  [[nodiscard]] PageId any_page() {
    return pick(4) == 0 ? PageId{1, pick(40)} : PageId{0, pick(300)};
  }

  void put(PageId page) {
    const Epoch epoch = cache_.committed().next();
    // Few contents, a third of them zero: pages become zero and come back all the time.
    const std::uint32_t content = pick(3) == 0 ? 0 : static_cast<std::uint32_t>(1 + pick(1000));
    const auto ok = content == 0 && pick(2) == 0 ? cache_.put_zero(epoch, page)
                                                 : cache_.put_page(epoch, page, page_of(content));
    ASSERT_TRUE(ok) << ok.error().text();
    staged_[page] = content;
  }

  void commit() {
    const Epoch epoch = cache_.committed().next();
    ASSERT_TRUE(cache_.put_device_state(epoch, page_of(static_cast<std::uint32_t>(epoch.value))));
    const auto ok = cache_.commit(epoch);
    ASSERT_TRUE(ok) << ok.error().text();
    for (const auto& [page, content] : staged_) committed_[page] = content;
    staged_.clear();
    ASSERT_EQ(testing::content_of(*cache_.device_state()), epoch.value);
  }

  // The guest process went away: what it alone held is gone.
  void lose_video() {
    for (PageIndex page = 0; page < 40; ++page) {
      if (committed_.contains({1, page})) {
        cache_.mark_diverged({1, page}, 1);
        target_.pages[{1, page}] = garbage;
      }
    }
  }

  void flush_cut_off() {
    target_.writes = 0;
    target_.fails_after = pick(200);
    if (const auto ok = cache_.flush(target_); ok) {
      expect_target_is_committed();
    } else {
      ASSERT_TRUE(cache_.flush_needed());
    }
    target_.fails_after.reset();
  }

  void flush() {
    const auto ok = cache_.flush(target_);
    ASSERT_TRUE(ok) << ok.error().text();
    ASSERT_FALSE(cache_.flush_needed());
    expect_target_is_committed();
  }

  void expect_target_is_committed() {
    ASSERT_EQ(cache_.figures().flushed, cache_.committed());
    ASSERT_EQ(target_.pages, committed_);
  }

  std::mt19937_64 random_{GetParam()};
  Cache cache_{testing::small_layout, testing::video_mirrored, {}};
  MemoryTarget target_;
  Content staged_, committed_;
};

TEST_P(RandomUse, TheFlushedTargetIsExactlyTheLastCommittedCheckpoint) {
  commit();
  for (int i = 0; i < 6000; ++i) {
    const std::uint64_t what = pick(100);
    if (what < 80) {
      put(any_page());
    } else if (what < 83) {
      cache_.discard_staged();
      staged_.clear();
    } else if (what < 90) {
      commit();
    } else if (what < 95) {
      flush_cut_off();
    } else if (what < 97) {
      lose_video();
    } else {
      flush();
    }
    ASSERT_FALSE(HasFatalFailure()) << "seed " << GetParam() << ", step " << i;
  }
  flush();
}

// One flush, cut off at its first write, then at its second, and so on to the last; between two
// tries the guest process, and with it the video memory, is lost.
TEST_P(RandomUse, AFlushCutOffAtEveryPageEndsTheSame) {
  for (int i = 0; i < 200; ++i) put(any_page());
  commit();
  flush();
  for (int i = 0; i < 200; ++i) put(any_page());
  commit();
  for (int i = 0; i < 30; ++i) put(any_page());  // staged; must not show
  bool ended = false;
  std::uint64_t cut = 0;
  for (; !ended; ++cut) {
    ASSERT_LT(cut, 400U);
    lose_video();
    target_.writes = 0;
    target_.fails_after = cut;
    ended = cache_.flush(target_).has_value();
    // A page is either still as some earlier try left it, or already the committed one.
    if (!ended) {
      ASSERT_EQ(target_.writes, cut + 1);
      ASSERT_TRUE(cache_.flush_needed());
    }
  }
  ASSERT_GT(cut, 100U);
  expect_target_is_committed();
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomUse, ::testing::Range<std::uint64_t>(1, 13));

}  // namespace
}  // namespace colo::cache
