// The control lane on Asio. See io/lane.h for what it promises.
// Threads: the loop.
#pragma once

#include <boost/asio/ip/tcp.hpp>

#include "io/opening.h"

namespace colo::io {

// What a control lane may have queued; decisions are small, so this much unsent means a peer that
// does not read.
inline constexpr std::size_t control_queue_bytes_max = 4U << 20;
// From here on frames of the network wait where they are, so that a decision behind them is not
// late: at 1 Gbit/s this much is sent in 4 ms.
inline constexpr std::size_t control_room_bytes = 512U << 10;

[[nodiscard]] std::shared_ptr<ControlLane> make_control_lane(Opened opened,
                                                             const LaneOptions& options);

}  // namespace colo::io
