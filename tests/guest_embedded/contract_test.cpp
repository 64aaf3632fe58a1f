// The embedded guest keeps the contract of guest/guest.h.
#include "tests/guest_embedded/fixture.h"

namespace colo::guest::embedded {
namespace {

using namespace testing;

class EmbeddedContract : public ::testing::Test {
 protected:
  void SetUp() override {
    auto booted = maker->boot();
    ASSERT_TRUE(booted) << booted.error().text();
    guest = std::move(*booted);
  }

  std::unique_ptr<GuestMaker> maker = make_embedded_maker(config_of());
  std::unique_ptr<Guest> guest;
};

TEST_F(EmbeddedContract, SaysWhatItIs) {
  const Identity& identity = guest->identity();
  EXPECT_EQ(identity.kind, "embedded");
  EXPECT_EQ(identity.accelerator, "none");
  EXPECT_EQ(identity.layout,
            (MemoryLayout{{"ram", 1024, true}, {"device.ram", device_ram_pages, false}}));
  EXPECT_EQ(guest->mapping(ram_region).size(), 4U << 20);
  EXPECT_TRUE(guest->mapping(device_ram_region).empty());
  EXPECT_TRUE(guest->mapping(2).empty());
  EXPECT_EQ(guest->process_id(), 0);
  ASSERT_EQ(guest->ports().size(), 1U);
  EXPECT_EQ(guest->ports()[0].name, "net0");
}

TEST_F(EmbeddedContract, StandsStillFromPauseToResume) {
  const auto first = guest->resume();
  ASSERT_TRUE(first);
  EXPECT_FALSE(*first);
  wait_for_steps(*guest, 100);
  ASSERT_OK(guest->pause());
  const Bytes ram = read_region(*guest, ram_region);
  const Bytes device_ram = read_region(*guest, device_ram_region);
  const auto state = guest->save_device_state();
  ASSERT_TRUE(state);
  // The guest would have answered this, had it run.
  send_request(guest->ports()[0].fd, {LedgerOperation::append, 1, 1, bytes_of("x")});
  for (int i = 0; i < 1000; ++i) std::this_thread::yield();
  EXPECT_FALSE(something_to_read(guest->ports()[0].fd));
  EXPECT_EQ(read_region(*guest, ram_region), ram);
  EXPECT_EQ(read_region(*guest, device_ram_region), device_ram);
  EXPECT_EQ(*guest->save_device_state(), *state);
  const auto standstill = guest->resume();
  ASSERT_TRUE(standstill && *standstill);
  EXPECT_GE((*standstill)->resumed, (*standstill)->stopped);
  wait_for_steps(*guest, 100);
  EXPECT_TRUE(read_reply(guest->ports()[0].fd));
}

TEST_F(EmbeddedContract, PauseAndResumeTwiceAreNoEvents) {
  ASSERT_OK(guest->pause());
  ASSERT_OK(guest->resume());
  ASSERT_OK(guest->pause());
  ASSERT_OK(guest->pause());
  EXPECT_TRUE(guest->resume()->has_value());
  EXPECT_FALSE(guest->resume()->has_value());
}

TEST_F(EmbeddedContract, RefusesWhatItsLifeDoesNotAllow) {
  DirtyPages dirty = no_pages(guest->identity().layout);
  EXPECT_EQ(guest->scan(dirty).error().word, "not-tracking");
  EXPECT_EQ(guest->announce().error().word, "guest-paused");
  EXPECT_EQ(guest->load_device_state(Bytes(10)).error().word, "load-failed");
  ASSERT_OK(guest->resume());
  EXPECT_EQ(guest->save_device_state().error().word, "guest-running");
  EXPECT_EQ(guest->write_page(ram_region, 0, Bytes(page_bytes)).error().word, "guest-running");
  Bytes page(page_bytes);
  EXPECT_EQ(guest->read_pages(0, std::vector<PageIndex>{1024}, page).error().word,
            "page-out-of-range");
  EXPECT_EQ(guest->read_pages(2, std::vector<PageIndex>{0}, page).error().word,
            "page-out-of-range");
}

TEST_F(EmbeddedContract, TheFirstScanHasEveryPageAndTheNextOnlyWhatWasWritten) {
  ASSERT_OK(guest->start_tracking());
  DirtyPages dirty = no_pages(guest->identity().layout);
  ASSERT_OK(guest->scan(dirty));
  EXPECT_EQ(dirty[0].count(), 1024U);
  EXPECT_EQ(dirty[1].count(), device_ram_pages);
  dirty = no_pages(guest->identity().layout);
  ASSERT_OK(guest->scan(dirty));
  EXPECT_FALSE(dirty[0].any() || dirty[1].any());
  ASSERT_OK(guest->write_page(device_ram_region, 5, Bytes(page_bytes, std::byte{1})));
  ASSERT_OK(guest->scan(dirty));
  EXPECT_EQ(dirty[1].count(), 1U);
  EXPECT_TRUE(dirty[1].test(5));
}

// Scans while it runs; whatever changed between two standstills must be in one of the scans.
TEST_F(EmbeddedContract, NoWrittenPageEscapesTheScansUnderLoad) {
  ASSERT_OK(guest->start_tracking());
  DirtyPages dirty = no_pages(guest->identity().layout);
  ASSERT_OK(guest->scan(dirty));
  std::vector<Bytes> before{read_region(*guest, 0), read_region(*guest, 1)};
  for (int round = 0; round < 10; ++round) {
    dirty = no_pages(guest->identity().layout);
    ASSERT_OK(guest->resume());
    for (int i = 0; i < 5; ++i) {
      wait_for_steps(*guest, 20);
      ASSERT_OK(guest->scan(dirty));
    }
    ASSERT_OK(guest->pause());
    ASSERT_OK(guest->scan(dirty));
    std::uint64_t changed = 0;
    for (RegionIndex region = 0; region < 2; ++region) {
      const Bytes now = read_region(*guest, region);
      for (PageIndex page = 0; page < now.size() / page_bytes; ++page) {
        const std::size_t at = page * page_bytes;
        if (std::equal(now.begin() + static_cast<std::ptrdiff_t>(at),
                       now.begin() + static_cast<std::ptrdiff_t>(at + page_bytes),
                       before[region].begin() + static_cast<std::ptrdiff_t>(at))) {
          continue;
        }
        ++changed;
        ASSERT_TRUE(dirty[region].test(page)) << "region " << region << ", page " << page;
      }
      before[region] = now;
    }
    ASSERT_GT(changed, 10U);
  }
}

TEST_F(EmbeddedContract, BootClearsTheMemoryAndAStandbyKeepsIt) {
  ASSERT_OK(guest->resume());
  wait_for_steps(*guest, 50);
  ASSERT_OK(guest->pause());
  const Bytes ram = read_region(*guest, ram_region);
  guest.reset();
  auto standby = maker->standby();
  ASSERT_TRUE(standby);
  EXPECT_EQ(read_region(**standby, ram_region), ram);
  EXPECT_EQ(read_region(**standby, device_ram_region), Bytes(device_ram_pages * page_bytes));
  standby->reset();
  auto booted = maker->boot();
  ASSERT_TRUE(booted);
  EXPECT_EQ(steps_of(**booted), 0U);
  const Bytes cleared = read_region(**booted, ram_region);
  EXPECT_TRUE(std::all_of(cleared.begin() + page_bytes, cleared.end(),
                          [](std::byte byte) { return byte == std::byte{0}; }));
}

TEST(EmbeddedMaker, RefusesMemoryThatItCannotUse) {
  for (const std::uint64_t bytes : {0ULL, 4096ULL, (1ULL << 20) + 1}) {
    const auto maker = make_embedded_maker(config_of(0, {}, bytes));
    EXPECT_EQ(maker->boot().error().word, "bad-memory-size");
    EXPECT_EQ(maker->standby().error().word, "bad-memory-size");
  }
  EXPECT_TRUE(make_embedded_maker(config_of(0, {}, ram_pages_min * page_bytes))->boot());
}

TEST_F(EmbeddedContract, TellsWhetherAllThatCameInWasRead) {
  const PacketPort& port = guest->ports()[0];
  EXPECT_TRUE(all_read(port).value());
  ASSERT_OK(guest->resume());
  ASSERT_OK(guest->pause());
  const Bytes half{std::byte{0}, std::byte{0}};  // of a frame's length
  ASSERT_EQ(::write(port.fd, half.data(), half.size()), 2);
  // It stands still, so nobody reads.
  EXPECT_FALSE(all_read(port).value());
  ASSERT_OK(guest->resume());
  while (!all_read(port).value_or(false)) std::this_thread::yield();
  EXPECT_FALSE(all_read({"none", -1}));
}

}  // namespace
}  // namespace colo::guest::embedded
