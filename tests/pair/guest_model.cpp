#include "tests/pair/guest_model.h"

#include <algorithm>

namespace colo::pair {

namespace {

constexpr PageIndex ram_pages = 4;
constexpr PageIndex video_pages = 2;

}  // namespace

MemoryLayout model_layout() { return {{"ram", ram_pages, true}, {"video", video_pages, false}}; }
std::vector<bool> model_mirrored() { return {false, true}; }
bool in_process(PageId page) { return page.region == 1; }

Memory zero_memory() {
  Memory memory;
  for (PageIndex i = 0; i < ram_pages; ++i) memory[{0, i}] = Bytes(page_bytes);
  for (PageIndex i = 0; i < video_pages; ++i) memory[{1, i}] = Bytes(page_bytes);
  return memory;
}

Bytes encode_point(Point point) {
  Bytes bytes(8);
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<std::byte>((point >> (8 * i)) & 0xff);
  return bytes;
}

Point decode_point(ByteView bytes) {
  Point point = 0;
  for (std::size_t i = 0; i < 8 && i < bytes.size(); ++i) {
    point |= std::to_integer<Point>(bytes[i]) << (8 * i);
  }
  return point;
}

namespace {
constexpr std::size_t point_at = 14;  // behind the link header
}

Bytes encode_frame(Point point) {
  Bytes frame(60);
  frame[12] = std::byte{0x88};
  frame[13] = std::byte{0xb5};
  const Bytes bytes = encode_point(point);
  std::copy(bytes.begin(), bytes.end(), frame.begin() + point_at);
  return frame;
}

Point decode_frame(ByteView bytes) { return decode_point(bytes.subspan(point_at)); }

Point GuestModel::step(Story& story, bool told) {
  point = told ? story.same(point) : story.next(point);
  auto at = memory.begin();
  std::advance(at, static_cast<long>(point % memory.size()));
  // Pages become zero and come back: a zero page that is forgotten shows at the next load.
  const Bytes content = point % 3 == 0 ? Bytes(8) : encode_point(point);
  std::copy(content.begin(), content.end(), at->second.begin());
  dirty.insert(at->first);
  return point;
}

}  // namespace colo::pair
