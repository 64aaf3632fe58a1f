// What the errors of sockets mean for a lane, and the options that every lane's socket gets.
// Threads: any.
#pragma once

#include <boost/system/error_code.hpp>
#include <string>

#include "io/lane.h"

namespace colo::io {

// The peer ended its stream: its process is gone, or it closed the lane on purpose.
[[nodiscard]] LaneEnd closed_by_peer(const std::string& peer);

// `error` is an errno value. End of stream and reset are certain; all others are not.
[[nodiscard]] LaneEnd socket_ended(int error, const std::string& peer);
[[nodiscard]] LaneEnd socket_ended(const boost::system::error_code& error, const std::string& peer);

// Nothing could be sent for stream_timeout.
[[nodiscard]] LaneEnd stalled(Duration stream_timeout, const std::string& peer);

// "4 s", "250 ms".
[[nodiscard]] std::string duration_text(Duration duration);

// Sends at once, and gives up after stream_timeout when the peer's host acknowledges nothing: a
// link that drops packets silently ends the lane instead of hanging it.
void set_lane_options(int socket, Duration stream_timeout);

}  // namespace colo::io
