// Guests with own copies of their memory: what they write is theirs alone.
#include "guest/own_copies.h"

#include <sys/mman.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/guest_embedded/fixture.h"

namespace colo::guest::embedded {
namespace {

using namespace testing;

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

class OwnMemory : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) {
      const auto used = target_maker->use_memory_file(file);
      ASSERT_TRUE(used) << used.error().text();
    }
    auto booted = source_maker->boot();
    ASSERT_TRUE(booted);
    source = std::move(*booted);
    ASSERT_OK(source->resume());
    wait_for_steps(*source, 500);
  }
  ~OwnMemory() override { std::filesystem::remove(file); }

  std::unique_ptr<Guest> make_standby() {
    auto made = target_maker->standby(StandbyMemory::own_copies);
    EXPECT_TRUE(made) << made.error().text();
    return std::move(*made);
  }
  // The source's memory and state of one instant, the memory in place.
  Bytes checkpoint(Guest& standby) {
    EXPECT_TRUE(source->pause());
    flushed = read_region(*source, ram_region);
    const Bytes device = read_region(*source, device_ram_region);
    const MutableBytes mapped = standby.mapping(ram_region);
    EXPECT_EQ(mapped.size(), flushed.size());
    std::copy(flushed.begin(), flushed.end() - page_bytes, mapped.begin());
    const PageIndex last = flushed.size() / page_bytes - 1;
    EXPECT_TRUE(standby.write_page(ram_region, last, ByteView(flushed).last(page_bytes)));
    for (PageIndex page = 0; page < device_ram_pages; ++page) {
      EXPECT_TRUE(standby.write_page(device_ram_region, page,
                                     ByteView(device).subspan(page * page_bytes, page_bytes)));
    }
    const auto state = source->save_device_state();
    EXPECT_TRUE(state);
    EXPECT_TRUE(source->resume());
    return *state;
  }

  const std::filesystem::path file = "/dev/shm/colo-test-own-" + std::to_string(::getpid());
  std::unique_ptr<GuestMaker> source_maker = make_embedded_maker(config_of());
  std::unique_ptr<GuestMaker> target_maker = make_embedded_maker(config_of());
  std::unique_ptr<Guest> source;
  Bytes flushed;
};

INSTANTIATE_TEST_SUITE_P(Memory, OwnMemory, ::testing::Bool(),
                         [](const auto& named) { return named.param ? "Named" : "Anonymous"; });

TEST_P(OwnMemory, TheCheckpointStaysWhileTheGuestRunsAndAnotherTakesItsPlace) {
  std::unique_ptr<Guest> running;
  std::unique_ptr<Guest> spare = make_standby();
  OnlyClient client;
  for (int round = 0; round < 4; ++round) {
    const int outer = source->ports()[0].fd;
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(client.append(outer));
    running.reset();
    const Bytes state = checkpoint(*spare);
    EXPECT_EQ(number(spare->own_pages()), 0U);
    ASSERT_OK(spare->load_device_state(state));
    EXPECT_TRUE(spare->mapping(ram_region).empty());
    EXPECT_EQ(read_region(*spare, ram_region), flushed);
    running = std::move(spare);
    ASSERT_OK(running->resume());
    wait_for_steps(*running, 500);
    const auto own = running->own_pages();
    ASSERT_TRUE(own);
    EXPECT_GT(*own, 10U);
    spare = make_standby();
    const MutableBytes base = spare->mapping(ram_region);
    EXPECT_TRUE(std::equal(base.begin(), base.end(), flushed.begin(), flushed.end()));
    EXPECT_EQ(read_region(*spare, ram_region), flushed);
    EXPECT_NE(read_region(*running, ram_region), flushed);
    OnlyClient there = client;
    EXPECT_TRUE(there.holds(running->ports()[0].fd));
  }
}

TEST_P(OwnMemory, ATakenOverGuestIsTrackedAndGivesBackWhatItHides) {
  const auto standby = make_standby();
  EXPECT_EQ(standby->release_hidden().error().word, "not-loaded");
  const Bytes state = checkpoint(*standby);
  ASSERT_OK(standby->load_device_state(state));
  ASSERT_OK(standby->start_tracking());
  ASSERT_OK(standby->resume());
  Bytes copy(flushed.size());
  const auto follow = [&] {
    DirtyPages dirty = no_pages(standby->identity().layout);
    ASSERT_OK(standby->scan(dirty));
    std::vector<PageIndex> pages;
    dirty[ram_region].for_each([&](PageIndex page) { pages.push_back(page); });
    Bytes read(pages.size() * page_bytes);
    ASSERT_OK(standby->read_pages(ram_region, pages, read));
    for (std::size_t i = 0; i < pages.size(); ++i) {
      std::copy_n(read.begin() + static_cast<std::ptrdiff_t>(i * page_bytes), page_bytes,
                  copy.begin() + static_cast<std::ptrdiff_t>(pages[i] * page_bytes));
    }
  };
  std::uint64_t released = 0;
  for (int i = 0; i < 20; ++i) {
    wait_for_steps(*standby, 50);
    follow();
    const auto some = standby->release_hidden();
    ASSERT_TRUE(some) << some.error().text();
    released += *some;
  }
  EXPECT_GT(released, 10U);
  ASSERT_OK(standby->pause());
  follow();
  EXPECT_EQ(read_region(*standby, ram_region), copy);
  if (GetParam()) {
    struct stat facts {};
    ASSERT_EQ(::stat(file.c_str(), &facts), 0);
    EXPECT_EQ(static_cast<std::uint64_t>(facts.st_blocks) * 512,
              flushed.size() - released * page_bytes);
    // Made into a standby's memory again, it has all of it set aside: a full tmpfs must not kill.
    ASSERT_TRUE(target_maker->standby());
    ASSERT_EQ(::stat(file.c_str(), &facts), 0);
    EXPECT_EQ(static_cast<std::uint64_t>(facts.st_blocks) * 512, flushed.size());
    EXPECT_EQ(read_region(*standby, ram_region), copy);
  }
}

TEST_P(OwnMemory, AGuestWithoutOwnCopiesHasNone) {
  EXPECT_EQ(number(source->own_pages()), 0U);
  EXPECT_EQ(number(source->release_hidden()), 0U);
  const auto shared = target_maker->standby();
  ASSERT_TRUE(shared);
  EXPECT_EQ(number((*shared)->own_pages()), 0U);
}

}  // namespace
}  // namespace colo::guest::embedded
