// A peer that need not keep the rules: blocking, on a thread of its own choosing.
#pragma once

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/io/support.h"

namespace colo::io::test {

class RawPeer {
 public:
  RawPeer(const tcp::endpoint& address, bool tls, unsigned key_seed = 1)
      : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (tls) tls_ = *TlsSession::start(TlsSide::client, key_of(key_seed));
    connected_ =
        ::connect(socket_.get(), address.data(), static_cast<socklen_t>(address.size())) == 0;
  }

  [[nodiscard]] bool connected() const { return connected_; }

  void send_raw(ByteView bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return;
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }
  // Through TLS if there is any. REQUIRES: handshake() was true.
  void send(ByteView plaintext) {
    (void)tls_.write(plaintext);
    flush();
  }
  bool handshake(const std::function<void()>& run_other_side) {
    flush();
    while (!tls_.established()) {
      run_other_side();
      if (!receive()) return false;
    }
    return true;
  }
  // Takes what has arrived. False: the connection has ended, or TLS is broken (see error()).
  bool receive() {
    pollfd polled{socket_.get(), POLLIN, 0};
    if (::poll(&polled, 1, 10) <= 0) return true;
    std::array<std::byte, 4096> space{};
    const ssize_t count = ::recv(socket_.get(), space.data(), space.size(), 0);
    if (count <= 0) return false;
    const auto fed = tls_.feed({space.data(), static_cast<std::size_t>(count)});
    if (!fed) error_ = fed.error();
    flush();
    return fed.has_value();
  }
  // The word of the refuse frame that was received, or empty.
  [[nodiscard]] std::string refusal() const {
    wire::FrameDecoder decoder;
    decoder.feed(tls_.plaintext());
    for (;;) {
      const auto frame = decoder.next();
      if (!frame || !*frame) return "";
      if ((*frame)->header.kind == wire::Kind::refuse) {
        const auto refuse = wire::decode_refuse((*frame)->body);
        return refuse ? refuse->error.word : "";
      }
    }
  }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  [[nodiscard]] int socket() const { return socket_.get(); }

 private:
  void flush() {
    Bytes bytes;
    tls_.take_output(bytes);
    send_raw(bytes);
  }

  UniqueFd socket_;
  TlsSession tls_ = TlsSession::plain();
  std::optional<Error> error_;
  bool connected_ = false;
};

}  // namespace colo::io::test
