#include "tests/sim/frames.h"

#include <cstring>

namespace colo::sim {

namespace {

constexpr std::size_t frame_bytes = 60;
constexpr std::size_t type_at = 12;
constexpr std::size_t number_at = 14;

Bytes frame_with(std::uint64_t number) {
  Bytes frame(frame_bytes);
  frame[type_at] = std::byte{0x88};
  frame[type_at + 1] = std::byte{0xb5};
  std::memcpy(frame.data() + number_at, &number, sizeof number);
  return frame;
}

}  // namespace

Bytes tick_frame(std::uint64_t number) { return frame_with(number); }
Bytes word_frame(Point point) { return frame_with(point); }

std::uint64_t told_by(ByteView frame) {
  std::uint64_t number = 0;
  std::memcpy(&number, frame.data() + number_at, sizeof number);
  return number;
}

Point point_of(ByteView frame) { return static_cast<Point>(told_by(frame)); }

}  // namespace colo::sim
