// One network card for the tests of the gate: a stream socket as a guest has it, and a datagram
// socket as a neighbour in the network has it.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "tests/io/support.h"

namespace colo::io::test {

inline Bytes framed(ByteView frame) {
  Bytes bytes;
  const auto length = static_cast<std::uint32_t>(frame.size());
  for (const unsigned shift : {24U, 16U, 8U, 0U}) {
    bytes.push_back(static_cast<std::byte>((length >> shift) & 0xffU));
  }
  bytes.insert(bytes.end(), frame.begin(), frame.end());
  return bytes;
}

// One card: the guest's end as the guest has it, the network's end as a neighbour has it.
struct Card {
  explicit Card(const std::filesystem::path& directory, const std::string& port_name)
      : name(port_name), own(directory / (port_name + ".own")), other(directory / port_name) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
    guest.reset(ends[0]);
    inside.reset(ends[1]);
    neighbour.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const sockaddr_un address = address_of(other);
    EXPECT_EQ(::bind(neighbour.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
              0);
  }
  static sockaddr_un address_of(const std::filesystem::path& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.string().copy(address.sun_path, sizeof address.sun_path - 1);
    return address;
  }
  [[nodiscard]] std::string spec() const { return "unix:" + own.string() + "," + other.string(); }

  void guest_sends(std::string_view text) const { guest_sends_raw(framed(bytes_of(text))); }
  // Waits while the gate has not taken what came before.
  void guest_sends_raw(ByteView bytes) const {
    while (!bytes.empty()) {
      pollfd polled{guest.get(), POLLOUT, 0};
      ASSERT_EQ(::poll(&polled, 1, 60'000), 1);
      const ssize_t count = ::send(guest.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      ASSERT_GT(count, 0);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }
  bool neighbour_sends(std::string_view text) const {
    const sockaddr_un address = address_of(own);
    return ::sendto(neighbour.get(), text.data(), text.size(), 0,
                    reinterpret_cast<const sockaddr*>(&address),
                    sizeof address) == static_cast<ssize_t>(text.size());
  }
  // What left for the network: waits for the next frame.
  [[nodiscard]] std::string left() const {
    pollfd polled{neighbour.get(), POLLIN, 0};
    if (::poll(&polled, 1, 60'000) != 1) return "(nothing)";
    std::string text(70'000, '\0');
    const ssize_t count = ::recv(neighbour.get(), text.data(), text.size(), 0);
    text.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return text;
  }
  [[nodiscard]] bool something_left() const {
    pollfd polled{neighbour.get(), POLLIN, 0};
    return ::poll(&polled, 1, 0) == 1;
  }
  // What reached the guest: waits for a whole frame.
  [[nodiscard]] std::string reached() const {
    Bytes length(4);
    if (!receive_whole(length)) return "(nothing)";
    std::size_t size = 0;
    for (const std::byte byte : length) size = size * 256 + std::to_integer<std::size_t>(byte);
    Bytes frame(size);
    if (!receive_whole(frame)) return "(cut off)";
    return {reinterpret_cast<const char*>(frame.data()), frame.size()};
  }
  bool receive_whole(MutableBytes space) const {
    while (!space.empty()) {
      pollfd polled{guest.get(), POLLIN, 0};
      if (::poll(&polled, 1, 60'000) != 1) return false;
      const ssize_t count = ::recv(guest.get(), space.data(), space.size(), 0);
      if (count <= 0) return false;
      space = space.subspan(static_cast<std::size_t>(count));
    }
    return true;
  }

  std::string name;
  std::filesystem::path own, other;
  UniqueFd guest, inside, neighbour;
};

}  // namespace colo::io::test
