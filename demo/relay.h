// The link between two hosts on one machine: carries the TCP connections and the datagrams between
// their engines until it is cut; then it is silent both ways, and nobody gets a reset.
//
// Each host has an address where its peer reaches it, which is the relay's, and one where its
// engine really listens.
//
// Threads: one of its own. Ownership: owns its sockets.
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace colo::demo {

// Of 127.0.0.1.
struct RelayedHost {
  std::uint16_t replication = 0, heartbeat = 0;                // the relay's; the peer uses them
  std::uint16_t replication_listen = 0, heartbeat_listen = 0;  // the engine's
};

class Relay {
 public:
  Relay() = default;
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;
  ~Relay();

  // Chooses all ports; those of the engines are free now, and nobody is told of them but the
  // caller.
  Result<std::array<RelayedHost, 2>> start();
  // When this returns, nothing passes any more, until it is mended: then what waited goes on.
  void cut();
  void mend();

 private:
  struct Pipe {  // one direction of a connection
    std::vector<char> bytes;
    std::size_t moved = 0;  // of bytes
    bool ended = false;     // the reading end has seen the end of the stream
    bool told = false;      // and the writing end was told
  };
  struct Connection {
    std::array<UniqueFd, 2> ends;
    std::array<Pipe, 2> pipes;  // [i] carries from ends[i] to ends[1 - i]
  };

  void carry();
  void await_traffic();
  void accept_for(std::size_t host);
  void pass_datagrams(std::size_t host);
  // False when the connection is over.
  static bool pump(Connection& connection);

  std::array<RelayedHost, 2> hosts_;
  std::array<UniqueFd, 2> listeners_, datagrams_;
  std::list<Connection> connections_;
  std::mutex mutex_;  // held while anything moves
  std::condition_variable changed_;
  bool cut_ = false;  // under the mutex
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

// A port of 127.0.0.1 that was free just now. `type`: SOCK_STREAM or SOCK_DGRAM.
[[nodiscard]] Result<std::uint16_t> free_port(int type);

}  // namespace colo::demo
