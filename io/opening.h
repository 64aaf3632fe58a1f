// The beginning of a connection, on either side: TLS, then (for the side that listens) the first
// frame, all within handshake_timeout. What the peer may make us hold is bounded: nothing is read
// past the first frame but what came with it.
//
// Threads: the loop. Errors: those of TlsSession and wire::FrameDecoder, "handshake-timeout",
//   "handshake-ended".
#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>

#include "io/lane.h"

namespace colo::io {

struct Opened {
  boost::asio::ip::tcp::socket socket;
  TlsSession tls;
  wire::FrameDecoder decoder;  // has given the first frame, and holds what came behind it
  wire::Header header;         // of the first frame, as `body`: only for the side that listens
  Bytes body;
  std::string peer;
};

class Opening : public std::enable_shared_from_this<Opening> {
 public:
  using Done = std::function<void(Result<Opened>)>;

  Opening(boost::asio::ip::tcp::socket socket, TlsSide side, const LaneOptions& options,
          std::string peer, std::shared_ptr<void> kept, Done done);
  void start();
  // Closes without calling `done`.
  void abandon();

 private:
  using Code = boost::system::error_code;
  void read();
  void arrived(Code error, std::size_t count);
  // Sends what TLS wants sent, then goes on.
  void flush();
  void go_on();
  void take_first_frame();
  void give(wire::Header header, Bytes body);
  void give_up(Error error);

  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer timer_;
  TlsSide side_;
  LaneOptions options_;
  std::string peer_;
  std::shared_ptr<void> kept_;
  Done done_;
  TlsSession tls_ = TlsSession::plain();
  std::array<std::byte, 16384> arrived_{};
  Bytes sending_;
  wire::FrameDecoder decoder_{wire::control_body_bytes_max};
};

// An error as the last words of a side that closes: a `refuse` frame, encrypted if TLS is up, else
// what TLS itself has to say.
[[nodiscard]] Bytes refusal(TlsSession& tls, const Error& error, std::uint64_t sequence);

}  // namespace colo::io
