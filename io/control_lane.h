// The control lane on Asio. See io/lane.h for what it promises.
// Threads: the loop.
#pragma once

#include <boost/asio/ip/tcp.hpp>

#include "io/opening.h"

namespace colo::io {

// What a control lane may have queued; decisions are small, so this much unsent means a peer that
// does not read.
inline constexpr std::size_t control_queue_bytes_max = 4U << 20;

[[nodiscard]] std::shared_ptr<ControlLane> make_control_lane(Opened opened,
                                                             const LaneOptions& options);

}  // namespace colo::io
