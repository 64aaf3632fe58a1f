// A socket driven by one thread that waits for everything at once: a send and a receive under way
// and a wake-up from another thread. By io_uring, or by poll(2) and plain calls where io_uring is
// forbidden (seccomp, sysctl kernel.io_uring_disabled) or switched off.
//
// Ownership: owns the socket. Buffers given to send() and receive() are the caller's; they stay
//   as they are until the event that ends the operation, or until end() has returned.
// Threads: one drives it; wake() is for any thread. Errors: errno values in the event.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "base/types.h"
#include "base/unique_fd.h"

namespace colo::io {

class BulkSocket {
 public:
  enum class What { sent, received, woken, timed_out, failed };
  struct Event {
    What what = What::timed_out;
    std::size_t bytes = 0;  // received: 0 is the end of the stream
    int error = 0;          // failed
  };

  static std::unique_ptr<BulkSocket> open(UniqueFd socket, bool allow_uring);
  virtual ~BulkSocket() = default;

  // At most one send and one receive at a time; both may do less than asked.
  virtual void send(ByteView bytes) = 0;
  virtual void receive(MutableBytes space) = 0;
  // The next event; `timed_out` after `patience`.
  virtual Event wait(std::optional<Duration> patience) = 0;
  virtual void wake() = 0;
  // Shuts the socket and waits until no buffer is in use any more. From the driving thread, last.
  virtual void end() = 0;
  [[nodiscard]] virtual bool uring() const = 0;
};

// The io_uring flavour; none where the kernel refuses it. `socket` is taken only on success.
[[nodiscard]] std::unique_ptr<BulkSocket> open_uring_socket(UniqueFd& socket);
[[nodiscard]] std::unique_ptr<BulkSocket> open_plain_socket(UniqueFd socket);

}  // namespace colo::io
