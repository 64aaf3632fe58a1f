#include "guest/embedded/network_card.h"

#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "guest/embedded/big_endian.h"

namespace colo::guest::embedded {

Result<NetworkCard> NetworkCard::create() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0) {
    return fail("no-network-card", "socketpair failed: " + std::generic_category().message(errno));
  }
  NetworkCard card;
  card.outer_.reset(ends[0]);
  card.inner_.reset(ends[1]);
  return card;
}

std::optional<Bytes> NetworkCard::receive() {
  std::array<std::byte, 16384> buffer;
  while (inner_) {
    if (auto frame = take_frame()) return frame;
    if (!inner_) break;  // the stream was broken
    const ssize_t got = ::recv(inner_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got == 0) unplug();  // the outer end is gone
    if (got <= 0) break;
    append(incoming_, ByteView(buffer).first(static_cast<std::size_t>(got)));
  }
  return std::nullopt;
}

std::optional<Bytes> NetworkCard::take_frame() {
  BigEndianReader in(ByteView(incoming_).subspan(taken_));
  const auto size = in.number<std::uint32_t>();
  if (size && (*size == 0 || *size > frame_bytes_max)) {
    unplug();
    return std::nullopt;
  }
  const auto frame = size ? in.bytes(*size) : std::nullopt;
  if (!frame) {
    incoming_.erase(incoming_.begin(), incoming_.begin() + static_cast<std::ptrdiff_t>(taken_));
    taken_ = 0;
    return std::nullopt;
  }
  taken_ += sizeof *size + *size;
  return Bytes(frame->begin(), frame->end());
}

void NetworkCard::send(ByteView frame) {
  if (!inner_) return;
  append_big_endian(outgoing_, static_cast<std::uint32_t>(frame.size()));
  append(outgoing_, frame);
  send_on();
}

void NetworkCard::send_on() {
  std::size_t sent = 0;
  while (inner_ && sent < outgoing_.size()) {
    const ssize_t took =
        ::send(inner_.get(), outgoing_.data() + sent, outgoing_.size() - sent, MSG_NOSIGNAL);
    if (took < 0 && errno == EINTR) continue;
    if (took < 0 && errno != EAGAIN) unplug();  // the outer end is gone
    if (took <= 0) break;
    sent += static_cast<std::size_t>(took);
  }
  outgoing_.erase(outgoing_.begin(), outgoing_.begin() + static_cast<std::ptrdiff_t>(sent));
  if (!inner_) outgoing_.clear();
}

}  // namespace colo::guest::embedded
