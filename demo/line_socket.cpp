#include "demo/line_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "demo/namespaces.h"

namespace colo::demo {
namespace {

tl::unexpected<Error> broken(int error) {
  return fail("reset", error == 0 ? "the guest closed the connection" : std::strerror(error));
}

}  // namespace

Result<void> LineSocket::connect(int network_namespace, const std::string& host, std::uint16_t port,
                                 std::chrono::milliseconds patience) {
  input_.clear();
  auto entered = inside(network_namespace, [&] {
    socket_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  });
  if (!entered) return entered;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  if (::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
      errno != EINPROGRESS)
    return fail("no-answer", std::strerror(errno));
  pollfd item{socket_.get(), POLLOUT, 0};
  if (::poll(&item, 1, static_cast<int>(patience.count())) <= 0) {
    return fail("no-answer", "nobody answers");
  }
  int error = 0;
  socklen_t length = sizeof error;
  ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &length);
  const bool refused = error == ECONNREFUSED || error == ECONNRESET;
  if (error != 0) return fail(refused ? "refused" : "no-answer", std::strerror(error));
  const int on = 1;
  ::setsockopt(socket_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  // From here on sends wait: a window of short lines never fills the socket's buffer for long.
  ::fcntl(socket_.get(), F_SETFL, 0);
  return {};
}

Result<void> LineSocket::send(const std::string& text) {
  std::size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t n = ::send(socket_.get(), text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return broken(errno);
    sent += static_cast<std::size_t>(n);
  }
  return {};
}

Result<std::optional<std::string>> LineSocket::receive(std::chrono::milliseconds patience) {
  for (;;) {
    const std::size_t end = input_.find('\n');
    if (end != std::string::npos) {
      std::string line = input_.substr(0, end);
      input_.erase(0, end + 1);
      if (!line.empty() && line.back() == '\r') line.pop_back();
      return line;
    }
    pollfd item{socket_.get(), POLLIN, 0};
    if (::poll(&item, 1, static_cast<int>(patience.count())) <= 0) return std::nullopt;
    std::array<char, 4096> piece{};
    const ssize_t n = ::recv(socket_.get(), piece.data(), piece.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return broken(n == 0 ? 0 : errno);
    input_.append(piece.data(), static_cast<std::size_t>(n));
  }
}

}  // namespace colo::demo
