// Real QEMUs that map their memory copy-on-write: what they write, what they leave alone, and how
// they are replaced, tracked, read and freed of what they hide.
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/unique_fd.h"
#include "guest/qemu/memory_map.h"
#include "tests/guest/busy_guest.h"
#include "tests/guest/replica.h"

namespace colo::guest::test {
namespace {

namespace fs = std::filesystem;

// The parameter: does the memory have a name?
class QemuOwnCopies : public BusyGuestTest, public ::testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    BusyGuestTest::SetUp();
    auto alpha = make_guest_maker(config("alpha"));
    auto beta = make_guest_maker(with_monitor(config("beta")));
    ASSERT_TRUE(alpha && beta);
    alpha_ = std::move(*alpha);
    beta_ = std::move(*beta);
    if (GetParam()) {
      const auto used = beta_->use_memory_file(file_);
      ASSERT_TRUE(used) << used.error().text();
      // Gone with the test, however that ends; its makers need no name any more.
      file_fd_.reset(::open(file_.c_str(), O_RDONLY | O_CLOEXEC));
      fs::remove(file_);
    }
    auto primary = alpha_->boot();
    ASSERT_TRUE(primary) << primary.error().text();
    primary_ = std::move(*primary);
    ASSERT_TRUE(primary_->resume());
    ASSERT_TRUE(primary_->start_tracking());
    replica_ = std::make_unique<Replica>(primary_->identity().layout);
    ASSERT_TRUE(wait_busy(*primary_));
  }
  void TearDown() override {
    running_.reset();
    spare_.reset();
    primary_.reset();
    BusyGuestTest::TearDown();
  }

  [[nodiscard]] GuestConfig with_monitor(GuestConfig config) const {
    // Each QEMU takes the path anew, so the newest one answers there.
    const std::string path = (directory_ / "monitor").string();
    config.qemu.command.insert(config.qemu.command.end(),
                               {"-monitor", "unix:" + path + ",server=on,wait=off"});
    return config;
  }

  void make_spare() {
    auto spare = beta_->standby(StandbyMemory::own_copies);
    ASSERT_TRUE(spare) << spare.error().text();
    spare_ = std::move(*spare);
    EXPECT_EQ(spare_->identity().layout, primary_->identity().layout);
    expect_own(*spare_, 0);
  }

