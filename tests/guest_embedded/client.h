// A client on the network of an embedded guest, for tests: it holds the outer end of a card.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <functional>
#include <optional>

#include "guest/embedded/big_endian.h"
#include "guest/embedded/ethernet.h"
#include "guest/embedded/ledger.h"
#include "guest/embedded/machine.h"
#include "guest/guest.h"

namespace colo::guest::embedded::testing {

inline constexpr MacAddress client_mac{{2, 0, 0, 0, 0, 0x55}};
inline constexpr Ipv4Address client_ip = ipv4(10, 77, 0, 99);

inline Bytes bytes_of(const std::string& text) {
  const auto view = std::as_bytes(std::span(text.data(), text.size()));
  return Bytes(view.begin(), view.end());
}

inline void write_all(int fd, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) {
      pollfd writable{fd, POLLOUT, 0};
      ::poll(&writable, 1, -1);
      continue;
    }
    ASSERT_GT(sent, 0) << "errno " << errno;
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
}

inline Bytes with_length(ByteView frame) {
  Bytes out;
  append_big_endian(out, static_cast<std::uint32_t>(frame.size()));
  append(out, frame);
  return out;
}

// Waits until `bytes` is full; false at the end of the stream.
inline bool read_all(int fd, MutableBytes bytes) {
  while (!bytes.empty()) {
    pollfd readable{fd, POLLIN, 0};
    ::poll(&readable, 1, -1);
    const ssize_t got = ::recv(fd, bytes.data(), bytes.size(), 0);
    if (got < 0 && errno == EAGAIN) continue;
    if (got <= 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
  return true;
}

// The next frame; nothing at the end of the stream.
inline std::optional<Bytes> read_frame(int fd) {
  Bytes length(4);
  if (!read_all(fd, length)) return std::nullopt;
  Bytes frame(BigEndianReader(length).get<std::uint32_t>());
  if (!read_all(fd, frame)) return std::nullopt;
  return frame;
}

inline bool something_to_read(int fd) {
  pollfd readable{fd, POLLIN, 0};
  return ::poll(&readable, 1, 0) > 0;
}

inline Bytes ledger_frame(const LedgerRequest& request, std::uint32_t port = 0) {
  return build_frame(UdpDatagram{client_mac, card_mac(port), client_ip, card_ip(port), 40000,
                                 ledger_port, encode(request)});
}

inline void send_request(int fd, const LedgerRequest& request, std::uint32_t port = 0) {
  write_all(fd, with_length(ledger_frame(request, port)));
}

inline std::optional<LedgerReply> reply_in(ByteView frame) {
  const auto datagram = parse_udp(frame);
  if (!datagram || datagram->destination_mac != client_mac ||
      datagram->destination_ip != client_ip || datagram->destination_port != 40000) {
    return std::nullopt;
  }
  return decode_reply(datagram->payload);
}

inline std::optional<LedgerReply> read_reply(int fd) {
  const auto frame = read_frame(fd);
  return frame ? reply_in(*frame) : std::nullopt;
}

inline std::optional<LedgerReply> ask(int fd, const LedgerRequest& request,
                                      std::uint32_t port = 0) {
  send_request(fd, request, port);
  return read_reply(fd);
}

// Adds numbered entries and knows what the ledger must answer, as the only client.
class OnlyClient {
 public:
  // True if the reply was the right one.
  [[nodiscard]] bool append(int fd) {
    const LedgerRequest request{LedgerOperation::append, 7, ++number_,
                                bytes_of("entry " + std::to_string(number_))};
    digest_ = chain_digest(digest_, request.entry);
    return ask(fd, request) == LedgerReply{LedgerStatus::done, 7, number_, number_, digest_};
  }
  [[nodiscard]] bool holds(int fd) const {
    return ask(fd, {LedgerOperation::digest, 7, 1, {}}) ==
           LedgerReply{LedgerStatus::done, 7, 1, number_, digest_};
  }
  [[nodiscard]] std::uint64_t number() const { return number_; }

 private:
  std::uint64_t number_ = 0;
  std::uint64_t digest_ = 0;
};

}  // namespace colo::guest::embedded::testing
