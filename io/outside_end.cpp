#include "io/outside_end.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace colo::io {
namespace {

bool little_later(int error) { return error == EAGAIN || error == ENOBUFS || error == EINTR; }

// The interface is down or deleted. Other errors concern one frame (too short, nobody listens at
// the other path), which is dropped as any network does.
bool port_is_down(int error) {
  return error == EIO || error == ENODEV || error == ENXIO || error == EBADFD ||
         error == ENETDOWN || error == EBADF;
}

}  // namespace

int OutsideEnd::write(ByteView frame) const {
  ssize_t count = 0;
  if (port_.other.empty()) {
    count = ::write(port_.fd.get(), frame.data(), frame.size());
  } else {
    // Addressed each time: the other side may come, go and come again.
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    port_.other.copy(address.sun_path, sizeof address.sun_path - 1);
    count = ::sendto(port_.fd.get(), frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                     reinterpret_cast<const sockaddr*>(&address), sizeof address);
  }
  return count < 0 ? errno : 0;
}

void OutsideEnd::send(compare::Frame frame) {
  waiting_bytes_ += frame->size();
  waiting_.push_back(std::move(frame));
  flush();
}

bool OutsideEnd::flush() {
  while (!waiting_.empty()) {
    const int error = write(*waiting_.front());
    if (little_later(error)) return false;
    if (error == 0) {
      ++sent_;
      told_ = false;
    } else if (port_is_down(error)) {
      down(error);
    }
    waiting_bytes_ -= waiting_.front()->size();
    waiting_.pop_front();
  }
  return true;
}

std::size_t OutsideEnd::drop_waiting() {
  const std::size_t dropped = waiting_.size();
  waiting_.clear();
  waiting_bytes_ = 0;
  return dropped;
}

std::optional<MutableBytes> OutsideEnd::receive(MutableBytes space) {
  if (gone_) return std::nullopt;
  const ssize_t count = ::read(port_.fd.get(), space.data(), space.size());
  if (count > 0) return space.first(static_cast<std::size_t>(count));
  if (count < 0 && port_is_down(errno)) {
    gone_ = errno != EIO;
    down(errno);
  }
  return std::nullopt;
}

void OutsideEnd::leave() {
  if (!port_.other.empty()) ::unlink(port_.name.c_str());
}

void OutsideEnd::down(int error) {
  if (told_) return;
  told_ = true;
  trouble_ = Error{"outside-down",
                   port_.name + " takes no frames of " + port_.port + ": " + std::strerror(error),
                   port_.other.empty() ? "ip link set " + port_.name + " up" : ""};
}

std::optional<Error> OutsideEnd::take_trouble() { return std::exchange(trouble_, std::nullopt); }

}  // namespace colo::io
