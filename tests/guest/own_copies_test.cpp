// Which pages of a private mapping are own copies, and what is released behind them.
#include "guest/own_copies.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest/qemu/tracker.h"
#include "guest/qemu/userfault.h"

namespace colo::guest {
namespace {

std::uint64_t number(const Result<std::uint64_t>& result) {
  EXPECT_TRUE(result) << result.error().text();
  return result.value_or(~std::uint64_t{0});
}

// A file in memory, filled page by page with its number, mapped privately by this process.
class PrivateMapping : public ::testing::Test {
 protected:
  void SetUp() override {
    fd.reset(::memfd_create("colo-test", MFD_CLOEXEC));
    ASSERT_EQ(::ftruncate(fd.get(), bytes), 0);
    for (PageIndex page = 0; page < pages; ++page) {
      const Bytes content(page_bytes, std::byte(page % 251 + 1));
      ASSERT_EQ(
          ::pwrite(fd.get(), content.data(), page_bytes, static_cast<off_t>(page * page_bytes)),
          static_cast<ssize_t>(page_bytes));
    }
    void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd.get(), 0);
    ASSERT_NE(at, MAP_FAILED);
    memory = {static_cast<std::byte*>(at), bytes};
    auto made = OwnCopies::of(::getpid(), reinterpret_cast<std::uint64_t>(at), bytes);
    ASSERT_TRUE(made) << made.error().text();
    copies.emplace(std::move(*made));
  }
  void TearDown() override { ::munmap(memory.data(), memory.size()); }

  volatile std::byte& first_of(PageIndex page) { return memory[page * page_bytes]; }
  [[nodiscard]] std::uint64_t pages_of_file() const {
    struct stat facts {};
    EXPECT_EQ(::fstat(fd.get(), &facts), 0);
    return static_cast<std::uint64_t>(facts.st_blocks) * 512 / page_bytes;
  }

  static constexpr std::uint64_t pages = 24000;
  static constexpr std::uint64_t bytes = pages * page_bytes;
  UniqueFd fd;
  MutableBytes memory;
  std::optional<OwnCopies> copies;
};

TEST_F(PrivateMapping, ReadingAPageGivesNoOwnCopyAndWritingDoes) {
  EXPECT_EQ(number(copies->count()), 0U);
  for (PageIndex page = 0; page < pages; ++page) ASSERT_TRUE(first_of(page) != std::byte{0});
  EXPECT_EQ(number(copies->count()), 0U);
  first_of(7) = first_of(7);  // also with what is there
  first_of(pages - 1) = std::byte{9};
  EXPECT_EQ(number(copies->count()), 2U);
}

// The kernel tells of a walk in parts of 512 ranges, and of where it stopped in an earlier part.
TEST_F(PrivateMapping, ManyScatteredPagesAreCountedOnce) {
  std::uint64_t written = 0;
  for (const std::uint64_t step : {40U, 24U, 8U, 3U, 2U, 1U}) {
    for (PageIndex page = 0; page < pages; page += step) first_of(page) = std::byte{0};
    written = 0;
    for (PageIndex page = 0; page < pages; ++page)
      written += first_of(page) == std::byte{0} ? 1 : 0;
    EXPECT_EQ(number(copies->count()), written) << "every " << step;
  }
  EXPECT_EQ(written, pages);
}

TEST_F(PrivateMapping, AnEstimateFollowsTheCount) {
  EXPECT_EQ(number(copies->estimate()), 0U);
  for (PageIndex page = 0; page < pages; ++page) {
    first_of(page) = std::byte{0};
    if (page % 500 != 0) continue;
    const auto estimate = copies->estimate();
    ASSERT_TRUE(estimate);
    // This process has hardly more memory than at the count before; the kernel counts in lots.
    EXPECT_NEAR(static_cast<double>(*estimate), static_cast<double>(page + 1),
                static_cast<double>(page) / 8 + 1200);
  }
}

TEST_F(PrivateMapping, WhatIsReleasedStaysInTheCopiesAndTheRestInTheFile) {
  for (PageIndex page = 0; page < pages; ++page) {
    if (page % 3 != 0 || page > 20000) first_of(page) = std::byte{0};
  }
  const auto own = copies->count();
  ASSERT_TRUE(own);
  ASSERT_EQ(pages_of_file(), pages);
  std::uint64_t released = 0;
  for (std::uint64_t some = 1; some != 0; released += some) {
    const auto step = copies->release_behind(fd.get());
    ASSERT_TRUE(step) << step.error().text();
    ASSERT_LE(*step, OwnCopies::pages_per_call);
    some = *step;
  }
  EXPECT_EQ(released, *own);
  EXPECT_EQ(pages_of_file(), pages - *own);
  EXPECT_EQ(number(copies->count()), *own);
  for (PageIndex page = 0; page < pages; ++page) {
    const bool written = page % 3 != 0 || page > 20000;
    const auto old = std::byte(page % 251 + 1);
    ASSERT_TRUE(first_of(page) == (written ? std::byte{0} : old)) << page;
    ASSERT_EQ(memory[page * page_bytes + 1], old) << page;
  }
  // Later ones are found wherever they are.
  first_of(0) = std::byte{1};
  first_of(19998) = std::byte{1};
  EXPECT_EQ(number(copies->release_behind(fd.get())), 2U);
  EXPECT_EQ(number(copies->release_behind(fd.get())), 0U);
}

// Protected, a page that nobody has touched yet is shown as one that was swapped out.
TEST_F(PrivateMapping, WhatATrackerProtectsIsNotOwnUntilItIsWritten) {
  const int flags = O_CLOEXEC | O_NONBLOCK | static_cast<int>(uffd_user_mode_only);
  UniqueFd uffd(static_cast<int>(::syscall(SYS_userfaultfd, flags)));
  ASSERT_TRUE(uffd);
  ASSERT_TRUE(agree_on_userfault_features(uffd.get()));
  auto tracker = Tracker::start(::getpid(), std::move(uffd));
  ASSERT_TRUE(tracker);
  first_of(1) = std::byte{0};
  const TrackedRange range{reinterpret_cast<std::uint64_t>(memory.data()), bytes};
  ASSERT_TRUE(tracker->add(range));
  Bitmap written(pages);
  ASSERT_TRUE(tracker->scan(range, written));
  EXPECT_EQ(number(copies->count()), 1U);
  const PageIndex some[] = {2, 3, 700, 701, 23000};
  for (const PageIndex page : some) first_of(page) = std::byte{0};
  // Read before it is written, it is another case for the kernel.
  ASSERT_TRUE(first_of(5000) != std::byte{0});
  ASSERT_TRUE(first_of(5001) != std::byte{0});
  first_of(5001) = std::byte{0};
  EXPECT_EQ(number(copies->count()), 7U);
  written.clear_all();
  ASSERT_TRUE(tracker->scan(range, written));
  EXPECT_EQ(written.count(), 6U);
  for (const PageIndex page : some) EXPECT_TRUE(written.test(page)) << page;
  EXPECT_TRUE(written.test(5001));
  EXPECT_EQ(number(copies->count()), 7U);
  EXPECT_EQ(number(copies->release_behind(fd.get())), 7U);
  for (PageIndex page = 0; page < pages; ++page) {
    ASSERT_TRUE(memory[page * page_bytes + 1] == std::byte(page % 251 + 1)) << page;
  }
  written.clear_all();
  ASSERT_TRUE(tracker->scan(range, written));
  EXPECT_EQ(written.count(), 0U) << "reading or releasing counts as writing";
}

}  // namespace
}  // namespace colo::guest
