#include "io/packet_stream.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "base/check.h"

namespace colo::io {
namespace {

constexpr std::size_t length_bytes = 4;

std::uint32_t length_at(const Bytes& bytes, std::size_t offset) {
  std::uint32_t length = 0;
  for (std::size_t i = 0; i < length_bytes; ++i) {
    length = (length << 8) | std::to_integer<std::uint32_t>(bytes[offset + i]);
  }
  return length;
}

}  // namespace

Result<PacketStream::State> PacketStream::read(int fd, const std::function<void(Bytes)>& give) {
  std::array<std::byte, 65536> space;
  const ssize_t count = ::recv(fd, space.data(), space.size(), MSG_DONTWAIT);
  if (count < 0) {
    if (errno == EAGAIN) return State::blocked;
    return errno == EINTR ? State::open : State::ended;
  }
  if (count == 0) return State::ended;
  arrived_.insert(arrived_.end(), space.begin(), space.begin() + count);

  std::size_t taken = 0;
  while (arrived_.size() - taken >= length_bytes) {
    const std::uint32_t length = length_at(arrived_, taken);
    if (length > packet_bytes_max) {
      return fail("bad-frame", "the guest's socket gave a frame of " + std::to_string(length) +
                                   " bytes; the bound is " + std::to_string(packet_bytes_max));
    }
    if (arrived_.size() - taken - length_bytes < length) break;
    const auto first = arrived_.begin() + static_cast<std::ptrdiff_t>(taken + length_bytes);
    if (length > 0) give(Bytes(first, first + static_cast<std::ptrdiff_t>(length)));
    taken += length_bytes + length;
  }
  arrived_.erase(arrived_.begin(), arrived_.begin() + static_cast<std::ptrdiff_t>(taken));
  return State::open;
}

PacketStream::State PacketStream::write(int fd, ByteView frame) {
  COLO_CHECK(!write_pending());
  writing_.clear();
  written_ = 0;
  const auto length = static_cast<std::uint32_t>(frame.size());
  for (const unsigned shift : {24U, 16U, 8U, 0U}) {
    writing_.push_back(static_cast<std::byte>((length >> shift) & 0xffU));
  }
  writing_.insert(writing_.end(), frame.begin(), frame.end());
  return finish_write(fd);
}

PacketStream::State PacketStream::finish_write(int fd) {
  while (write_pending()) {
    const ssize_t count = ::send(fd, writing_.data() + written_, writing_.size() - written_,
                                 MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno == EAGAIN ? State::blocked : State::ended;
    written_ += static_cast<std::size_t>(count);
  }
  return State::open;
}

void PacketStream::reset() {
  arrived_.clear();
  writing_.clear();
  written_ = 0;
}

}  // namespace colo::io
