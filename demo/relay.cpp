#include "demo/relay.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace colo::demo {
namespace {

constexpr std::size_t pipe_bytes = 64UL << 10;
constexpr int buffer_bytes = 128 << 10;
constexpr int tick_ms = 20;

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

struct Bound {
  UniqueFd fd;
  std::uint16_t port = 0;
};

Result<Bound> bind_any(int type) {
  Bound bound;
  bound.fd.reset(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in address = loopback(0);
  socklen_t length = sizeof address;
  if (!bound.fd ||
      ::bind(bound.fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::getsockname(bound.fd.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    return fail("no-port", std::string("127.0.0.1: ") + std::strerror(errno));
  }
  bound.port = ntohs(address.sin_port);
  return bound;
}

bool try_again(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

Result<std::uint16_t> free_port(int type) {
  auto bound = bind_any(type);
  if (!bound) return fail(bound.error());
  return bound->port;
}

Result<std::array<RelayedHost, 2>> Relay::start() {
  for (std::size_t i = 0; i < 2; ++i) {
    auto listener = bind_any(SOCK_STREAM);
    if (!listener) return fail(listener.error());
    auto datagram = bind_any(SOCK_DGRAM);
    if (!datagram) return fail(datagram.error());
    auto engine = free_port(SOCK_STREAM);
    if (!engine) return fail(engine.error());
    auto engine_datagram = free_port(SOCK_DGRAM);
    if (!engine_datagram) return fail(engine_datagram.error());
    // Small, and inherited by what is accepted: a slow link does not hold megabytes.
    ::setsockopt(listener->fd.get(), SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
    ::listen(listener->fd.get(), 16);
    hosts_[i] = {listener->port, datagram->port, *engine, *engine_datagram};
    listeners_[i] = std::move(listener->fd);
    datagrams_[i] = std::move(datagram->fd);
  }
  thread_ = std::thread([this] { carry(); });
  return hosts_;
}

Relay::~Relay() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

void Relay::cut() {
  const std::scoped_lock lock(mutex_);
  silent_ = {true, true};
}

void Relay::cut_towards(std::size_t host) {
  const std::scoped_lock lock(mutex_);
  silent_[host] = true;
}

void Relay::mend() {
  const std::scoped_lock lock(mutex_);
  silent_ = {false, false};
}

void Relay::reset_connections() {
  const std::scoped_lock lock(mutex_);
  const linger at_once{1, 0};
  for (const Connection& connection : connections_) {
    for (const UniqueFd& end : connection.ends) {
      ::setsockopt(end.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    }
  }
  connections_.clear();
}

void Relay::throttle(std::uint64_t bytes_per_second) {
  const std::scoped_lock lock(mutex_);
  rate_ = bytes_per_second;
  budget_ = {};
  refilled_ = Clock::now();
}

void Relay::carry() {
  while (!stopping_) {
    await_traffic();
    const std::scoped_lock lock(mutex_);
    refill();
    for (std::size_t i = 0; i < 2; ++i) {
      accept_for(i);
      pass_datagrams(i);
    }
    const bool silence = silent_[0] || silent_[1];
    connections_.remove_if([&](Connection& connection) {
      connection.over = connection.over || !pump(connection);
      return connection.over && !silence;
    });
  }
}

void Relay::refill() {
  if (rate_ == 0) return;
  const auto now = Clock::now();
  const double earned =
      std::chrono::duration<double>(now - refilled_).count() * static_cast<double>(rate_);
  refilled_ = now;
  // What was not used is kept for a moment only: a link does not save up.
  const double most = std::max(static_cast<double>(rate_) * 0.05, 4096.0);
  for (double& budget : budget_) budget = std::min(budget + earned, most);
}

void Relay::await_traffic() {
  std::vector<pollfd> items;
  int patience = tick_ms;
  {
    const std::scoped_lock lock(mutex_);
    for (std::size_t i = 0; i < 2; ++i) {
      if (!silent_[0] && !silent_[1]) items.push_back({listeners_[i].get(), POLLIN, 0});
      items.push_back({datagrams_[i].get(), POLLIN, 0});
    }
    for (const Connection& connection : connections_) {
      if (connection.over) continue;
      std::array<short, 2> events{};
      for (std::size_t i = 0; i < 2; ++i) {
        const Pipe& pipe = connection.pipes[i];
        if (silent_[connection.towards(i)]) continue;
        if (!pipe.ended && pipe.bytes.empty()) events[i] |= POLLIN;
        if (pipe.bytes.empty()) continue;
        if (rate_ != 0 && budget_[connection.towards(i)] < 1) {
          patience = 1;  // until it has earned something
        } else {
          events[1 - i] |= POLLOUT;
        }
      }
      for (std::size_t i = 0; i < 2; ++i) {
        // An end that waits for nothing would wake us for ever once it hangs up.
        items.push_back({events[i] != 0 ? connection.ends[i].get() : -1, events[i], 0});
      }
    }
  }
  ::poll(items.data(), items.size(), patience);
}

void Relay::accept_for(std::size_t host) {
  if (silent_[0] || silent_[1]) return;  // a handshake needs both ways
  for (;;) {
    UniqueFd from(
        ::accept4(listeners_[host].get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!from) return;
    UniqueFd to(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = loopback(hosts_[host].replication_listen);
    // On loopback the answer is there at once. An engine that does not listen means a reset.
    if (::connect(to.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
      continue;
    const int on = 1;
    for (const int fd : {from.get(), to.get()}) {
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    }
    connections_.push_back({host, {std::move(from), std::move(to)}, {}, false});
  }
}

// What arrives where a host is reached comes from the other host, and leaves from where that one
// is reached.
void Relay::pass_datagrams(std::size_t host) {
  std::array<char, 65536> buffer;
  const sockaddr_in to = loopback(hosts_[host].heartbeat_listen);
  for (;;) {
    const ssize_t n = ::recv(datagrams_[host].get(), buffer.data(), buffer.size(), 0);
    if (n < 0) return;
    if (silent_[host]) continue;
    ::sendto(datagrams_[1 - host].get(), buffer.data(), static_cast<std::size_t>(n), MSG_NOSIGNAL,
             reinterpret_cast<const sockaddr*>(&to), sizeof to);
  }
}

bool Relay::pump(Connection& connection) {
  bool all_told = true;
  for (std::size_t i = 0; i < 2; ++i) {
    if (!silent_[connection.towards(i)] && !move(connection, i)) return false;
    all_told = all_told && connection.pipes[i].told;
  }
  return !all_told;
}

bool Relay::move(Connection& connection, std::size_t index) {
  Pipe& pipe = connection.pipes[index];
  const int from = connection.ends[index].get();
  const int to = connection.ends[1 - index].get();
  if (!pipe.ended && pipe.bytes.empty()) {
    pipe.bytes.resize(pipe_bytes);
    const ssize_t n = ::recv(from, pipe.bytes.data(), pipe.bytes.size(), MSG_DONTWAIT);
    if (n < 0 && !try_again(errno)) return false;
    pipe.bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    pipe.ended = n == 0;
  }
  double& budget = budget_[connection.towards(index)];
  const std::size_t left = pipe.bytes.size() - pipe.moved;
  const std::size_t now = rate_ == 0 ? left : std::min(left, static_cast<std::size_t>(budget));
  if (now > 0) {
    const ssize_t n = ::send(to, pipe.bytes.data() + pipe.moved, now, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && !try_again(errno)) return false;
    if (n > 0) {
      pipe.moved += static_cast<std::size_t>(n);
      if (rate_ != 0) budget -= static_cast<double>(n);
    }
    if (pipe.moved == pipe.bytes.size()) {
      pipe.bytes.clear();
      pipe.moved = 0;
    }
  }
  if (pipe.ended && pipe.bytes.empty() && !pipe.told) {
    ::shutdown(to, SHUT_WR);
    pipe.told = true;
  }
  return true;
}

}  // namespace colo::demo
