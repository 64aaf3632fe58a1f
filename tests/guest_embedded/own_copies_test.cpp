// Guests with own copies of their memory: what they write is theirs alone.
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
