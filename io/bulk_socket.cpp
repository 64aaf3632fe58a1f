#include "io/bulk_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>

namespace colo::io {
namespace {

timespec timespec_of(Duration duration) {
  const auto nanoseconds = std::max<std::int64_t>(duration.count(), 0);
  return {static_cast<std::time_t>(nanoseconds / 1'000'000'000),
          static_cast<long>(nanoseconds % 1'000'000'000)};
}

class PlainSocket : public BulkSocket {
 public:
  explicit PlainSocket(UniqueFd socket)
      : socket_(std::move(socket)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    const int flags = ::fcntl(socket_.get(), F_GETFL);
    ::fcntl(socket_.get(), F_SETFL, flags | O_NONBLOCK);
  }

  void send(ByteView bytes) override { sending_ = bytes; }
  void receive(MutableBytes space) override { receiving_ = space; }

  Event wait(std::optional<Duration> patience) override {
    if (!wake_)
      return {What::failed, 0, EMFILE};  // out of descriptors: the lane ends, not the engine
    // Most often the socket is ready: ask it before asking poll.
    if (auto event = try_send()) return *event;
    for (;;) {
      short wanted = 0;
      if (!sending_.empty()) wanted |= POLLOUT;
      if (!receiving_.empty()) wanted |= POLLIN;
      std::array<pollfd, 2> polled{{{socket_.get(), wanted, 0}, {wake_.get(), POLLIN, 0}}};
      const timespec limit = timespec_of(patience.value_or(Duration{}));
      const int count = ::ppoll(polled.data(), polled.size(), patience ? &limit : nullptr, nullptr);
      if (count < 0 && errno != EINTR) return {What::failed, 0, errno};
      if (count == 0) return {What::timed_out};
      if (count < 0) continue;
      if (polled[1].revents != 0) {
        std::uint64_t value = 0;
        (void)!::read(wake_.get(), &value, sizeof value);
        return {What::woken};
      }
      if (auto event = try_receive()) return *event;
      if (auto event = try_send()) return *event;
    }
  }

  void wake() override {
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);
  }
  void end() override { ::shutdown(socket_.get(), SHUT_RDWR); }
  [[nodiscard]] bool uring() const override { return false; }

 private:
  std::optional<Event> try_send() {
    if (sending_.empty()) return std::nullopt;
    const ssize_t count =
        ::send(socket_.get(), sending_.data(), sending_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
    sending_ = {};
    if (count < 0) return Event{What::failed, 0, errno};
    return Event{What::sent, static_cast<std::size_t>(count)};
  }
  std::optional<Event> try_receive() {
    if (receiving_.empty()) return std::nullopt;
    const ssize_t count = ::recv(socket_.get(), receiving_.data(), receiving_.size(), MSG_DONTWAIT);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
    receiving_ = {};
    if (count < 0) return Event{What::failed, 0, errno};
    return Event{What::received, static_cast<std::size_t>(count)};
  }

  UniqueFd socket_;
  UniqueFd wake_;
  ByteView sending_;
  MutableBytes receiving_;
};

}  // namespace

std::unique_ptr<BulkSocket> open_plain_socket(UniqueFd socket) {
  return std::make_unique<PlainSocket>(std::move(socket));
}

std::unique_ptr<BulkSocket> BulkSocket::open(UniqueFd socket, bool allow_uring) {
  if (allow_uring) {
    if (auto uring = open_uring_socket(socket)) return uring;
  }
  return open_plain_socket(std::move(socket));
}

}  // namespace colo::io
