#include "tests/sim/frames.h"

#include <cstring>

#include "compare/packet.h"

namespace colo::sim {

namespace {

namespace net = compare::frames;

constexpr std::size_t frame_bytes = 60;
constexpr std::size_t type_at = 12;
constexpr std::size_t number_at = 14;
constexpr std::size_t ports_at = 34;
constexpr unsigned first_port = 20'000;

Bytes frame_with(std::uint64_t number) {
  Bytes frame(frame_bytes);
  frame[type_at] = std::byte{0x88};
  frame[type_at + 1] = std::byte{0xb5};
  std::memcpy(frame.data() + number_at, &number, sizeof number);
  return frame;
}

net::Ends ends_of(const Connection& connection, bool from_guest) {
  net::Ends ends;
  ends.from_guest = from_guest;
  ends.client_port =
      static_cast<std::uint16_t>(first_port + connection.serial * clients + connection.client);
  return ends;
}

}  // namespace

Bytes tick_frame(std::uint64_t number) { return frame_with(number); }
Bytes word_frame(Point point) { return frame_with(point); }

Bytes segment_of_client(const Connection& connection, const Segment& segment) {
  return net::tcp(ends_of(connection, false), segment);
}

Bytes segment_of_guest(const Connection& connection, const Segment& segment, Point point) {
  Bytes frame = net::tcp(ends_of(connection, true), segment);
  const std::size_t end = frame.size();
  frame.resize(end + sizeof point);
  std::memcpy(frame.data() + end, &point, sizeof point);
  return frame;
}

bool is_tcp(ByteView frame) { return frame[type_at] == std::byte{0x08}; }

Connection connection_of(ByteView frame, bool from_guest) {
  const unsigned port = compare::read16(frame, from_guest ? ports_at + 2 : ports_at) - first_port;
  return {port % clients, static_cast<std::uint32_t>(port / clients)};
}

// Near the end of the numbers, so that they begin anew in a connection's life.
std::uint32_t first_number(const Connection& connection) {
  return 0xffffffc0U + connection.serial * 7 + static_cast<std::uint32_t>(connection.client);
}

std::uint64_t told_by(ByteView frame) {
  std::uint64_t number = 0;
  std::memcpy(&number, frame.data() + number_at, sizeof number);
  return number;
}

std::uint64_t told_by(const Connection& connection, std::uint32_t bytes) {
  return 1ULL << 63U | static_cast<std::uint64_t>(connection.client) << 56U |
         static_cast<std::uint64_t>(connection.serial) << 32U | bytes;
}

Words words_of(const Bytes& frame) {
  if (!is_tcp(frame)) return {static_cast<Point>(told_by(frame)), std::nullopt, {}};
  Words words;
  std::memcpy(&words.point, frame.data() + frame.size() - sizeof words.point, sizeof words.point);
  const Connection connection = connection_of(frame, true);
  constexpr std::size_t ack_at = ports_at + 8;
  const std::uint32_t number = compare::read32(frame, ack_at);
  words.client = connection.client;
  words.acknowledged = {connection.serial, number - first_number(connection) - 1};
  return words;
}

}  // namespace colo::sim
