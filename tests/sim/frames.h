// What is on the simulated network: frames of a type that nobody knows, as a comparator sees them
// whole. A client's carries a number of its own, a guest's the point at which it was sent.
// Threads: none.
#pragma once

#include "base/types.h"
#include "tests/sim/story.h"

namespace colo::sim {

[[nodiscard]] Bytes tick_frame(std::uint64_t number);
[[nodiscard]] Bytes word_frame(Point point);

// What a guest is told by a client's frame: as a number that no other telling has.
[[nodiscard]] std::uint64_t told_by(ByteView frame);
// The point of a guest's frame.
[[nodiscard]] Point point_of(ByteView frame);

}  // namespace colo::sim
