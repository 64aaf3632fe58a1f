#include "demo/frame_tap.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "demo/namespaces.h"

namespace colo::demo {
namespace {

constexpr int tick_ms = 50;

Result<UniqueFd> open_on(const std::string& interface) {
  UniqueFd fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
  const int on = 1;
  if (!fd || address.sll_ifindex == 0 ||
      ::setsockopt(fd.get(), SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on) != 0 ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail("no-frame-tap", interface + ": " + std::strerror(errno));
  }
  return fd;
}

}  // namespace

Result<std::unique_ptr<FrameTap>> FrameTap::start(int network_namespace,
                                                  const std::array<std::string, 2>& interfaces,
                                                  const std::array<std::uint8_t, 6>& guest,
                                                  Speakers& speakers) {
  std::unique_ptr<FrameTap> tap(new FrameTap(guest, speakers));
  for (std::size_t i = 0; i < 2; ++i) {
    Result<UniqueFd> opened = fail("no-frame-tap", "not tried");
    if (auto entered = inside(network_namespace, [&] { opened = open_on(interfaces[i]); });
        !entered) {
      return fail(entered.error());
    }
    if (!opened) return fail(opened.error());
    tap->sockets_[i] = std::move(*opened);
  }
  tap->thread_ = std::thread([raw = tap.get()] { raw->listen(); });
  return tap;
}

FrameTap::~FrameTap() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void FrameTap::listen() {
  while (!stopping_) {
    std::array<pollfd, 2> items{{{sockets_[0].get(), POLLIN, 0}, {sockets_[1].get(), POLLIN, 0}}};
    if (::poll(items.data(), items.size(), tick_ms) <= 0) continue;
    for (std::size_t i = 0; i < 2; ++i) {
      if ((items[i].revents & POLLIN) != 0) take(i);
    }
  }
}

void FrameTap::take(std::size_t host) {
  for (;;) {
    std::array<std::uint8_t, ETH_HLEN> header{};  // the rest of a frame tells nothing here
    std::array<char, 256> control{};
    sockaddr_ll from{};
    iovec part{header.data(), header.size()};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const ssize_t n = ::recvmsg(sockets_[host].get(), &message, 0);
    if (n < 0) return;
    // What leaves by this end comes from the other host or from the client.
    if (n < ETH_HLEN || from.sll_pkttype == PACKET_OUTGOING) continue;
    if (!std::equal(guest_.begin(), guest_.end(), header.begin() + ETH_ALEN)) continue;
    speakers_.heard(host, kernel_time(message));
  }
}

}  // namespace colo::demo
