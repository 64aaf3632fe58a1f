// UDP heartbeats over one or several links. Each datagram is an `alive` frame with what its sender
// says of the ownership, the sender's host and run, and an HMAC-SHA256 of it all
// (io/heartbeat_datagram.h); one that is not authentic, or that may be a recorded one, is dropped.
// Two engines hear each other on a link once a heartbeat went both ways on it.
//
// Threads: on the engine's loop, every call. Errors: "address-in-use", "address-unavailable",
// "no-such-link", "other-address-family".
// REQUIRES: let go before the loop is destroyed.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "io/tls_session.h"
#include "wire/messages.h"

namespace colo::io {

struct HeartbeatLink {
  boost::asio::ip::udp::endpoint listen;
  boost::asio::ip::udp::endpoint peer;
};

struct HeartbeatOptions {
  Key key{};         // of the key file; the heartbeats' own key is derived from it
  std::string host;  // ours; a datagram names its sender, so our own echoes do not count
  std::string run;   // the random word of this engine; 1 to heartbeat_run_bytes_max of clean text
  std::vector<HeartbeatLink> links;
  Duration interval = std::chrono::milliseconds(100);
};

// What an authentic, fresh heartbeat says. It is the peer's word at the time it was sent: a later
// one may say otherwise, and what matters is asked of the arbiter.
struct PeerState {
  Generation generation;
  wire::GuestHere guest = wire::GuestHere::none;
  std::string run;
};

class HeartbeatLinks {
 public:
  using Heard = std::function<void(std::size_t link, const PeerState& peer)>;
  static Result<std::unique_ptr<HeartbeatLinks>> start(boost::asio::io_context& loop,
                                                       HeartbeatOptions options, Heard heard);
  virtual ~HeartbeatLinks() = default;

  // What our heartbeats say from the next one on; before the first call: generation 0, no guest.
  // REQUIRES: no guest runs in generation 0.
  virtual void set_state(Generation generation, wire::GuestHere guest) = 0;
  // Where the next heartbeats of a link go. The link keeps its own address, so the peer's must be
  // of the same family.
  virtual Result<void> set_peer(std::size_t link, const boost::asio::ip::udp::endpoint& peer) = 0;
};

}  // namespace colo::io
