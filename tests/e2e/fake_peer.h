// A peer with the right key that need not keep the rules: TLS and frames over a blocking socket.
//
// Every wait has a deadline that only a hang reaches. Threads: one.
#pragma once

#include <optional>
#include <string>

#include "app/config.h"
#include "base/unique_fd.h"
#include "io/tls_session.h"
#include "wire/decoder.h"
#include "wire/messages.h"

namespace colo::e2e {

class FakePeer {
 public:
  // As a secondary: dials. Check connected().
  static FakePeer dial(const app::Address& address, const std::optional<io::Key>& key);
  // As a primary: a connection of listen_at()'s socket.
  static FakePeer accept(int listener, const io::Key& key);

  [[nodiscard]] bool connected() const { return socket_.get() >= 0; }
  // False: it came to nothing.
  bool handshake();
  // Through TLS; without it where there is no key.
  void send(ByteView bytes);
  void send_raw(ByteView bytes);
  // The next frame; empty: the connection ended.
  struct Message {
    wire::Header header;
    Bytes body;
  };
  std::optional<Message> receive();
  // The word of the refuse frame with which the connection ends; empty: it ends without one.
  std::string refusal();
  // Numbers for the next frame of this connection.
  [[nodiscard]] wire::FrameNumbers next(Generation generation = {}, Epoch epoch = {}) {
    return {generation, epoch, ++sent_};
  }
  void close() { socket_.reset(); }

 private:
  FakePeer(UniqueFd socket, io::TlsSession tls)
      : socket_(std::move(socket)), tls_(std::move(tls)) {}
  bool read_some();
  void flush();

  UniqueFd socket_;
  io::TlsSession tls_;
  wire::FrameDecoder decoder_;
  std::uint64_t sent_ = 0;
};

// A socket that listens where a host of the configuration would.
[[nodiscard]] UniqueFd listen_at(const app::Address& address);

}  // namespace colo::e2e