  static bool same(ByteView a, ByteView b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size()) == 0;
  }

  static void expect_own(Guest& guest, std::uint64_t pages) {
    const auto own = guest.own_pages();
    ASSERT_TRUE(own) << own.error().text();
    EXPECT_EQ(*own, pages);
  }

  // A checkpoint of the primary: what changed since the last one goes into the memory, and the
  // device state into the spare, which then replaces the guest that ran.
  void replace() {
    DirtyPages changed = no_pages(primary_->identity().layout);
    ASSERT_TRUE(primary_->pause());
    ASSERT_TRUE(primary_->scan(changed));
    ASSERT_TRUE(replica_->copy(*primary_, changed));
    const auto state = primary_->save_device_state();
    ASSERT_TRUE(state);
    ASSERT_TRUE(primary_->resume());
    if (running_) {
      // All the time until now the memory was the last checkpoint, bit by bit.
      const MutableBytes memory = spare_->mapping(0);
      ASSERT_TRUE(same(memory, flushed_));
      ::kill(running_->process_id(), SIGKILL);
      running_.reset();
    }
    changed[1].set_range(0, changed[1].size());  // a fresh process has nothing of video memory
    flush(changed);
    const auto loaded = spare_->load_device_state(*state);
    ASSERT_TRUE(loaded) << loaded.error().text();
    EXPECT_EQ(replica_->differences(*spare_), 0U);
    running_ = std::move(spare_);
    const ByteView content = replica_->content(0);
    flushed_.assign(content.begin(), content.end());
  }

  void flush(const DirtyPages& changed) {
    for (RegionIndex region = 0; region < changed.size(); ++region) {
      changed[region].for_each([&](PageIndex page) {
        const auto bytes = replica_->content(region).subspan(page * page_bytes, page_bytes);
        const MutableBytes mapped = spare_->mapping(region);
        if (mapped.empty()) {
          EXPECT_TRUE(spare_->write_page(region, page, bytes));
        } else {
          std::copy(bytes.begin(), bytes.end(), mapped.data() + page * page_bytes);
        }
      });
    }
  }

  // Runs until it has written many pages.
  void run_a_while() {
    ASSERT_TRUE(running_->resume());
    ASSERT_TRUE(wait_busy(*running_));
    ASSERT_TRUE(wait_until([&] { return running_->own_pages().value_or(0) > 2000; }));
  }

  // What QEMU itself says that its guest's memory holds, above what firmware and devices overlay.
  [[nodiscard]] Bytes told_by_qemu() const {
    const fs::path told = directory_ / "told";
    const std::uint64_t bytes = main_bytes() - overlaid;
    const std::string command = "pmemsave " + std::to_string(overlaid) + " " +
                                std::to_string(bytes) + " \"" + told.string() + "\"\n";
    const UniqueFd monitor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = (directory_ / "monitor").string();
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    const auto* at = reinterpret_cast<const sockaddr*>(&address);
    EXPECT_EQ(::connect(monitor.get(), at, sizeof address), 0);
    std::string answer;
    const auto read_until_prompt = [&] {
      answer.clear();
      for (char c = 0; !answer.ends_with("(qemu) ") && ::read(monitor.get(), &c, 1) == 1;) {
        answer += c;
      }
    };
    read_until_prompt();
    EXPECT_EQ(::write(monitor.get(), command.data(), command.size()),
              static_cast<ssize_t>(command.size()));
    read_until_prompt();
    Bytes content(bytes);
    std::ifstream in(told, std::ios::binary);
    in.read(reinterpret_cast<char*>(content.data()), static_cast<std::streamsize>(bytes));
    EXPECT_EQ(in.gcount(), static_cast<std::streamsize>(bytes));
    return content;
  }
  [[nodiscard]] std::uint64_t main_bytes() const {
    return primary_->identity().layout[0].pages * page_bytes;
  }
  void expect_as_qemu_says(const Bytes& content) const {
    EXPECT_TRUE(same(told_by_qemu(), ByteView(content).subspan(overlaid)));
  }

  static constexpr std::uint64_t overlaid = 1 << 20;
  const fs::path file_ = "/dev/shm/colo-own-copies-" + std::to_string(::getpid());
  UniqueFd file_fd_;
  std::unique_ptr<GuestMaker> alpha_, beta_;
  std::unique_ptr<Guest> primary_, spare_, running_;
  std::unique_ptr<Replica> replica_;
  Bytes flushed_;  // main memory of the checkpoint that running_ was loaded from
};

INSTANTIATE_TEST_SUITE_P(Memory, QemuOwnCopies, ::testing::Bool(),
                         [](const auto& named) { return named.param ? "Named" : "Anonymous"; });

TEST_P(QemuOwnCopies, AReplicaIsReplacedAgainAndAgainAndTheCheckpointStaysWhatItWas) {
  make_spare();
  for (int round = 0; round < 3; ++round) {
    replace();
    ASSERT_FALSE(HasFatalFailure());
    run_a_while();
    ASSERT_FALSE(HasFatalFailure());
    // The next one is ready while this one runs, and sees nothing of it.
    make_spare();
    ASSERT_FALSE(HasFatalFailure());
    EXPECT_TRUE(running_->mapping(0).empty());
    const MutableBytes memory = spare_->mapping(0);
    EXPECT_TRUE(same(memory, flushed_));
    EXPECT_FALSE(same(read_whole(*running_, 0), flushed_));
    expect_own(*spare_, 0);
  }
}

