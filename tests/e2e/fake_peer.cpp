#include "tests/e2e/fake_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>

namespace colo::e2e {
namespace {

constexpr int patience_ms = 60'000;

sockaddr_in address_of(const app::Address& address) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(address.port);
  ::inet_pton(AF_INET, address.ip.c_str(), &out.sin_addr);
  return out;
}

}  // namespace

UniqueFd listen_at(const app::Address& address) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in where = address_of(address);
  const int yes = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0 ||
      ::listen(socket.get(), 16) != 0) {
    socket.reset();
  }
  return socket;
}

FakePeer FakePeer::dial(const app::Address& address, const std::optional<io::Key>& key) {
  UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in where = address_of(address);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) != 0) {
    socket.reset();
  }
  return {std::move(socket),
          key ? *io::TlsSession::start(io::TlsSide::client, *key) : io::TlsSession::plain()};
}

FakePeer FakePeer::accept(int listener, const io::Key& key) {
  pollfd item{listener, POLLIN, 0};
  ::poll(&item, 1, patience_ms);
  const int socket = item.revents != 0 ? ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC) : -1;
  return {UniqueFd(socket), *io::TlsSession::start(io::TlsSide::server, key)};
}

bool FakePeer::handshake() {
  flush();
  while (!tls_.established()) {
    if (!read_some()) return false;
  }
  return true;
}

void FakePeer::send(ByteView bytes) {
  static_cast<void>(tls_.write(bytes));
  flush();
}

void FakePeer::send_raw(ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
}

std::optional<FakePeer::Message> FakePeer::receive() {
  for (;;) {
    decoder_.feed(tls_.plaintext());
    tls_.drop_plaintext();
    const auto frame = decoder_.next();
    if (!frame) return std::nullopt;
    if (*frame) return Message{(*frame)->header, {(*frame)->body.begin(), (*frame)->body.end()}};
    if (tls_.closed() || !read_some()) return std::nullopt;
  }
}

std::string FakePeer::refusal() {
  while (const auto message = receive()) {
    if (message->header.kind != wire::Kind::refuse) continue;
    const auto refuse = wire::decode_refuse(message->body);
    return refuse ? refuse->error.word : "undecodable";
  }
  return "";
}

bool FakePeer::read_some() {
  pollfd item{socket_.get(), POLLIN, 0};
  if (::poll(&item, 1, patience_ms) <= 0) return false;
  std::array<std::byte, 16384> space{};
  const ssize_t n = ::recv(socket_.get(), space.data(), space.size(), 0);
  if (n <= 0) return false;
  const auto fed = tls_.feed({space.data(), static_cast<std::size_t>(n)});
  flush();
  return fed.has_value();
}

void FakePeer::flush() {
  Bytes bytes;
  tls_.take_output(bytes);
  send_raw(bytes);
}

}  // namespace colo::e2e
