// Connections between the two engines. The secondary dials; the primary listens. A connection
// begins with TLS, then its first frame says what it is: `hello` makes it a control lane,
// `attach` a bulk lane.
//
// Threads: Listener, Dialer and ControlLane live on the engine's loop and call back there.
//   BulkSender and BulkReceiver have a thread of their own each and say so at each callback.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/types.h"
#include "base/unique_fd.h"
#include "io/tls_session.h"
#include "wire/decoder.h"
#include "wire/messages.h"
#include "wire/packets.h"

namespace colo::io {

struct LaneOptions {
  bool tls = true;
  Key key{};
  Duration handshake_timeout = std::chrono::seconds(5);
  Duration stream_timeout = std::chrono::seconds(5);  // no progress for this long: lost
  bool allow_uring = true;
  std::size_t queue_bytes = 32U << 20;  // what a bulk sender queues before push() blocks
};

// How a lane ended. certain: the peer's process is gone (end of stream, reset); not certain: we
// gave up (time-out), or closed because of what the peer sent.
struct LaneEnd {
  bool certain = false;
  Error error;
};

// Framed messages both ways. Sends are queued, bounded ("lane-full" ends the lane). A lane that
// ends because of what the peer sent tells it with a `refuse` frame first. Ownership: letting go of
// the last pointer without close() ends the connection at once. REQUIRES:
//   let go before the loop is destroyed.
class ControlLane : public std::enable_shared_from_this<ControlLane> {
 public:
  struct Handlers {
    std::function<void(const wire::Frame&)> frame;
    std::function<void(const LaneEnd&)> ended;  // once; nothing is called after it
    // queued_bytes() was at control_room_bytes or past it, and is below it again.
    std::function<void()> room = {};
  };
  virtual ~ControlLane() = default;
  virtual void start(Handlers handlers) = 0;
  [[nodiscard]] virtual std::string peer_address() const = 0;
  // What was sent and the network has not taken yet. Whoever feeds frames that can wait stops at
  // control_room_bytes (io/control_lane.h), and goes on when `room` is called.
  [[nodiscard]] virtual std::size_t queued_bytes() const = 0;
  // Sends what was queued (bounded by a second), then closes. `ended` is not called for it.
  virtual void close() = 0;

  template <class Message>
  void send(const Message& message, Generation generation, Epoch epoch) {
    send_frame(wire::encode(message, {generation, epoch, next_sequence()}));
  }
  // REQUIRES: not empty; it is empty then.
  void send_packets(wire::PacketsFrame& packets, Generation generation, Epoch tag) {
    send_frame(packets.finish({generation, tag, next_sequence()}));
  }

 protected:
  [[nodiscard]] std::uint64_t next_sequence() { return ++sequence_; }
  virtual void send_frame(Bytes frame) = 0;

 private:
  std::uint64_t sequence_ = 0;
};

// An established connection taken off the loop, for a bulk lane's thread.
struct BulkConnection {
  UniqueFd socket;
  TlsSession tls = TlsSession::plain();
  Bytes early;                        // plaintext that arrived behind the first frame
  std::uint64_t received_frames = 0;  // the decoder goes on from here
  std::string peer_address;
};

class Listener {
 public:
  struct Handlers {
    // The lane is not started yet; its first frame was hello. Handler decides, sends, starts.
    std::function<void(std::shared_ptr<ControlLane>, wire::Hello, wire::Header)> hello;
    std::function<void(BulkConnection, wire::Attach)> attach;
    // A connection that came to nothing: wrong key, wrong version, garbage, time-out. For the log.
    std::function<void(std::string peer_address, Error)> refused;
  };
  // Bounded: at most 16 connections in handshake; more are closed at once.
  // Errors: "address-in-use", "address-unavailable": names the address and the remedy.
  static Result<std::unique_ptr<Listener>> open(boost::asio::io_context& loop,
                                                const boost::asio::ip::tcp::endpoint& address,
                                                LaneOptions options, Handlers handlers);
  virtual ~Listener() = default;
};

// Dials once; the caller repeats. Callbacks on the loop. Destroying it gives up; `done` may do so.
// Errors: "unreachable" (names the address), those of TLS, "handshake-timeout", "handshake-ended".
class Dialer {
 public:
  virtual ~Dialer() = default;
  // `hello` is sent as the first frame; the lane is given, not started, when TLS is established.
  // The numbers are those of the hello frame: what this side holds.
  static std::unique_ptr<Dialer> control(
      boost::asio::io_context& loop, const boost::asio::ip::tcp::endpoint& peer,
      LaneOptions options, wire::Hello hello,
      std::function<void(Result<std::shared_ptr<ControlLane>>)> done, Generation generation = {},
      Epoch epoch = {});
  static std::unique_ptr<Dialer> bulk(boost::asio::io_context& loop,
                                      const boost::asio::ip::tcp::endpoint& peer,
                                      LaneOptions options, wire::Attach attach,
                                      std::function<void(Result<BulkConnection>)> done,
                                      Generation generation = {}, Epoch epoch = {});
};

}  // namespace colo::io
