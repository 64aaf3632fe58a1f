// What the tests of io share: a key, a loop that runs until something is true, loopback addresses,
// and a pair of lanes.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <utility>

#include "io/lane.h"

namespace colo::io::test {

using boost::asio::ip::tcp;

// Far more than anything here needs: only a hang gets there.
inline constexpr auto patience = std::chrono::seconds(60);

inline Key key_of(unsigned seed) {
  Key key{};
  for (std::size_t i = 0; i < key.size(); ++i) key[i] = static_cast<std::byte>(seed + i * 7);
  return key;
}

inline Bytes bytes_of(std::string_view text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

// Runs the loop on this thread until `done` says so. False: it never did.
inline bool run_until(boost::asio::io_context& loop, const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    if (loop.stopped()) loop.restart();
    loop.run_one_for(std::chrono::milliseconds(20));
  }
  return true;
}

// Waits on another thread's doing.
inline bool wait_until(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

// An address of loopback that nobody listens at now.
inline tcp::endpoint free_address(boost::asio::io_context& loop) {
  tcp::acceptor acceptor(loop, {boost::asio::ip::address_v4::loopback(), 0});
  return acceptor.local_endpoint();
}

inline LaneOptions options_of(bool tls) {
  LaneOptions options;
  options.tls = tls;
  options.key = key_of(1);
  options.handshake_timeout = patience;
  options.stream_timeout = patience;
  return options;
}

inline wire::Hello hello_of(const std::string& host) {
  wire::Hello hello;
  hello.host = host;
  hello.run = "run1";
  hello.agreement.guest_name = "ledger";
  return hello;
}

// A listener that keeps what it is given.
struct Server {
  Server(boost::asio::io_context& loop, const LaneOptions& options) : address(free_address(loop)) {
    auto opened = Listener::open(
        loop, address, options,
        {[this](std::shared_ptr<ControlLane> lane, const wire::Hello& hello,
                const wire::Header& header) {
           control = std::move(lane);
           hello_host = hello.host;
           hello_header = header;
         },
         [this](BulkConnection connection, const wire::Attach& attach) {
           bulk = std::move(connection);
           session = attach.session;
         },
         [this](const std::string&, Error error) { refused.push_back(std::move(error)); }});
    EXPECT_TRUE(opened.has_value());
    if (opened) listener = std::move(*opened);
  }

  tcp::endpoint address;
  std::unique_ptr<Listener> listener;
  std::shared_ptr<ControlLane> control;
  std::string hello_host;
  wire::Header hello_header;
  std::optional<BulkConnection> bulk;
  wire::Token session{};
  std::vector<Error> refused;
};

// Both ends of an established bulk lane.
struct BulkPair {
  BulkConnection primary;    // accepted
  BulkConnection secondary;  // dialed
};
inline std::optional<BulkPair> connect_bulk(const LaneOptions& options) {
  boost::asio::io_context loop;
  Server server(loop, options);
  std::optional<Result<BulkConnection>> dialed;
  const auto dialer =
      Dialer::bulk(loop, server.address, options, wire::Attach{},
                   [&](Result<BulkConnection> result) { dialed = std::move(result); });
  if (!run_until(loop, [&] { return dialed && server.bulk; }) || !*dialed) return std::nullopt;
  return BulkPair{std::move(*server.bulk), std::move(**dialed)};
}

}  // namespace colo::io::test
