// UDP heartbeats over one or several links. Each datagram is an `alive` frame, the sender's host
// and run, and an HMAC-SHA256 of it all (io/heartbeat_datagram.h); one that is not authentic, or
// not newer than the last of its link, is dropped.
//
// Threads: on the engine's loop. Errors: "address-in-use", "address-unavailable".
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

namespace colo::io {

struct HeartbeatLink {
  boost::asio::ip::udp::endpoint listen;
  boost::asio::ip::udp::endpoint peer;
};

struct HeartbeatOptions {
  Key key{};         // of the key file; the heartbeats' own key is derived from it
  std::string host;  // ours; a datagram names its sender, so our own echoes do not count
  std::vector<HeartbeatLink> links;
  Duration interval = std::chrono::milliseconds(100);
};

class HeartbeatLinks {
 public:
  static Result<std::unique_ptr<HeartbeatLinks>> start(boost::asio::io_context& loop,
                                                       HeartbeatOptions options,
                                                       std::function<void(std::size_t link)> heard);
  virtual ~HeartbeatLinks() = default;
};

}  // namespace colo::io
