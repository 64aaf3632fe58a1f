#include <atomic>
#include <optional>
#include <thread>

#include "io/bulk_lane.h"
#include "io/bulk_socket.h"
#include "io/lane_end.h"

namespace colo::io {
namespace {

constexpr std::size_t receive_bytes = 1U << 20;

class Receiver : public BulkReceiver {
 public:
  Receiver(BulkConnection connection, LaneOptions options,
           std::function<Result<void>(const wire::Frame&)> on_frame,
           std::function<void(LaneEnd)> on_end)
      : peer_(std::move(connection.peer_address)),
        on_frame_(std::move(on_frame)),
        on_end_(std::move(on_end)),
        tls_(std::move(connection.tls)),
        decoder_(wire::body_bytes_max, connection.received_frames),
        arrived_(receive_bytes) {
    decoder_.feed(connection.early);
    set_lane_options(connection.socket.get(), options.stream_timeout);
    socket_ = BulkSocket::open(std::move(connection.socket), options.allow_uring);
    thread_ = std::thread([this] { run(); });
  }

  ~Receiver() override {
    stop_ = true;
    socket_->wake();
    thread_.join();
  }

  [[nodiscard]] BulkFigures figures() const override { return {bytes_, frames_, socket_->uring()}; }

 private:
  void run() {
    const std::optional<LaneEnd> end = drive();
    socket_->end();
    if (end) on_end_(*end);
  }

  std::optional<LaneEnd> drive() {
    if (auto given = give_frames(); !given) return LaneEnd{false, given.error()};
    socket_->receive(arrived_);
    while (!stop_) {
      const BulkSocket::Event event = socket_->wait(std::nullopt);
      if (event.what == BulkSocket::What::failed) return socket_ended(event.error, peer_);
      if (event.what != BulkSocket::What::received) continue;
      if (event.bytes == 0) return closed_by_peer(peer_);
      if (auto fed = tls_.feed({arrived_.data(), event.bytes}); !fed) {
        return LaneEnd{false, fed.error()};
      }
      bytes_ += tls_.plaintext().size();
      decoder_.feed(tls_.plaintext());
      tls_.drop_plaintext();
      if (auto given = give_frames(); !given) return LaneEnd{false, given.error()};
      if (tls_.closed()) return closed_by_peer(peer_);
      socket_->receive(arrived_);
    }
    return std::nullopt;
  }

  Result<void> give_frames() {
    while (!stop_) {
      const auto frame = decoder_.next();
      if (!frame) return fail(frame.error());
      if (!*frame) break;
      ++frames_;
      if (auto taken = on_frame_(**frame); !taken) return taken;
    }
    return {};
  }

  const std::string peer_;
  const std::function<Result<void>(const wire::Frame&)> on_frame_;
  const std::function<void(LaneEnd)> on_end_;
  std::unique_ptr<BulkSocket> socket_;

  // The thread's own.
  TlsSession tls_;
  wire::FrameDecoder decoder_;
  Bytes arrived_;

  std::atomic<std::uint64_t> bytes_ = 0;
  std::atomic<std::uint64_t> frames_ = 0;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

}  // namespace

std::unique_ptr<BulkReceiver> BulkReceiver::start(
    BulkConnection connection, LaneOptions options,
    std::function<Result<void>(const wire::Frame&)> on_frame, std::function<void(LaneEnd)> on_end) {
  return std::make_unique<Receiver>(std::move(connection), options, std::move(on_frame),
                                    std::move(on_end));
}

}  // namespace colo::io
