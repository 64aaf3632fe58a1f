// Checkpoints of a running embedded guest, put together on a second one.
#include "tests/guest_embedded/fixture.h"

namespace colo::guest::embedded {
namespace {

using namespace testing;

struct Checkpoint {
  std::vector<Bytes> regions;
  Bytes state;
};

class EmbeddedCheckpoints : public ::testing::Test {
 protected:
  void SetUp() override {
    auto booted = source_maker->boot();
    ASSERT_TRUE(booted) << booted.error().text();
    source = std::move(*booted);
    for (const RegionLayout& region : source->identity().layout) {
      copy.regions.emplace_back(region.pages * page_bytes);
    }
    ASSERT_OK(source->start_tracking());
    ASSERT_OK(source->resume());
    fd = source->ports()[0].fd;
  }

  // Scans, then copies what the scan found, as the engine does.
  void copy_dirty() {
    DirtyPages dirty = no_pages(source->identity().layout);
    ASSERT_OK(source->scan(dirty));
    for (RegionIndex region = 0; region < dirty.size(); ++region) {
      std::vector<PageIndex> pages;
      dirty[region].for_each([&pages](PageIndex page) { pages.push_back(page); });
      Bytes bytes(pages.size() * page_bytes);
      ASSERT_OK(source->read_pages(region, pages, bytes));
      for (std::size_t i = 0; i < pages.size(); ++i) {
        std::memcpy(copy.regions[region].data() + pages[i] * page_bytes,
                    bytes.data() + i * page_bytes, page_bytes);
      }
    }
  }

  void take_checkpoint() {
    copy_dirty();  // ahead, while it runs
    ASSERT_OK(source->pause());
    copy_dirty();
    auto state = source->save_device_state();
    ASSERT_TRUE(state);
    copy.state = std::move(*state);
    for (RegionIndex region = 0; region < copy.regions.size(); ++region) {
      ASSERT_EQ(copy.regions[region], read_region(*source, region)) << "region " << region;
    }
    ASSERT_OK(source->resume());
  }

  [[nodiscard]] std::unique_ptr<Guest> standby_with(const Checkpoint& checkpoint) {
    auto made = target_maker->standby();
    EXPECT_TRUE(made);
    for (RegionIndex region = 0; region < checkpoint.regions.size(); ++region) {
      const ByteView bytes = checkpoint.regions[region];
      for (PageIndex page = 0; page < bytes.size() / page_bytes; ++page) {
        const auto ok =
            (*made)->write_page(region, page, bytes.subspan(page * page_bytes, page_bytes));
        EXPECT_TRUE(ok) << ok.error().text();
      }
    }
    return std::move(*made);
  }

  void append(int times) {
    for (int i = 0; i < times; ++i) ASSERT_TRUE(client.append(fd));
  }

  void expect_load_fails(const Checkpoint& checkpoint, ByteView state, const std::string& why) {
    const auto standby = standby_with(checkpoint);
    const auto refused = standby->load_device_state(state);
    ASSERT_FALSE(refused) << why;
    EXPECT_EQ(refused.error().word, "load-failed");
    EXPECT_NE(refused.error().reason.find(why), std::string::npos) << refused.error().reason;
    EXPECT_EQ(standby->resume().error().word, "not-loaded");
    EXPECT_EQ(standby->load_device_state(checkpoint.state).error().word, "load-failed");
  }

