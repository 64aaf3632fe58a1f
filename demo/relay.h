// The link between two hosts on one machine: carries the TCP connections and the datagrams between
// their engines, and can be made worse: silent in one direction or both (nobody gets a reset),
// slow, or resetting its connections once.
//
// Each host has an address where its peer reaches it, which is the relay's, and one where its
// engine really listens. While a direction is silent its datagrams are lost and its bytes wait, as
// TCP's would. (A real link that is silent one way stops both ways of a connection in the end,
// since nothing is acknowledged any more; here the other way goes on.)
//
// Threads: one of its own. Ownership: owns its sockets.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
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
  // When these return, nothing passes any more, until it is mended: then what waited goes on.
  void cut();
  void cut_towards(std::size_t host);  // what arrives at this host
  void mend();
  // Resets every connection; new ones are carried as before.
  void reset_connections();
  // Bytes of connections in a second, each direction; 0: as fast as they come.
  void throttle(std::uint64_t bytes_per_second);

 private:
  using Clock = std::chrono::steady_clock;
  struct Pipe {  // one direction of a connection
    std::vector<char> bytes;
    std::size_t moved = 0;  // of bytes
    bool ended = false;     // the reading end has seen the end of the stream
    bool told = false;      // and the writing end was told
  };
  struct Connection {
    std::size_t host = 0;  // ends[1] is this host's, ends[0] the other's
    std::array<UniqueFd, 2> ends;
    std::array<Pipe, 2> pipes;  // [i] carries from ends[i] to ends[1 - i]
    bool over = false;          // one end is gone; the other hears of it when nothing is silent
    // The host that pipe i leads to.
    [[nodiscard]] std::size_t towards(std::size_t pipe) const {
      return pipe == 0 ? host : 1 - host;
    }
  };

  void carry();
  void await_traffic();
  void refill();
  void accept_for(std::size_t host);
  void pass_datagrams(std::size_t host);
  // False when the connection is over.
  bool pump(Connection& connection);
  // False when the pipe's connection is broken.
  bool move(Connection& connection, std::size_t pipe);

  std::array<RelayedHost, 2> hosts_;
  std::array<UniqueFd, 2> listeners_, datagrams_;
  std::list<Connection> connections_;  // under the mutex
  std::mutex mutex_;                   // held while anything moves
  std::array<bool, 2> silent_{};       // towards this host; under the mutex
  std::uint64_t rate_ = 0;             // under the mutex; 0: no bound
  std::array<double, 2> budget_{};     // bytes that may go to this host now
  Clock::time_point refilled_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

// A port of 127.0.0.1 that was free just now. `type`: SOCK_STREAM or SOCK_DGRAM.
[[nodiscard]] Result<std::uint16_t> free_port(int type);

}  // namespace colo::demo