// It took over: it is copied by what the scans name, as any primary.
TEST_P(QemuOwnCopies, IsTrackedAndReadAsAPrimary) {
  make_spare();
  replace();
  ASSERT_FALSE(HasFatalFailure());
  run_a_while();
  const auto tracking = running_->start_tracking();
  ASSERT_TRUE(tracking) << tracking.error().text();
  Replica copy(running_->identity().layout);
  const auto first = copy.follow(*running_);
  ASSERT_TRUE(first) << first.error().text();
  EXPECT_EQ(*first, running_->identity().memory_bytes() / page_bytes);
  EXPECT_EQ(running_->untouched(0).count(), 0U) << "a hole in the file says nothing of the guest";
  std::uint64_t followed = 0;
  for (int i = 0; i < 60; ++i) {
    const auto count = copy.follow(*running_);
    ASSERT_TRUE(count) << count.error().text();
    followed += *count;
    EXPECT_LT(*count, running_->identity().layout[0].pages / 2) << "reading counts as writing";
  }
  EXPECT_GT(followed, 0U);
  ASSERT_TRUE(wait_busy(*running_));
  ASSERT_TRUE(running_->pause());
  EXPECT_GT(copy.differences(*running_), 0U);
  ASSERT_TRUE(copy.follow(*running_));
  EXPECT_EQ(copy.differences(*running_), 0U);
  const ByteView content = copy.content(0);
  expect_as_qemu_says(Bytes(content.begin(), content.end()));
  // All pages have just been read, and nothing was written.
  const auto rest = copy.follow(*running_);
  ASSERT_TRUE(rest);
  EXPECT_EQ(*rest, 0U);
  // It can be made a copy of by a third QEMU.
  const auto state = running_->save_device_state();
  ASSERT_TRUE(state) << state.error().text();
  primary_.reset();
  auto third = alpha_->standby(StandbyMemory::own_copies);
  ASSERT_TRUE(third) << third.error().text();
  ASSERT_TRUE(copy.place(**third));
  const auto loaded = (*third)->load_device_state(*state);
  ASSERT_TRUE(loaded) << loaded.error().text();
  EXPECT_EQ(copy.differences(**third), 0U);
  ASSERT_TRUE((*third)->resume());
  EXPECT_TRUE(wait_busy(**third));
}

TEST_P(QemuOwnCopies, WhatItHidesIsGivenBackWhileItRunsAndItsContentStays) {
  make_spare();
  replace();
  ASSERT_FALSE(HasFatalFailure());
  run_a_while();
  ASSERT_TRUE(running_->start_tracking());
  Replica copy(running_->identity().layout);
  ASSERT_TRUE(copy.follow(*running_));
  std::uint64_t released = 0;
  for (int i = 0; i < 60; ++i) {
    const auto some = running_->release_hidden();
    ASSERT_TRUE(some) << some.error().text();
    released += *some;
    ASSERT_TRUE(copy.follow(*running_));
  }
  EXPECT_GT(released, 2000U);
  if (GetParam()) {
    // It was set aside whole.
    struct stat facts {};
    ASSERT_EQ(::fstat(file_fd_.get(), &facts), 0);
    EXPECT_LE(static_cast<std::uint64_t>(facts.st_blocks) * 512,
              main_bytes() - released * page_bytes + (2U << 20));
  }
  ASSERT_TRUE(running_->pause());
  ASSERT_TRUE(copy.follow(*running_));
  const Bytes before = read_whole(*running_, 0);
  for (;;) {
    const auto some = running_->release_hidden();
    ASSERT_TRUE(some) << some.error().text();
    if (*some == 0) break;
  }
  EXPECT_TRUE(same(read_whole(*running_, 0), before));
  EXPECT_EQ(copy.differences(*running_), 0U);
  expect_as_qemu_says(before);
  ASSERT_TRUE(running_->resume());
  EXPECT_TRUE(wait_busy(*running_));
}

// What it wrote before its load would hide what is flushed under it.
TEST_P(QemuOwnCopies, AStandbyThatWroteIsNotLoaded) {
  make_spare();
  const auto map = read_memory_map(spare_->process_id());
  ASSERT_TRUE(map);
  const auto mapped = std::find_if(map->begin(), map->end(), [&](const MappedRange& range) {
    return range.inode != 0 && range.writable && !range.shared && range.bytes() == main_bytes();
  });
  ASSERT_NE(mapped, map->end());
  char byte = 0;
  const iovec local{&byte, 1};
  // Reading gives it no copy of its own, writing does, also of the same byte.
  const iovec remote{reinterpret_cast<void*>(mapped->begin + 77 * page_bytes), 1};
  ASSERT_EQ(::process_vm_readv(spare_->process_id(), &local, 1, &remote, 1, 0), 1);
  expect_own(*spare_, 0);
  ASSERT_EQ(::process_vm_writev(spare_->process_id(), &local, 1, &remote, 1, 0), 1);
  expect_own(*spare_, 1);
  ASSERT_TRUE(primary_->pause());
  const auto state = primary_->save_device_state();
  ASSERT_TRUE(state);
  const auto loaded = spare_->load_device_state(*state);
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().word, "standby-not-fresh");
  EXPECT_NE(loaded.error().reason.find(" 1 page"), std::string::npos) << loaded.error().reason;
  EXPECT_FALSE(spare_->resume());
}

}  // namespace
}  // namespace colo::guest::test
