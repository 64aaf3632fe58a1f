#include <linux/sockios.h>
#include <sys/ioctl.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "io/bulk_lane.h"
#include "io/bulk_socket.h"
#include "io/clock.h"
#include "io/lane_end.h"

namespace colo::io {
namespace {

// What is encrypted while the send before it is under way: large enough that a system call costs
// little beside it, small enough to stay in the processor's cache.
constexpr std::size_t chunk_bytes = 256U << 10;
// Unacknowledged, and as good as there: the last acknowledgement of a stream may come late.
constexpr int rest_bytes = 64 << 10;

class Sender : public BulkSender {
 public:
  Sender(BulkConnection connection, LaneOptions options, std::function<void(LaneEnd)> on_end)
      : peer_(std::move(connection.peer_address)),
        options_(options),
        on_end_(std::move(on_end)),
        tls_(std::move(connection.tls)),
        early_(std::move(connection.early)) {
    set_lane_options(connection.socket.get(), options.stream_timeout);
    fd_ = connection.socket.get();
    socket_ = BulkSocket::open(std::move(connection.socket), options.allow_uring);
    thread_ = std::thread([this] { run(); });
  }

  ~Sender() override {
    stop();
    thread_.join();
  }

  void stop() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
      if (!ended_) ended_ = Error{"lane-ended", "the lane was ended by this side", ""};
      queue_.clear();
      queued_bytes_ = 0;
    }
    space_.notify_all();
    socket_->wake();
  }

  Result<void> push(Bytes frame, Duration patience) override {
    bool first = false;
    {
      std::unique_lock lock(mutex_);
      const auto room = [&] {
        return ended_ || queue_.empty() || queued_bytes_ + frame.size() <= options_.queue_bytes;
      };
      if (!space_.wait_for(lock, patience, room)) {
        return fail("lane-full", std::to_string(queued_bytes_) + " bytes wait to be sent to " +
                                     peer_ + " for longer than " + duration_text(patience));
      }
      if (ended_) return fail("lane-ended", ended_->reason, ended_->remedy);
      first = queue_.empty();
      idle_ = false;
      queued_bytes_ += frame.size();
      queue_.push_back(std::move(frame));
    }
    if (first) socket_->wake();
    return {};
  }

  // Nobody tells when the peer's kernel has taken it.
  bool drain(Duration patience) override {
    constexpr auto between_looks = std::chrono::microseconds(500);
    const Instant end = steady_now() + patience;
    while (true) {
      {
        const std::lock_guard lock(mutex_);
        if (ended_) return false;
        int rest = 0;
        if (idle_ && (::ioctl(fd_, SIOCOUTQ, &rest) != 0 || rest <= rest_bytes)) return true;
      }
      if (steady_now() >= end) return false;
      std::this_thread::sleep_for(between_looks);
    }
  }

  [[nodiscard]] BulkFigures figures() const override { return {bytes_, frames_, socket_->uring()}; }

 private:
  void run() {
    const std::optional<LaneEnd> end = drive();
    socket_->end();
    if (!end) return;  // we are being destroyed
    {
      const std::lock_guard lock(mutex_);
      if (stop_) return;
      ended_ = end->error;
      queue_.clear();
      queued_bytes_ = 0;
    }
    space_.notify_all();
    on_end_(*end);
  }

  std::optional<LaneEnd> drive() {
    if (!early_.empty()) return unexpected();
    socket_->receive(received_);
    for (;;) {
      if (stop_) return std::nullopt;
      if (auto filled = fill(); !filled) return LaneEnd{false, filled.error()};
      start_send();
      std::optional<Duration> patience;
      if (sending_) {
        // The next chunk, while the kernel has this one.
        if (auto filled = fill(); !filled) return LaneEnd{false, filled.error()};
        patience = progress_ + options_.stream_timeout - steady_now();
      } else {
        const std::lock_guard lock(mutex_);
        idle_ = queue_.empty();
      }
      if (auto end = handle(socket_->wait(patience))) return end;
    }
  }

