#include "demo/unix_switch.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace colo::demo {
namespace {

constexpr std::size_t longest_frame = 65536;

Result<sockaddr_un> address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  if (text.size() >= sizeof address.sun_path) {
    return fail("path-too-long", text + " is too long for a socket", "set TMPDIR to a short path");
  }
  std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
  return address;
}

}  // namespace

Result<UnixSwitch> UnixSwitch::open(const std::vector<SwitchPort>& ports, Speakers* speakers) {
  UnixSwitch made;
  made.speakers_ = speakers;
  for (const SwitchPort& port : ports) {
    const auto ours = address_of(port.ours);
    if (!ours) return fail(ours.error());
    const auto theirs = address_of(port.theirs);
    if (!theirs) return fail(theirs.error());
    UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return fail("no-socket", std::strerror(errno));
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&*ours), sizeof *ours) != 0) {
      return fail("no-socket", port.ours.string() + ": " + std::strerror(errno));
    }
    const int on = 1;
    ::setsockopt(socket.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    made.ports_.push_back({std::move(socket), *theirs});
  }
  return made;
}

void UnixSwitch::send(ByteView frame) {
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    if (learned_ && *learned_ != i) continue;
    const Port& port = ports_[i];
    const ssize_t n = ::sendto(port.socket.get(), frame.data(), frame.size(), MSG_NOSIGNAL,
                               reinterpret_cast<const sockaddr*>(&port.theirs), sizeof port.theirs);
    // The cable is out: a switch forgets who was behind it.
    if (n < 0 && (errno == ECONNREFUSED || errno == ENOENT) && learned_) learned_.reset();
  }
}

std::optional<Bytes> UnixSwitch::receive(std::chrono::milliseconds patience) {
  std::vector<pollfd> items;
  for (const Port& port : ports_) items.push_back({port.socket.get(), POLLIN, 0});
  if (::poll(items.data(), items.size(), static_cast<int>(patience.count())) <= 0)
    return std::nullopt;
  for (std::size_t i = 0; i < items.size(); ++i) {
    if ((items[i].revents & POLLIN) == 0) continue;
    Bytes frame(longest_frame);
    std::array<char, 256> control{};
    iovec part{frame.data(), frame.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t n = ::recvmsg(items[i].fd, &message, 0);
    if (n < 0) continue;
    frame.resize(static_cast<std::size_t>(n));
    learned_ = i;
    if (speakers_ != nullptr) speakers_->heard(i, kernel_time(message));
    return frame;
  }
  return std::nullopt;
}

}  // namespace colo::demo
