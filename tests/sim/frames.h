// What is on the simulated network: frames of a type that nobody knows, as a comparator sees them
// whole, and TCP. A client's unknown frame carries a number of its own, a guest's the point at
// which it was sent; a guest's segment has that point behind the packet, where no receiver looks.
// Threads: none.
#pragma once

#include <array>
#include <optional>

#include "base/types.h"
#include "tests/compare/frames.h"
#include "tests/sim/story.h"

namespace colo::sim {

inline constexpr std::size_t clients = 2;

// One connection after the other of one client, counted from 1.
struct Connection {
  std::size_t client = 0;
  std::uint32_t serial = 0;
};
// What a guest has received of each client: bytes of its newest connection.
struct Received {
  std::uint32_t serial = 0;
  std::uint32_t bytes = 0;
  [[nodiscard]] bool contains(const Received& other) const {
    return serial > other.serial || (serial == other.serial && bytes >= other.bytes);
  }
};
using AllReceived = std::array<Received, clients>;

// What a guest is, as far as a client can tell.
struct Past {
  Point point = 0;
  AllReceived received{};
};

// What a frame of a guest says.
struct Words {
  Point point = 0;
  std::optional<std::size_t> client;  // whose bytes it acknowledges
  Received acknowledged;
};

using compare::frames::Segment;

[[nodiscard]] Bytes tick_frame(std::uint64_t number);
[[nodiscard]] Bytes word_frame(Point point);
[[nodiscard]] Bytes segment_of_client(const Connection& connection, const Segment& segment);
[[nodiscard]] Bytes segment_of_guest(const Connection& connection, const Segment& segment,
                                     Point point);

[[nodiscard]] bool is_tcp(ByteView frame);
[[nodiscard]] Connection connection_of(ByteView frame, bool from_guest);
// The number that a client's bytes begin behind.
[[nodiscard]] std::uint32_t first_number(const Connection& connection);
// What a guest is told by a client's frame that is no TCP: as a number that no other telling has.
[[nodiscard]] std::uint64_t told_by(ByteView frame);
[[nodiscard]] std::uint64_t told_by(const Connection& connection, std::uint32_t bytes);
[[nodiscard]] Words words_of(const Bytes& frame);

}  // namespace colo::sim
