// One real QEMU, driven through the guest interface.
#include <poll.h>
#include <signal.h>

#include "tests/guest/busy_guest.h"
#include "tests/guest/replica.h"

namespace colo::guest::test {
namespace {

using QemuGuest = BusyGuestTest;

bool readable(int fd, int timeout_ms) {
  pollfd ready{fd, POLLIN, 0};
  return ::poll(&ready, 1, timeout_ms) == 1;
}

TEST_F(QemuGuest, SaysWhoItIs) {
  auto maker = make_guest_maker(config("alpha"));
  ASSERT_TRUE(maker) << maker.error().text();
  auto guest = (*maker)->boot();
  ASSERT_TRUE(guest) << guest.error().text();
  const Identity& identity = (*guest)->identity();
  EXPECT_EQ(identity.kind, "qemu");
  EXPECT_EQ(identity.accelerator, "tcg");
  EXPECT_TRUE(identity.machine.starts_with("pc-q35-")) << identity.machine;
  EXPECT_FALSE(identity.version.empty());
  ASSERT_EQ(identity.layout.size(), 2U);
  EXPECT_EQ(identity.layout[0], (RegionLayout{"colo.ram", 40960, true}));
  EXPECT_EQ(identity.layout[1].pages, 4096U);
  EXPECT_FALSE(identity.layout[1].mapped);
  ASSERT_EQ((*guest)->ports().size(), 1U);
  EXPECT_EQ((*guest)->ports()[0].name, "net0");
  EXPECT_FALSE(readable((*guest)->end_fd(), 0));
}

TEST_F(QemuGuest, StandsStillWhilePausedAndTellsForHowLong) {
  auto maker = make_guest_maker(config("alpha"));
  ASSERT_TRUE(maker) << maker.error().text();
  auto made = (*maker)->boot();
  ASSERT_TRUE(made) << made.error().text();
  Guest& guest = **made;
  const auto first = guest.resume();
  ASSERT_TRUE(first) << first.error().text();
  EXPECT_FALSE(first->has_value());
  ASSERT_TRUE(wait_busy(guest));
  ASSERT_TRUE(guest.pause());
  const std::uint32_t before = rounds(guest, 0);
  const auto saved = guest.save_device_state();
  ASSERT_TRUE(saved) << saved.error().text();
  EXPECT_EQ(rounds(guest, 0), before);
  const auto standstill = guest.resume();
  ASSERT_TRUE(standstill) << standstill.error().text();
  ASSERT_TRUE(standstill->has_value());
  EXPECT_GT((*standstill)->length().count(), 0);
  EXPECT_TRUE(wait_busy(guest));
}

TEST_F(QemuGuest, RefusesToScanBeforeTrackingAndToSaveWhileRunning) {
  auto maker = make_guest_maker(config("alpha"));
  ASSERT_TRUE(maker) << maker.error().text();
  auto guest = (*maker)->boot();
  ASSERT_TRUE(guest) << guest.error().text();
  DirtyPages dirty = no_pages((*guest)->identity().layout);
  const auto scanned = (*guest)->scan(dirty);
  ASSERT_FALSE(scanned);
  EXPECT_EQ(scanned.error().word, "tracking-not-started");
  ASSERT_TRUE((*guest)->resume());
  const auto saved = (*guest)->save_device_state();
  ASSERT_FALSE(saved);
  EXPECT_EQ(saved.error().word, "save-refused");
  const auto loaded = (*guest)->load_device_state({});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().word, "load-refused");
}

// The copy is put together only from what the scans named, while both processors write.
TEST_F(QemuGuest, LosesNoWriteOverManyScansWhileItRuns) {
  auto maker = make_guest_maker(config("alpha"));
  ASSERT_TRUE(maker) << maker.error().text();
  auto made = (*maker)->boot();
  ASSERT_TRUE(made) << made.error().text();
  Guest& guest = **made;
  ASSERT_TRUE(guest.resume());
  const auto tracking = guest.start_tracking();
  ASSERT_TRUE(tracking) << tracking.error().text();
  Replica replica(guest.identity().layout);
  ASSERT_TRUE(wait_busy(guest));
  const auto first = replica.follow(guest);
  ASSERT_TRUE(first) << first.error().text();
  EXPECT_EQ(*first, guest.identity().memory_bytes() / page_bytes);
  std::uint64_t followed = 0;
  for (int i = 0; i < 400; ++i) {
    const auto count = replica.follow(guest);
    ASSERT_TRUE(count) << count.error().text();
    followed += *count;
  }
  EXPECT_GT(followed, 0U);
  ASSERT_TRUE(wait_busy(guest));
  ASSERT_TRUE(guest.pause());
  // The comparison does see what no scan has named yet.
  EXPECT_GT(replica.differences(guest), 0U);
  ASSERT_TRUE(replica.follow(guest));
  EXPECT_EQ(replica.differences(guest), 0U);
  // Paused, nothing is written, so nothing is dirty.
  const auto rest = replica.follow(guest);
  ASSERT_TRUE(rest);
  EXPECT_EQ(*rest, 0U);
}

// A first copy that does not read what nobody touched leaves it without memory, and misses nothing:
// the first write of such a page is in a later scan.
TEST_F(QemuGuest, WhatNobodyTouchedStaysSoAndItsFirstWriteIsSeen) {
  auto maker = make_guest_maker(config("alpha"));
  ASSERT_TRUE(maker) << maker.error().text();
  auto made = (*maker)->boot();
  ASSERT_TRUE(made) << made.error().text();
  Guest& guest = **made;
  ASSERT_TRUE(guest.resume());
  ASSERT_TRUE(guest.start_tracking());
  ASSERT_TRUE(wait_busy(guest));
  ASSERT_TRUE(guest.pause());
  const Bitmap before = guest.untouched(0);
  EXPECT_GT(before.count(), 0U);
  EXPECT_LT(before.count(), before.size());
  Replica replica(guest.identity().layout);
  const auto first = replica.follow(guest, true);
  ASSERT_TRUE(first) << first.error().text();
  EXPECT_EQ(*first, guest.identity().memory_bytes() / page_bytes - before.count());
  EXPECT_EQ(guest.untouched(0).count(), before.count());
  EXPECT_EQ(guest.untouched(1).count(), 0U);  // inside QEMU: not known
  ASSERT_TRUE(guest.resume());
  ASSERT_TRUE(wait_until([&] { return guest.untouched(0).count() + 1000 < before.count(); }));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(replica.follow(guest));
  ASSERT_TRUE(guest.pause());
  ASSERT_TRUE(replica.follow(guest));
  EXPECT_EQ(replica.differences(guest), 0U);
}

TEST_F(QemuGuest, ZerosDoNotFillAStandbysMemory) {
  auto maker = make_guest_maker(config("alpha"));
  ASSERT_TRUE(maker) << maker.error().text();
  auto made = (*maker)->standby();
  ASSERT_TRUE(made) << made.error().text();
  Guest& standby = **made;
  const std::uint64_t before = standby.untouched(0).count();
  const PageIndex last = standby.identity().layout[0].pages - 1;
  const Bytes zeros(page_bytes);
  const Bytes ones(page_bytes, std::byte{1});
  for (PageIndex page = 0; page <= last; ++page) ASSERT_TRUE(standby.write_page(0, page, zeros));
  EXPECT_EQ(standby.untouched(0).count(), before);
  // What is not zero is made so.
  ASSERT_TRUE(standby.write_page(0, last, ones));
  EXPECT_EQ(standby.untouched(0).count(), before - 1);
  ASSERT_TRUE(standby.write_page(0, last, zeros));
  Bytes read(page_bytes);
  ASSERT_TRUE(standby.read_pages(0, {&last, 1}, read));
  EXPECT_EQ(read, zeros);
}

// A second secondary has nothing of what the first was sent; this was once forgotten.
TEST_F(QemuGuest, TrackingThatIsStartedAgainFindsEverythingDirty) {
  auto maker = make_guest_maker(config("alpha"));
  ASSERT_TRUE(maker) << maker.error().text();
  auto guest = (*maker)->boot();
  ASSERT_TRUE(guest) << guest.error().text();
  ASSERT_TRUE((*guest)->resume());
  const MemoryLayout& layout = (*guest)->identity().layout;
  for (int session = 0; session < 2; ++session) {
    ASSERT_TRUE((*guest)->start_tracking());
    DirtyPages first = no_pages(layout);
    ASSERT_TRUE((*guest)->scan(first));
    for (std::size_t i = 0; i < layout.size(); ++i) EXPECT_EQ(first[i].count(), layout[i].pages);
    DirtyPages second = no_pages(layout);
    ASSERT_TRUE((*guest)->scan(second));
    EXPECT_LT(second[1].count(), layout[1].pages);
  }
}

// A QEMU that hangs executes a late stop when it wakes; the guest was once left standing by it.
TEST_F(QemuGuest, RunsAgainAfterAPauseThatWasNotAnsweredInTime) {
  auto maker = make_guest_maker(config("alpha"));
  ASSERT_TRUE(maker) << maker.error().text();
  auto guest = (*maker)->boot();
  ASSERT_TRUE(guest) << guest.error().text();
  ASSERT_TRUE((*guest)->resume());
  ASSERT_TRUE(wait_busy(**guest));
  ::kill((*guest)->process_id(), SIGSTOP);
  const auto paused = (*guest)->pause();
  ::kill((*guest)->process_id(), SIGCONT);
  ASSERT_FALSE(paused);
  EXPECT_EQ(paused.error().word, "qmp-timeout");
  const auto resumed = (*guest)->resume();
  ASSERT_TRUE(resumed) << resumed.error().text();
  EXPECT_FALSE(resumed->has_value());
  EXPECT_TRUE(wait_busy(**guest));
  // And the times of the next standstill are its own.
  ASSERT_TRUE((*guest)->pause());
  const auto again = (*guest)->resume();
  ASSERT_TRUE(again && *again);
  EXPECT_LT((*again)->length(), std::chrono::seconds(4));
}

TEST_F(QemuGuest, TellsWhetherAllThatCameInWasRead) {
  auto maker = make_guest_maker(config("alpha"));
  ASSERT_TRUE(maker) << maker.error().text();
  auto guest = (*maker)->boot();
  ASSERT_TRUE(guest) << guest.error().text();
  ASSERT_TRUE((*guest)->resume());
  const PacketPort& port = (*guest)->ports()[0];
  EXPECT_TRUE(all_read(port).value());
  ::kill((*guest)->process_id(), SIGSTOP);
  std::string frame(4 + 60, '\0');
  frame[3] = 60;
  ASSERT_EQ(::write(port.fd, frame.data(), frame.size()), static_cast<ssize_t>(frame.size()));
  EXPECT_FALSE(all_read(port).value());
  ::kill((*guest)->process_id(), SIGCONT);
  EXPECT_TRUE(wait_until([&] { return all_read(port).value_or(false); }));
}

TEST_F(QemuGuest, IsSeenToEndWhenItIsKilled) {
  auto maker = make_guest_maker(config("alpha"));
  ASSERT_TRUE(maker) << maker.error().text();
  auto guest = (*maker)->boot();
  ASSERT_TRUE(guest) << guest.error().text();
  ASSERT_TRUE((*guest)->resume());
  ASSERT_EQ(::kill((*guest)->process_id(), SIGKILL), 0);
  ASSERT_TRUE(readable((*guest)->end_fd(), 10000));
  const End end = (*guest)->end();
  EXPECT_FALSE(end.expected);
  EXPECT_FALSE(end.by_guest);
  EXPECT_NE(end.reason.find("was killed by signal 9"), std::string::npos) << end.reason;
  const auto paused = (*guest)->pause();
  ASSERT_FALSE(paused);
  EXPECT_EQ(paused.error().word, "guest-ended");
}

TEST_F(QemuGuest, IsGoneWithItsObjectAndCanBeStartedAgainInTheSamePlace) {
  auto maker = make_guest_maker(config("alpha"));
  ASSERT_TRUE(maker) << maker.error().text();
  int pid = 0;
  {
    auto guest = (*maker)->boot();
    ASSERT_TRUE(guest) << guest.error().text();
    pid = (*guest)->process_id();
    ASSERT_TRUE((*guest)->resume());
    ASSERT_TRUE(wait_busy(**guest));
  }
  EXPECT_EQ(::kill(pid, 0), -1);
  auto again = (*maker)->boot();
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_EQ(rounds(**again, 0), 0U);
  ASSERT_TRUE((*again)->resume());
  EXPECT_TRUE(wait_busy(**again));
}

TEST_F(QemuGuest, TellsQemusOwnWordsWhenItDoesNotStart) {
  GuestConfig wrong = config("alpha");
  wrong.qemu.command.insert(wrong.qemu.command.end(), {"-device", "no-such-device"});
  auto maker = make_guest_maker(wrong);
  ASSERT_TRUE(maker) << maker.error().text();
  const auto guest = (*maker)->boot();
  ASSERT_FALSE(guest);
  EXPECT_EQ(guest.error().word, "guest-not-started");
  EXPECT_NE(guest.error().reason.find("no-such-device"), std::string::npos) << guest.error().reason;
}

}  // namespace
}  // namespace colo::guest::test
