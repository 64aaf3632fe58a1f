#include "demo/ledger/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <thread>

#include "base/unique_fd.h"

namespace colo::demo {
namespace {

std::string marked(const char* word, BookMark mark) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%s %llu %016llx\n", word,
                static_cast<unsigned long long>(mark.count),
                static_cast<unsigned long long>(mark.digest));
  return text.data();
}

bool send_all(int fd, const std::string& text) {
  std::size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t n = ::send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    sent += static_cast<std::size_t>(n);
  }
  return true;
}

void converse(UniqueFd connection, Books& books, const Alarm& alarm) {
  std::string input;
  std::array<char, 4096> piece{};
  for (;;) {
    const ssize_t n = ::recv(connection.get(), piece.data(), piece.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    input.append(piece.data(), static_cast<std::size_t>(n));
    std::size_t start = 0;
    for (std::size_t end = input.find('\n'); end != std::string::npos;
         end = input.find('\n', start)) {
      bool keep = true;
      if (!send_all(connection.get(), answer(input.substr(start, end - start), books, alarm, keep)))
        return;
      if (!keep) return;
      start = end + 1;
    }
    input.erase(0, start);
    if (input.size() > longest_line) return;
  }
}

}  // namespace

void Alarm::raise(std::string reason) {
  const std::scoped_lock lock(mutex_);
  if (raised()) return;  // the first finding tells most
  reason_ = std::move(reason);
  raised_.store(true, std::memory_order_release);
}

std::string Alarm::reason() const {
  const std::scoped_lock lock(mutex_);
  return reason_;
}

std::string answer(const std::string& line, Books& books, const Alarm& alarm, bool& keep) {
  keep = true;
  if (alarm.raised()) return "corrupt " + alarm.reason() + "\n";
  if (line == "digest") return marked("digest", books.ledger.whole());
  if (line.rfind("add ", 0) == 0) return marked("added", books.ledger.add(line.substr(4)));
  if (line == "visits") return marked("digest", books.visitors.whole());
  if (line.rfind("visit ", 0) == 0) return marked("added", books.visitors.add(line.substr(6)));
  keep = false;
  return "error unknown request\n";
}

std::string serve(std::uint16_t port, Books& books, const Alarm& alarm) {
  UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!listener) return std::string("socket: ") + std::strerror(errno);
  const int on = 1;
  ::setsockopt(listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), 16) != 0) {
    return "port " + std::to_string(port) + ": " + std::strerror(errno);
  }
  for (;;) {
    UniqueFd connection(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      return std::string("accept: ") + std::strerror(errno);
    }
    // Replies are small and each is waited for.
    ::setsockopt(connection.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    try {
      std::thread([fd = std::move(connection), &books, &alarm]() mutable {
        converse(std::move(fd), books, alarm);
      }).detach();
    } catch (const std::system_error& error) {
      std::fprintf(stderr, "ledger: no thread for a connection: %s\n", error.what());
    }
  }
}

}  // namespace colo::demo
