// The gate on a real TAP interface, in a network namespace that ends with this process. Skipped
// where namespaces or TAP are not to be had.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstring>

#include "io/packet_gate.h"
#include "tests/io/support.h"

namespace colo::io::test {
namespace {

constexpr const char* tap_name = "colotest0";
// A protocol number for local experiments: nothing else in the namespace speaks it.
constexpr std::uint16_t experiment = 0x88b5;

class Tap : public testing::Test {
 protected:
  void SetUp() override {
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "needs root for a network namespace";
    UniqueFd tun(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    if (!tun) GTEST_SKIP() << "needs /dev/net/tun";
    ifreq request = named();
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    ASSERT_EQ(::ioctl(tun.get(), TUNSETIFF, &request), 0);
    ASSERT_EQ(::ioctl(tun.get(), TUNSETPERSIST, 1), 0);  // until the namespace ends
    tun.reset();
    set_up(true);
    host_.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(experiment)));
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(experiment);
    address.sll_ifindex = static_cast<int>(::if_nametoindex(tap_name));
    ASSERT_EQ(::bind(host_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    std::array<int, 2> ends{};
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    guest_.reset(ends[0]);
    inside_.reset(ends[1]);
    start_gate();
  }

  static ifreq named() {
    ifreq request{};
    std::strncpy(request.ifr_name, tap_name, IFNAMSIZ - 1);
    return request;
  }
  static void set_up(bool up) {
    UniqueFd any(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request = named();
    ASSERT_EQ(::ioctl(any.get(), SIOCGIFFLAGS, &request), 0);
    if (up) {
      request.ifr_flags |= IFF_UP;
    } else {
      request.ifr_flags = static_cast<short>(request.ifr_flags & ~IFF_UP);
    }
    ASSERT_EQ(::ioctl(any.get(), SIOCSIFFLAGS, &request), 0);
  }
  void start_gate() {
    auto port = open_outside("net0", std::string("tap:") + tap_name);
    ASSERT_TRUE(port.has_value()) << port.error().text();
    std::vector<OutsidePort> outside;
    outside.push_back(std::move(*port));
    gate_ = std::move(*PacketGate::start(std::move(outside), {},
                                         {[] {},
                                          [this](const Error& error) {
                                            if (error.word == "outside-down") ++down_;
                                          }}));
    const std::vector<InsidePort> inside{{"net0", inside_.get()}};
    gate_->open(inside);
    gate_->hold(Epoch{1});
  }
  static Bytes frame_of(std::string_view text) {
    Bytes frame(12, std::byte{0xff});
    frame.push_back(static_cast<std::byte>(experiment >> 8));
    frame.push_back(static_cast<std::byte>(experiment & 0xff));
    const Bytes payload = bytes_of(text);
    frame.insert(frame.end(), payload.begin(), payload.end());
    frame.resize(std::max<std::size_t>(frame.size(), 60));
    return frame;
  }
  void guest_sends(ByteView frame) const {
    Bytes bytes(4 + frame.size());
    bytes[3] = static_cast<std::byte>(frame.size());
    std::copy(frame.begin(), frame.end(), bytes.begin() + 4);
    ASSERT_EQ(::send(guest_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
  }
  static Bytes receive(int fd, int milliseconds) {
    pollfd polled{fd, POLLIN, 0};
    if (::poll(&polled, 1, milliseconds) != 1) return {};
    Bytes bytes(2048);
    const ssize_t count = ::recv(fd, bytes.data(), bytes.size(), 0);
    bytes.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return bytes;
  }

  UniqueFd host_;  // sees what passes the interface
  UniqueFd guest_, inside_;
  std::atomic<int> down_ = 0;
  std::unique_ptr<PacketGate> gate_;
};

TEST_F(Tap, CarriesFramesBothWaysAndHoldsOutput) {
  const Bytes out = frame_of("out");
  guest_sends(out);
  gate_->cut(Epoch{2});
  EXPECT_TRUE(receive(host_.get(), 0).empty());
  gate_->release(Epoch{1});
  EXPECT_EQ(receive(host_.get(), 60'000), out);

  const Bytes in = frame_of("in");
  // The interface itself may speak (IPv6); ours is told by its protocol number. It is sent again
  // until it comes, since the kernel drops what is sent before it has noticed the carrier.
  Bytes stream;
  ASSERT_TRUE(wait_until([&] {
    (void)!::send(host_.get(), in.data(), in.size(), 0);
    const Bytes more = receive(guest_.get(), 10);
    stream.insert(stream.end(), more.begin(), more.end());
    return std::search(stream.begin(), stream.end(), in.begin(), in.end()) != stream.end();
  }));
}

TEST_F(Tap, AnInterfaceThatIsDownIsToldOnceAndWorksAgainWhenItIsUp) {
  set_up(false);
  for (int i = 0; i < 5; ++i) guest_sends(frame_of("lost"));
  gate_->cut(Epoch{2});
  gate_->release(Epoch{1});
  ASSERT_TRUE(wait_until([&] { return down_ > 0; }));
  EXPECT_EQ(down_, 1);
  set_up(true);
  while (!receive(host_.get(), 0).empty()) {
  }
  guest_sends(frame_of("back"));
  gate_->cut(Epoch{3});
  gate_->release(Epoch{2});
  EXPECT_EQ(receive(host_.get(), 60'000), frame_of("back"));
}

TEST_F(Tap, AnInterfaceThatAnotherProcessHasIsBusy) {
  const auto again = open_outside("net0", std::string("tap:") + tap_name);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().word, "outside-busy");
}

TEST_F(Tap, AnInterfaceThatIsNoTapIsRefused) {
  const auto loopback = open_outside("net0", "tap:lo");
  ASSERT_FALSE(loopback);
  EXPECT_EQ(loopback.error().word, "bad-address");
}

}  // namespace
}  // namespace colo::io::test