  std::optional<LaneEnd> handle(const BulkSocket::Event& event) {
    switch (event.what) {
      case BulkSocket::What::sent:
        progress_ = steady_now();
        sent_bytes_ += event.bytes;
        sending_ = false;
        return std::nullopt;
      case BulkSocket::What::received:
        return handle_received(event.bytes);
      case BulkSocket::What::failed:
        return socket_ended(event.error, peer_);
      case BulkSocket::What::timed_out:
        if (steady_now() - progress_ < options_.stream_timeout) return std::nullopt;
        return stalled(options_.stream_timeout, peer_);
      case BulkSocket::What::woken:
        return std::nullopt;
    }
    return std::nullopt;
  }

  // Nothing is ever sent to us on this lane but its end.
  std::optional<LaneEnd> handle_received(std::size_t count) {
    if (count == 0) return closed_by_peer(peer_);
    if (auto fed = tls_.feed({received_.data(), count}); !fed) return LaneEnd{false, fed.error()};
    if (!tls_.plaintext().empty()) return unexpected();
    if (tls_.closed()) return closed_by_peer(peer_);
    socket_->receive(received_);
    return std::nullopt;
  }

  LaneEnd unexpected() const {
    return {false, {"unexpected-bytes", peer_ + " sent bytes on a lane that it only reads"}};
  }

  // Encrypts frames until a chunk is full or nothing is queued.
  Result<void> fill() {
    while (tls_.output().size() < chunk_bytes) {
      if (frame_offset_ == frame_.size() && !take_frame()) return {};
      const std::size_t count = std::min(chunk_bytes, frame_.size() - frame_offset_);
      if (auto written = tls_.write({frame_.data() + frame_offset_, count}); !written) {
        return written;
      }
      frame_offset_ += count;
      bytes_ += count;
      if (frame_offset_ == frame_.size()) ++frames_;
    }
    return {};
  }

  bool take_frame() {
    {
      const std::lock_guard lock(mutex_);
      if (queue_.empty()) return false;
      frame_ = std::move(queue_.front());
      queue_.pop_front();
      queued_bytes_ -= frame_.size();
    }
    space_.notify_one();
    frame_offset_ = 0;
    return true;
  }

  void start_send() {
    if (sending_) return;
    if (sent_bytes_ == flight_.size()) {
      sent_bytes_ = 0;
      tls_.take_output(flight_);
      progress_ = steady_now();
    }
    if (flight_.empty()) return;
    sending_ = true;
    socket_->send({flight_.data() + sent_bytes_, flight_.size() - sent_bytes_});
  }

  const std::string peer_;
  const LaneOptions options_;
  const std::function<void(LaneEnd)> on_end_;
  std::unique_ptr<BulkSocket> socket_;

  // The thread's own.
  TlsSession tls_;
  Bytes early_;
  std::array<std::byte, 4096> received_{};
  Bytes frame_;  // being encrypted
  std::size_t frame_offset_ = 0;
  Bytes flight_;  // being sent
  std::size_t sent_bytes_ = 0;
  bool sending_ = false;
  Instant progress_{};

  int fd_ = -1;  // socket_'s, open as long as that

  std::mutex mutex_;  // guards the five below
  std::condition_variable space_;
  std::deque<Bytes> queue_;
  std::size_t queued_bytes_ = 0;
  bool idle_ = true;  // the kernel has all of it
  std::optional<Error> ended_;

  std::atomic<std::uint64_t> bytes_ = 0;
  std::atomic<std::uint64_t> frames_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<BulkSender> BulkSender::start(BulkConnection connection, LaneOptions options,
                                              std::function<void(LaneEnd)> on_end) {
  return std::make_unique<Sender>(std::move(connection), options, std::move(on_end));
}

}  // namespace colo::io
