// A TCP proxy that stands between an arbiter and its etcd, and misbehaves as told.
//
// Threads: one for each connection and one that accepts; the settings may change at any time.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace colo::arbiter::test {

enum class Mood {
  pass,
  swallow_answers,  // the request arrives, its answer never does
  refuse,           // closes each connection at once
};

class SlowProxy {
 public:
  // Towards ip:port.
  SlowProxy(std::string ip, std::uint16_t port);
  ~SlowProxy();
  SlowProxy(const SlowProxy&) = delete;
  SlowProxy& operator=(const SlowProxy&) = delete;

  [[nodiscard]] std::string endpoint() const;
  void mood(Mood mood) { mood_ = mood; }
  // Each answer waits so long.
  void delay(std::chrono::milliseconds delay) { delay_ms_ = static_cast<int>(delay.count()); }
  // Requests that went through to the server.
  [[nodiscard]] int requests() const { return requests_; }
  [[nodiscard]] int swallowed() const { return swallowed_; }
  // Swallows the answer of each so-manieth request; 0: of none.
  void swallow_every(int requests) { swallow_every_ = requests; }
  // Swallows the answers from this request on (1: the next one), counted from now.
  void swallow_from(int request) { swallow_at_ = requests_ + request; }

 private:
  void accept_all();
  void serve(UniqueFd client);

  const std::string ip_;
  const std::uint16_t port_;
  std::uint16_t own_port_ = 0;
  UniqueFd listener_;
  std::atomic<Mood> mood_{Mood::pass};
  std::atomic<int> delay_ms_{0}, requests_{0}, swallow_at_{1 << 30}, swallow_every_{0},
      swallowed_{0};
  std::atomic<bool> ending_{false};
  std::vector<std::thread> connections_;
  std::thread acceptor_;
};

// An HTTP server that answers whatever its test says: `answer` gets the whole request (head and
// body) and gives all bytes of the answer.
class FakeServer {
 public:
  explicit FakeServer(std::function<std::string(const std::string&)> answer);
  ~FakeServer();
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;
  [[nodiscard]] std::string endpoint() const;

 private:
  void serve();
  std::function<std::string(const std::string&)> answer_;
  std::uint16_t port_ = 0;
  UniqueFd listener_;
  std::atomic<bool> ending_{false};
  std::thread thread_;
};

// "HTTP/1.1 200 OK" around a body.
[[nodiscard]] std::string http(int status, const std::string& body);

}  // namespace colo::arbiter::test
