// A guest saved on one side and loaded on the other: two real QEMUs, the copy by scans between
// them.
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "tests/guest/busy_guest.h"
#include "tests/guest/replica.h"

namespace colo::guest::test {
namespace {

class QemuTakeover : public BusyGuestTest {
 protected:
  void SetUp() override {
    BusyGuestTest::SetUp();
    auto alpha = make_guest_maker(config("alpha"));
    auto beta = make_guest_maker(config("beta"));
    ASSERT_TRUE(alpha && beta);
    alpha_ = std::move(*alpha);
    beta_ = std::move(*beta);
    auto primary = alpha_->boot();
    ASSERT_TRUE(primary) << primary.error().text();
    primary_ = std::move(*primary);
    ASSERT_TRUE(primary_->resume());
    ASSERT_TRUE(primary_->start_tracking());
    replica_ = std::make_unique<Replica>(primary_->identity().layout);
    ASSERT_TRUE(wait_busy(*primary_));
    ASSERT_TRUE(replica_->follow(*primary_));
  }
  void TearDown() override {
    standby_.reset();
    primary_.reset();
    BusyGuestTest::TearDown();
  }

  // A checkpoint: the replica and the device state are of the same instant.
  Bytes checkpoint() {
    EXPECT_TRUE(primary_->pause());
    EXPECT_TRUE(replica_->follow(*primary_));
    auto state = primary_->save_device_state();
    EXPECT_TRUE(state);
    return state ? *state : Bytes{};
  }

  void make_standby() {
    standby_.reset();
    auto standby = beta_->standby();
    ASSERT_TRUE(standby) << standby.error().text();
    standby_ = std::move(*standby);
    EXPECT_EQ(standby_->identity().layout, primary_->identity().layout);
    EXPECT_EQ(standby_->identity().machine, primary_->identity().machine);
  }

