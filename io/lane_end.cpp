#include "io/lane_end.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/error.hpp>
#include <cerrno>
#include <cstring>

namespace colo::io {

std::string duration_text(Duration duration) {
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
  if (milliseconds % 1000 == 0) return std::to_string(milliseconds / 1000) + " s";
  return std::to_string(milliseconds) + " ms";
}

LaneEnd closed_by_peer(const std::string& peer) {
  return {true, {"lane-closed", "connection closed by " + peer}};
}

LaneEnd socket_ended(int error, const std::string& peer) {
  if (error == ECONNRESET || error == EPIPE) {
    return {true, {"lane-reset", "connection reset by " + peer}};
  }
  if (error == ETIMEDOUT) {
    return {false, {"lane-stalled", peer + " acknowledges nothing any more"}};
  }
  return {false, {"lane-failed", "connection to " + peer + ": " + std::strerror(error)}};
}

LaneEnd socket_ended(const boost::system::error_code& error, const std::string& peer) {
  if (error == boost::asio::error::eof) return closed_by_peer(peer);
  return socket_ended(error.value(), peer);
}

LaneEnd stalled(Duration stream_timeout, const std::string& peer) {
  return {false,
          {"lane-stalled", peer + " has taken no byte for " + duration_text(stream_timeout)}};
}

void set_lane_options(int socket, Duration stream_timeout) {
  // A socket that cannot take an option has ended already; its next call says so.
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(stream_timeout).count();
  const auto timeout = static_cast<unsigned>(std::max<std::int64_t>(milliseconds, 1));
  ::setsockopt(socket, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
}

}  // namespace colo::io
