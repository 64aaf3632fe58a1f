// Beginnings and ends of real QEMU guests, and what passes their borders.
#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <utility>

#include "base/unique_fd.h"
#include "tests/guest/busy_guest.h"

namespace colo::guest::test {
namespace {

using QemuLife = BusyGuestTest;

bool readable(int fd, int timeout_ms) {
  pollfd ready{fd, POLLIN, 0};
  return ::poll(&ready, 1, timeout_ms) == 1;
}

TEST_F(QemuLife, AGuestThatShutsItselfDownIsNoFault) {
  // Writes "power off" to the power management port: mov dx,0x604; mov ax,0x2000; out dx,ax; hlt
  const unsigned char power_off[] = {0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef, 0xf4};
  write_boot_sector(power_off);
  auto maker = make_guest_maker(config("alpha"));
  ASSERT_TRUE(maker) << maker.error().text();
  auto guest = (*maker)->boot();
  ASSERT_TRUE(guest) << guest.error().text();
  EXPECT_FALSE((*guest)->end().by_guest);
  ASSERT_TRUE((*guest)->resume());
  ASSERT_TRUE(readable((*guest)->end_fd(), 60000));
  const End end = (*guest)->end();
  EXPECT_TRUE(end.by_guest) << end.reason;
  EXPECT_NE(end.reason.find("exited with status 0"), std::string::npos) << end.reason;
}

// A boot sector that reports a crash as an operating system's driver does: bit 0 to port 0x505.
//   mov dx,0x505; mov al,1; out dx,al; hlt; jmp to the hlt
constexpr unsigned char panic[] = {0xba, 0x05, 0x05, 0xb0, 0x01, 0xee, 0xf4, 0xeb, 0xfd};

TEST_F(QemuLife, AGuestThatPanicsIsDeadAtOnceAndDidNotShutItselfDown) {
  write_boot_sector(panic);
  for (const char* action : {"", "panic=shutdown", "panic=exit-failure"}) {
    GuestConfig crashing = config("alpha");
    auto& command = crashing.qemu.command;
    command.insert(command.end(), {"-device", "pvpanic"});
    if (*action != '\0') command.insert(command.end(), {"-action", action});
    auto maker = make_guest_maker(crashing);
    ASSERT_TRUE(maker) << maker.error().text();
    auto guest = (*maker)->boot();
    ASSERT_TRUE(guest) << guest.error().text();
    ASSERT_TRUE((*guest)->resume());
    ASSERT_TRUE(readable((*guest)->end_fd(), 60000)) << action;
    const End end = (*guest)->end();
    EXPECT_FALSE(end.by_guest) << action << ": " << end.reason;
    EXPECT_FALSE(end.expected);
    EXPECT_TRUE(end.reason.starts_with("the guest panicked; QEMU (pid ")) << end.reason;
  }
}

TEST_F(QemuLife, AGuestThatResetsItselfIsNotDead) {
  // Leaves the time of this boot at 0x20000, which the firmware clears, and resets the machine by
  // port 0xcf9:
  //   mov ax,0x2000; mov ds,ax; rdtsc; mov [0],eax; mov dx,0xcf9; mov al,6; out dx,al; hlt
  const unsigned char reset[] = {0xb8, 0x00, 0x20, 0x8e, 0xd8, 0x0f, 0x31, 0x66, 0xa3,
                                 0x00, 0x00, 0xba, 0xf9, 0x0c, 0xb0, 0x06, 0xee, 0xf4};
  write_boot_sector(reset);
  auto maker = make_guest_maker(config("alpha"));
  ASSERT_TRUE(maker) << maker.error().text();
  auto guest = (*maker)->boot();
  ASSERT_TRUE(guest) << guest.error().text();
  ASSERT_TRUE((*guest)->start_tracking());
  ASSERT_TRUE((*guest)->resume());
  std::uint32_t seen = 0;
  const auto boots_again = [&] {
    std::uint32_t now = 0;
    std::memcpy(&now, (*guest)->mapping(0).data() + 0x20000, sizeof now);
    return now != 0 && std::exchange(seen, now) != now;
  };
  for (int boot = 0; boot < 3; ++boot) EXPECT_TRUE(wait_until(boots_again)) << boot;
  EXPECT_FALSE(readable((*guest)->end_fd(), 0));
  // It can still be paused, saved and let go on.
  ASSERT_TRUE((*guest)->pause());
  EXPECT_TRUE((*guest)->save_device_state());
  ASSERT_TRUE((*guest)->resume());
  EXPECT_TRUE(wait_until(boots_again));
  EXPECT_FALSE((*guest)->end().by_guest);
}

// The first frames of a guest's firmware that asks for an address leave by the port, whole.
TEST_F(QemuLife, FramesOfTheGuestArriveBehindTheirLength) {
  GuestConfig network = config("alpha");
  for (std::string& word : network.qemu.command) {
    // With its network boot ROM again, and first in the order of boot.
    if (word == "virtio-net-pci,netdev=net0,romfile=")
      word = "virtio-net-pci,netdev=net0,bootindex=1";
  }
  auto maker = make_guest_maker(network);
  ASSERT_TRUE(maker) << maker.error().text();
  auto guest = (*maker)->boot();
  ASSERT_TRUE(guest) << guest.error().text();
  ASSERT_TRUE((*guest)->resume());
  const int port = (*guest)->ports()[0].fd;
  ASSERT_TRUE(readable(port, 90000));
  std::vector<unsigned char> input;
  const auto have = [&](std::size_t bytes) {
    return wait_until([&] {
      unsigned char chunk[4096];
      const ssize_t got = ::recv(port, chunk, sizeof chunk, MSG_DONTWAIT);
      if (got > 0) input.insert(input.end(), chunk, chunk + got);
      return input.size() >= bytes;
    });
  };
  ASSERT_TRUE(have(4));
  const std::size_t length = static_cast<std::size_t>(input[2]) << 8 | input[3];
  EXPECT_EQ(input[0] | input[1], 0);
  EXPECT_GE(length, 42U);
  EXPECT_LE(length, 1514U);
  ASSERT_TRUE(have(4 + length));
  // From the address that QEMU gives its first card.
  EXPECT_THAT(std::vector<unsigned char>(input.begin() + 10, input.begin() + 16),
              ::testing::ElementsAre(0x52, 0x54, 0x00, 0x12, 0x34, 0x56));
}

// The engine is stood for by a process of its own that dies without a word.
TEST_F(QemuLife, TheGuestDiesWithItsEngine) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t engine = ::fork();
  ASSERT_GE(engine, 0);
  if (engine == 0) {
    auto maker = make_guest_maker(config("alpha"));
    auto guest = maker ? (*maker)->boot() : fail(maker.error());
    const int pid = guest && (*guest)->resume() ? (*guest)->process_id() : 0;
    [[maybe_unused]] const ssize_t told = ::write(ends[1], &pid, sizeof pid);
    for (;;) ::pause();
  }
  int qemu = 0;
  ASSERT_EQ(::read(ends[0], &qemu, sizeof qemu), static_cast<ssize_t>(sizeof qemu));
  const UniqueFd end(static_cast<int>(::syscall(SYS_pidfd_open, qemu, 0)));
  EXPECT_TRUE(qemu > 0 && end);
  EXPECT_FALSE(readable(end.get(), 0));
  ::kill(engine, SIGKILL);
  EXPECT_EQ(::waitpid(engine, nullptr, 0), engine);
  EXPECT_TRUE(readable(end.get(), 10000));
  ::close(ends[0]);
  ::close(ends[1]);
}

// A thread that made the guest may end; the guest goes on.
TEST_F(QemuLife, TheGuestOutlivesTheThreadThatMadeIt) {
  auto maker = make_guest_maker(config("alpha"));
  ASSERT_TRUE(maker) << maker.error().text();
  std::unique_ptr<Guest> guest;
  std::thread([&] {
    auto made = (*maker)->boot();
    if (made) guest = std::move(*made);
  }).join();
  ASSERT_TRUE(guest);
  ASSERT_TRUE(guest->resume());
  EXPECT_TRUE(wait_busy(*guest));
}

TEST_F(QemuLife, ACommandThatCannotBeProtectedMakesNoGuest) {
  GuestConfig wrong = config("alpha");
  wrong.qemu.command.insert(wrong.qemu.command.end(), {"-hda", "disk.img"});
  const auto maker = make_guest_maker(wrong);
  ASSERT_FALSE(maker);
  EXPECT_EQ(maker.error().word, "disk-writable");
}

TEST_F(QemuLife, AProgramThatIsNotThereIsNamed) {
  GuestConfig wrong = config("alpha");
  wrong.qemu.command[0] = "no-such-qemu";
  auto maker = make_guest_maker(wrong);
  ASSERT_TRUE(maker) << maker.error().text();
  const auto guest = (*maker)->boot();
  ASSERT_FALSE(guest);
  EXPECT_EQ(guest.error().word, "qemu-not-found");
}

TEST_F(QemuLife, CheckFindsNothingFatalHereAndNamesAMissingProgram) {
  GuestConfig good = config("alpha");
  for (const Finding& finding : check_guest(good)) {
    EXPECT_FALSE(finding.fatal) << finding.word << ": " << finding.reason;
  }
  good.qemu.command[0] = "true";
  std::vector<std::string> fatal;
  for (const Finding& finding : check_guest(good)) {
    if (finding.fatal) fatal.push_back(finding.word);
  }
  EXPECT_THAT(fatal, ::testing::ElementsAre("qemu-not-found"));
}

}  // namespace
}  // namespace colo::guest::test
