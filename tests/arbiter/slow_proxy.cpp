#include "tests/arbiter/slow_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <stdexcept>

namespace colo::arbiter::test {

namespace {

constexpr int tick_ms = 10;  // how soon a thread sees that its test is over

sockaddr_in address_of(const std::string& ip, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, ip.c_str(), &address.sin_addr);
  return address;
}

UniqueFd listen_on_loopback(std::uint16_t& port) {
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = address_of("127.0.0.1", 0);
  socklen_t size = sizeof address;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(fd.get(), 64) != 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("cannot listen");
  }
  port = ntohs(address.sin_port);
  return fd;
}

bool readable(int fd) {
  pollfd polled{fd, POLLIN, 0};
  return ::poll(&polled, 1, tick_ms) == 1;
}

bool send_all(int fd, const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t count = ::send(fd, data, size, MSG_NOSIGNAL);
    if (count <= 0) return false;
    data += count;
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

}  // namespace

SlowProxy::SlowProxy(std::string ip, std::uint16_t port)
    : ip_(std::move(ip)), port_(port), listener_(listen_on_loopback(own_port_)) {
  acceptor_ = std::thread([this] { accept_all(); });
}

SlowProxy::~SlowProxy() {
  ending_ = true;
  acceptor_.join();
  for (std::thread& connection : connections_) connection.join();
}

std::string SlowProxy::endpoint() const { return "http://127.0.0.1:" + std::to_string(own_port_); }

void SlowProxy::accept_all() {
  while (!ending_) {
    if (!readable(listener_.get())) continue;
    UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client || mood_ == Mood::refuse) continue;
    connections_.emplace_back(
        [this, client = std::move(client)]() mutable { serve(std::move(client)); });
  }
}

void SlowProxy::serve(UniqueFd client) {
  const UniqueFd server(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = address_of(ip_, port_);
  if (::connect(server.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return;
  }
  std::array<char, 65536> bytes{};
  bool swallowed = false;
  while (!ending_) {
    std::array<pollfd, 2> polled{pollfd{client.get(), POLLIN, 0}, pollfd{server.get(), POLLIN, 0}};
    if (::poll(polled.data(), polled.size(), tick_ms) <= 0) continue;
    if (polled[0].revents != 0) {
      const ssize_t count = ::recv(client.get(), bytes.data(), bytes.size(), 0);
      if (count <= 0) return;
      if (std::string_view(bytes.data(), static_cast<std::size_t>(count)).starts_with("POST")) {
        const int request = ++requests_;
        const int every = swallow_every_;
        swallowed = request >= swallow_at_ || (every != 0 && request % every == 0);
        if (swallowed) ++swallowed_;
      }
      if (!send_all(server.get(), bytes.data(), static_cast<std::size_t>(count))) return;
    }
    if (polled[1].revents != 0) {
      const ssize_t count = ::recv(server.get(), bytes.data(), bytes.size(), 0);
      if (count <= 0) return;
      if (swallowed || mood_ == Mood::swallow_answers) continue;
      const auto until =
          std::chrono::steady_clock::now() + std::chrono::milliseconds(delay_ms_.load());
      while (!ending_ && std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));  // the delay itself
      }
      if (!send_all(client.get(), bytes.data(), static_cast<std::size_t>(count))) return;
    }
  }
}

FakeServer::FakeServer(std::function<std::string(const std::string&)> answer)
    : answer_(std::move(answer)), listener_(listen_on_loopback(port_)) {
  thread_ = std::thread([this] { serve(); });
}

FakeServer::~FakeServer() {
  ending_ = true;
  thread_.join();
}

std::string FakeServer::endpoint() const { return "http://127.0.0.1:" + std::to_string(port_); }

void FakeServer::serve() {
  while (!ending_) {
    if (!readable(listener_.get())) continue;
    const UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::string request;
    std::size_t whole = std::string::npos;
    std::array<char, 65536> bytes{};
    while (!ending_ && request.size() < whole) {
      if (!readable(client.get())) continue;
      const ssize_t count = ::recv(client.get(), bytes.data(), bytes.size(), 0);
      if (count <= 0) break;
      request.append(bytes.data(), static_cast<std::size_t>(count));
      const std::size_t head = request.find("\r\n\r\n");
      const std::size_t length = request.find("Content-Length: ");
      if (head == std::string::npos || length == std::string::npos) continue;
      whole = head + 4 + std::stoul(request.substr(length + 16));
    }
    const std::string answer = answer_(request);
    (void)send_all(client.get(), answer.data(), answer.size());
    ::shutdown(client.get(), SHUT_WR);
    // What still arrives is read, so that the answer is not lost to a reset.
    while (!ending_ &&
           (!readable(client.get()) || ::recv(client.get(), bytes.data(), bytes.size(), 0) > 0)) {
    }
  }
}

std::string http(int status, const std::string& body) {
  return "HTTP/1.1 " + std::to_string(status) + " Said\r\nContent-Type: application/json\r\n" +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

}  // namespace colo::arbiter::test