  std::unique_ptr<GuestMaker> alpha_;
  std::unique_ptr<GuestMaker> beta_;
  std::unique_ptr<Guest> primary_;
  std::unique_ptr<Guest> standby_;
  std::unique_ptr<Replica> replica_;
};

TEST_F(QemuTakeover, GoesOnFromTheCheckpointWithEveryByteInPlace) {
  make_standby();
  const Bytes state = checkpoint();
  ASSERT_TRUE(replica_->place(*standby_));
  const auto loaded = standby_->load_device_state(state);
  ASSERT_TRUE(loaded) << loaded.error().text();
  // Video memory included, which only the load could bring into the process.
  EXPECT_EQ(replica_->differences(*standby_), 0U);
  EXPECT_EQ(replica_->differences(*primary_), 0U);
  const ByteView video = replica_->content(1);
  EXPECT_TRUE(
      std::any_of(video.begin(), video.end(), [](std::byte b) { return b != std::byte{}; }));
  const std::uint32_t before = rounds(*standby_, 0);
  EXPECT_EQ(before, rounds(*primary_, 0));
  const auto resumed = standby_->resume();
  ASSERT_TRUE(resumed) << resumed.error().text();
  EXPECT_TRUE(wait_busy(*standby_));
  EXPECT_TRUE(standby_->announce());
  EXPECT_GT(rounds(*standby_, 0), before);
}

TEST_F(QemuTakeover, AGuestTakenOverIsTrackedAndTakenOverAgain) {
  make_standby();
  Bytes state = checkpoint();
  ASSERT_TRUE(replica_->place(*standby_));
  ASSERT_TRUE(standby_->load_device_state(state));
  // The roles change: beta's guest is the primary, alpha makes the standby.
  primary_ = std::move(standby_);
  std::swap(alpha_, beta_);
  ASSERT_TRUE(primary_->start_tracking());
  ASSERT_TRUE(primary_->resume());
  ASSERT_TRUE(wait_busy(*primary_));
  replica_ = std::make_unique<Replica>(primary_->identity().layout);
  ASSERT_TRUE(replica_->follow(*primary_));
  make_standby();
  state = checkpoint();
  ASSERT_TRUE(replica_->place(*standby_));
  ASSERT_TRUE(standby_->load_device_state(state));
  EXPECT_EQ(replica_->differences(*standby_), 0U);
  ASSERT_TRUE(standby_->resume());
  EXPECT_TRUE(wait_busy(*standby_));
}

TEST_F(QemuTakeover, AFailedLoadIsReportedAndAnotherStandbyOnTheSameMemoryLoads) {
  make_standby();
  const Bytes state = checkpoint();
  ASSERT_TRUE(replica_->place(*standby_));
  Bytes corrupt = state;
  std::fill(corrupt.begin() + static_cast<std::ptrdiff_t>(corrupt.size() / 2), corrupt.end(),
            std::byte{0x5a});
  const auto failed = standby_->load_device_state(corrupt);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().word, "load-failed");
  EXPECT_NE(failed.error().reason.find("QEMU"), std::string::npos) << failed.error().reason;
  EXPECT_FALSE(standby_->resume());
  make_standby();
  const auto loaded = standby_->load_device_state(state);
  ASSERT_TRUE(loaded) << loaded.error().text();
  EXPECT_EQ(replica_->differences(*standby_), 0U);
  ASSERT_TRUE(standby_->resume());
  EXPECT_TRUE(wait_busy(*standby_));
}

// The engine that received the checkpoint died, and with it its QEMU and its maker.
TEST_F(QemuTakeover, AMemoryFileIsTakenOverFromByAnotherMakerAndItsGuestIsTracked) {
  const std::filesystem::path file = "/dev/shm/colo-test-" + std::to_string(::getpid());
  const std::shared_ptr<void> removed(nullptr, [&](void*) { std::filesystem::remove(file); });
  const auto before = beta_->use_memory_file(file);
  ASSERT_TRUE(before) << before.error().text();
  make_standby();
  const Bytes state = checkpoint();
  ASSERT_TRUE(replica_->place(*standby_));
  standby_.reset();
  auto again = make_guest_maker(config("beta"));
  ASSERT_TRUE(again);
  beta_ = std::move(*again);
  const auto after = beta_->use_memory_file(file);
  ASSERT_TRUE(after) << after.error().text();
  EXPECT_EQ(*after, *before);
  make_standby();
  const MutableBytes main = standby_->mapping(0);
  const ByteView expected = replica_->content(0);
  ASSERT_TRUE(std::equal(main.begin(), main.end(), expected.begin(), expected.end()));
  // What lived in the process comes from the cache.
  const MemoryLayout& layout = standby_->identity().layout;
  for (RegionIndex region = 1; region < layout.size(); ++region) {
    for (PageIndex page = 0; page < layout[region].pages; ++page) {
      const ByteView bytes = replica_->content(region).subspan(page * page_bytes, page_bytes);
      ASSERT_TRUE(standby_->write_page(region, page, bytes));
    }
  }
  const auto loaded = standby_->load_device_state(state);
  ASSERT_TRUE(loaded) << loaded.error().text();
  EXPECT_EQ(replica_->differences(*standby_), 0U);
  const auto tracked = standby_->start_tracking();
  ASSERT_TRUE(tracked) << tracked.error().text();
  ASSERT_TRUE(standby_->resume());
  ASSERT_TRUE(wait_busy(*standby_));
  ASSERT_TRUE(replica_->follow(*standby_));
  ASSERT_TRUE(wait_busy(*standby_));
  ASSERT_TRUE(standby_->pause());
  ASSERT_TRUE(replica_->follow(*standby_));
  EXPECT_EQ(replica_->differences(*standby_), 0U);
}

TEST_F(QemuTakeover, AStateThatIsNoneIsRefusedAtOnce) {
  make_standby();
  const Bytes nothing(100, std::byte{7});
  const auto loaded = standby_->load_device_state(nothing);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().word, "load-failed");
}

}  // namespace
}  // namespace colo::guest::test
