// The bulk lane: page bytes, apart from control decisions. Driven by io_uring, with one send in
// flight while the next bytes are encrypted; by plain socket calls where io_uring is forbidden
// (seccomp, sysctl kernel.io_uring_disabled) or switched off.
//
// Destroying a lane from inside its own callbacks is not allowed: it waits for the thread that is
// calling. on_end is called unless the lane is destroyed first; the connection is closed before.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "io/lane.h"

namespace colo::io {

struct BulkFigures {
  std::uint64_t bytes = 0;  // plaintext
  std::uint64_t frames = 0;
  bool uring = false;
};

// Threads: push() and drain() from one thread; on_end is called once on the sender's own thread.
class BulkSender {
 public:
  static std::unique_ptr<BulkSender> start(BulkConnection connection, LaneOptions options,
                                           std::function<void(LaneEnd)> on_end);
  virtual ~BulkSender() = default;  // stops the thread, at once
  // Takes a finished frame. Waits while the queue is full, for at most `patience`.
  // Errors: "lane-full" (patience ended), "lane-ended" with the reason.
  virtual Result<void> push(Bytes frame, Duration patience) = 0;
  // Waits until next to nothing of what was pushed is still under way to the peer's host, for at
  // most `patience`; false: it is, or the lane ended.
  virtual bool drain(Duration patience) = 0;
  // From any thread: ends the lane at once, so that a push() that waits fails. on_end is not
  // called for it.
  virtual void stop() = 0;
  [[nodiscard]] virtual BulkFigures figures() const = 0;
};

// Threads: on_frame and on_end run on the receiver's own thread; an error of on_frame ends the
// lane with it (not certain). stream_timeout does not apply while nothing is owed: a silent
// bulk lane is no fault, the heartbeat judges that.
class BulkReceiver {
 public:
  static std::unique_ptr<BulkReceiver> start(
      BulkConnection connection, LaneOptions options,
      std::function<Result<void>(const wire::Frame&)> on_frame,
      std::function<void(LaneEnd)> on_end);
  virtual ~BulkReceiver() = default;  // stops the thread, at once
  [[nodiscard]] virtual BulkFigures figures() const = 0;
};

}  // namespace colo::io
