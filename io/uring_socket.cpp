// The bulk lane's socket on io_uring. One ring per lane, used by the lane's thread alone. At most
// one send is under way: two on one socket could overtake each other.
#include <fcntl.h>
#include <liburing.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "io/bulk_socket.h"

namespace colo::io {
namespace {

constexpr unsigned ring_entries = 8;  // a send, a receive and a wake-up, with room to spare

enum Operation : std::uint64_t { send_operation = 1, receive_operation, wake_operation };

class UringSocket : public BulkSocket {
 public:
  UringSocket(io_uring ring, UniqueFd socket)
      : ring_(ring), socket_(std::move(socket)), wake_(::eventfd(0, EFD_CLOEXEC)) {
    // On a non-blocking socket the kernel would answer EAGAIN instead of waiting for us.
    const int flags = ::fcntl(socket_.get(), F_GETFL);
    ::fcntl(socket_.get(), F_SETFL, flags & ~O_NONBLOCK);
  }
  ~UringSocket() override { io_uring_queue_exit(&ring_); }

  void send(ByteView bytes) override {
    io_uring_sqe* entry = next_entry();
    io_uring_prep_send(entry, socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    io_uring_sqe_set_data64(entry, send_operation);
    // Now, not at the next wait(): the caller encrypts meanwhile.
    (void)io_uring_submit(&ring_);
  }

  void receive(MutableBytes space) override {
    io_uring_sqe* entry = next_entry();
    io_uring_prep_recv(entry, socket_.get(), space.data(), space.size(), 0);
    io_uring_sqe_set_data64(entry, receive_operation);
  }

  Event wait(std::optional<Duration> patience) override {
    if (!wake_)
      return {What::failed, 0, EMFILE};  // out of descriptors: the lane ends, not the engine
    arm_wake();
    for (;;) {
      io_uring_cqe* completion = nullptr;
      const int error = next_completion(&completion, patience);
      if (error == -ETIME) return {What::timed_out};
      if (error == -EINTR || error == -EAGAIN) continue;
      if (error < 0) return {What::failed, 0, -error};
      const std::uint64_t operation = completion->user_data;
      const int result = completion->res;
      io_uring_cqe_seen(&ring_, completion);
      --under_way_;
      if (operation == wake_operation) {
        wake_armed_ = false;
        return {What::woken};
      }
      if (result < 0) return {What::failed, 0, -result};
      return {operation == send_operation ? What::sent : What::received,
              static_cast<std::size_t>(result)};
    }
  }

  void wake() override {
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);
  }

  void end() override {
    ::shutdown(socket_.get(), SHUT_RDWR);  // ends the send and the receive
    wake();
    while (under_way_ > 0) {
      io_uring_cqe* completion = nullptr;
      const int error = next_completion(&completion, std::nullopt);
      if (error == -EINTR || error == -EAGAIN) continue;
      if (error < 0) return;
      io_uring_cqe_seen(&ring_, completion);
      --under_way_;
    }
  }

  [[nodiscard]] bool uring() const override { return true; }

 private:
  io_uring_sqe* next_entry() {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    COLO_CHECK(entry != nullptr);  // never more than three are under way
    ++under_way_;
    return entry;
  }

  void arm_wake() {
    if (wake_armed_) return;
    wake_armed_ = true;
    io_uring_sqe* entry = next_entry();
    io_uring_prep_read(entry, wake_.get(), &wake_value_, sizeof wake_value_, 0);
    io_uring_sqe_set_data64(entry, wake_operation);
  }

  int next_completion(io_uring_cqe** completion, std::optional<Duration> patience) {
    if (io_uring_sq_ready(&ring_) == 0 && io_uring_peek_cqe(&ring_, completion) == 0) return 0;
    if (!patience) {
      const int submitted = io_uring_submit_and_wait(&ring_, 1);
      if (submitted < 0) return submitted;
      return io_uring_peek_cqe(&ring_, completion);
    }
    const auto nanoseconds = std::max<std::int64_t>(patience->count(), 0);
    __kernel_timespec limit{nanoseconds / 1'000'000'000, nanoseconds % 1'000'000'000};
    const int submitted = io_uring_submit_and_wait_timeout(&ring_, completion, 1, &limit, nullptr);
    if (*completion != nullptr) return 0;
    return submitted < 0 ? submitted : -EAGAIN;
  }

  io_uring ring_;
  UniqueFd socket_;
  UniqueFd wake_;
  std::uint64_t wake_value_ = 0;
  bool wake_armed_ = false;
  int under_way_ = 0;
};

}  // namespace

std::unique_ptr<BulkSocket> open_uring_socket(UniqueFd& socket) {
  io_uring ring{};
  if (io_uring_queue_init(ring_entries, &ring, 0) < 0) return nullptr;
  return std::make_unique<UringSocket>(ring, std::move(socket));
}

}  // namespace colo::io
