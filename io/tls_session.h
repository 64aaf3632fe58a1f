// One TLS 1.3 connection without a socket: bytes in, bytes out (OpenSSL memory BIOs). Both the
// control lane (Asio) and the bulk lane (io_uring) drive it, so there is one TLS to trust.
//
// Peers authenticate each other with an external pre-shared key (RFC 8446 section 2.2) before a
// byte of guest memory flows. Without TLS (tls = false) the session passes bytes through.
// Threads: none. Errors: "wrong-key", "tls-failed", "tls-closed".
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
  static Result<TlsSession> start(TlsSide side, const Key& key);
  static TlsSession plain();
  TlsSession(TlsSession&&) noexcept;
  TlsSession& operator=(TlsSession&&) noexcept;
  ~TlsSession();

  // Takes bytes that arrived; afterwards plaintext() and output() may have grown.
  Result<void> feed(ByteView arrived);
  // Encrypts. REQUIRES: established().
  Result<void> write(ByteView plaintext);
  [[nodiscard]] bool established() const;

  // Decrypted bytes, and bytes to send to the peer; the caller takes them.
  [[nodiscard]] Bytes take_plaintext();
  [[nodiscard]] Bytes take_output();

 private:
  struct State;
  explicit TlsSession(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace colo::io
