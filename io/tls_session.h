// One TLS 1.3 connection without a socket: bytes in, bytes out. Both the control lane (Asio) and
// the bulk lane (io_uring) drive it, so there is one TLS to trust.
//
// Peers authenticate each other with an external pre-shared key (RFC 8446 section 2.2) before a
// byte of guest memory flows. Without TLS (tls = false) the session passes bytes through.
// Threads: one at a time. Errors: "wrong-key", "tls-differs" (one side speaks TLS, the other does
//   not), "tls-failed", "tls-closed". After an error of feed() every later feed() repeats it, and
//   output() may hold an alert that tells the peer.
#pragma once

#include <array>
#include <memory>

#include "base/result.h"
#include "base/types.h"

namespace colo::io {

inline constexpr std::size_t key_bytes = 32;
using Key = std::array<std::byte, key_bytes>;

enum class TlsSide { client, server };

class TlsSession {
 public:
  // The key is the one of the key file; the pre-shared key is derived from it.
  static Result<TlsSession> start(TlsSide side, const Key& key);
  static TlsSession plain();
  TlsSession(TlsSession&&) noexcept;
  TlsSession& operator=(TlsSession&&) noexcept;
  ~TlsSession();

  // Takes bytes that arrived; afterwards plaintext() and output() may have grown.
  Result<void> feed(ByteView arrived);
  // Encrypts. REQUIRES: established().
  Result<void> write(ByteView plaintext);
  // Tells the peer that nothing more is sent (close_notify). Nothing may be written after it.
  void finish();
  [[nodiscard]] bool established() const;
  // The peer said that it sends nothing more.
  [[nodiscard]] bool closed() const;
  [[nodiscard]] bool is_plain() const;

  // Decrypted bytes: valid until the next feed() or drop_plaintext(), which forgets them.
  [[nodiscard]] ByteView plaintext() const;
  void drop_plaintext();
  // Bytes to send to the peer; take_output() swaps them with `buffer`, whose memory is used again.
  [[nodiscard]] ByteView output() const;
  void take_output(Bytes& buffer);

 private:
  struct State;
  explicit TlsSession(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace colo::io