  std::unique_ptr<GuestMaker> source_maker = make_embedded_maker(config_of());
  std::unique_ptr<GuestMaker> target_maker = make_embedded_maker(config_of());
  std::unique_ptr<Guest> source;
  int fd = -1;
  Checkpoint copy;
  OnlyClient client;
};

TEST_F(EmbeddedCheckpoints, AnyCheckpointGoesOnElsewhereWithTheRightLedger) {
  for (int round = 0; round < 8; ++round) {
    append(30);
    wait_for_steps(*source, 100);
    take_checkpoint();
    ASSERT_FALSE(HasFatalFailure());
    const OnlyClient at_checkpoint = client;
    append(3);  // not in the checkpoint

    const auto target = standby_with(copy);
    ASSERT_OK(target->load_device_state(copy.state));
    for (RegionIndex region = 0; region < copy.regions.size(); ++region) {
      ASSERT_EQ(read_region(*target, region), copy.regions[region]);
    }
    ASSERT_EQ(*target->save_device_state(), copy.state);
    const auto resumed = target->resume();
    ASSERT_TRUE(resumed);
    EXPECT_FALSE(*resumed);
    ASSERT_OK(target->announce());
    const int target_fd = target->ports()[0].fd;
    const auto announced = read_frame(target_fd);
    ASSERT_TRUE(announced && parse_arp(*announced));
    OnlyClient goes_on = at_checkpoint;
    ASSERT_TRUE(goes_on.holds(target_fd));
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(goes_on.append(target_fd));
    wait_for_steps(*target, 50);
  }
}

TEST_F(EmbeddedCheckpoints, TheSameStateGoesOnTheSame) {
  append(5);
  take_checkpoint();
  ASSERT_FALSE(HasFatalFailure());
  std::vector<Bytes> outcomes;
  for (int i = 0; i < 2; ++i) {
    // No threads here: the machine alone, the same steps twice.
    const auto ram = Ram::create(copy.regions[0].size());
    ASSERT_TRUE(ram);
    std::copy(copy.regions[0].begin(), copy.regions[0].end(), (*ram)->bytes().begin());
    Machine machine(*ram);
    machine.memory().write(device_ram_region, 0, ByteView(copy.regions[1]));
    ASSERT_OK(machine.load(copy.state));
    for (std::size_t step = 0; step < 500; ++step) machine.rewrite_page(step % worker_count);
    const LedgerRequest request{LedgerOperation::append, 8, 1, bytes_of("x")};
    const auto outcome = machine.handle_frame(0, ledger_frame(request));
    ASSERT_TRUE(outcome.reply);
    outcomes.push_back(*outcome.reply);
    outcomes.push_back(machine.save());
    outcomes.emplace_back((*ram)->bytes().begin(), (*ram)->bytes().end());
  }
  EXPECT_EQ(outcomes[0], outcomes[3]);
  EXPECT_EQ(outcomes[1], outcomes[4]);
  EXPECT_EQ(outcomes[2], outcomes[5]);
}

TEST_F(EmbeddedCheckpoints, ADamagedDeviceStateIsRefusedAndAFreshStandbyWorks) {
  append(5);
  take_checkpoint();
  ASSERT_FALSE(HasFatalFailure());
  expect_load_fails(copy, ByteView(copy.state).first(10), "has only 10 bytes");
  expect_load_fails(copy, {}, "has only 0 bytes");
  Bytes damaged = copy.state;
  damaged[0] ^= std::byte{1};
  expect_load_fails(copy, damaged, "magic");
  damaged = copy.state;
  damaged[7] = std::byte{9};
  expect_load_fails(copy, damaged, "format version 9");
  damaged = copy.state;
  damaged.back() ^= std::byte{1};
  expect_load_fails(copy, damaged, "hash");
  damaged = copy.state;
  damaged.pop_back();
  expect_load_fails(copy, damaged, "bytes");

  const auto fresh = standby_with(copy);
  ASSERT_OK(fresh->load_device_state(copy.state));
  ASSERT_OK(fresh->resume());
  EXPECT_TRUE(client.holds(fresh->ports()[0].fd));
}

TEST_F(EmbeddedCheckpoints, PartsOfDifferentCheckpointsAreNoticed) {
  append(5);
  wait_for_steps(*source, 10);
  take_checkpoint();
  ASSERT_FALSE(HasFatalFailure());
  const Checkpoint older = copy;
  append(5);
  wait_for_steps(*source, 10);
  take_checkpoint();
  ASSERT_FALSE(HasFatalFailure());

  expect_load_fails(copy, older.state, "in ram");
  expect_load_fails(older, copy.state, "in ram");
  Checkpoint mixed = copy;
  mixed.regions[device_ram_region] = older.regions[device_ram_region];
  expect_load_fails(mixed, mixed.state, "in device.ram");
  mixed = copy;
  mixed.regions[device_ram_region].assign(device_ram_pages * page_bytes, std::byte{0});
  expect_load_fails(mixed, mixed.state, "in device.ram");
  mixed = copy;
  const auto log = static_cast<std::ptrdiff_t>(RamPlan(1024).log_page * page_bytes);
  std::copy_n(older.regions[ram_region].begin() + log, page_bytes,
              mixed.regions[ram_region].begin() + log);
  expect_load_fails(mixed, mixed.state, "of the ledger");
  mixed = copy;
  mixed.regions[ram_region].assign(mixed.regions[ram_region].size(), std::byte{0});
  expect_load_fails(mixed, mixed.state, "memory is empty");
}

TEST_F(EmbeddedCheckpoints, TheStateOfAMachineOfAnotherSizeIsRefused) {
  append(1);
  take_checkpoint();
  ASSERT_FALSE(HasFatalFailure());
  const auto other = make_embedded_maker(config_of(0, {"net0"}, 8ULL << 20))->standby();
  ASSERT_TRUE(other);
  const auto refused = (*other)->load_device_state(copy.state);
  EXPECT_NE(refused.error().reason.find("1024 pages"), std::string::npos);
}

}  // namespace
}  // namespace colo::guest::embedded
