#include "wire/frame.h"

#include <algorithm>

#include "base/check.h"
#include "wire/checksum.h"

namespace colo::wire {

void seal(Bytes& frame, Kind kind, FrameNumbers numbers) {
  COLO_CHECK(frame.size() >= header_bytes && frame.size() - header_bytes <= body_bytes_max);
  const ByteView body = ByteView(frame).subspan(header_bytes);
  Header header;
  header.kind = kind;
  header.length = static_cast<std::uint32_t>(body.size());
  header.generation = numbers.generation;
  header.epoch = numbers.epoch;
  header.sequence = numbers.sequence;
  header.body_checksum = checksum64(body);
  const HeaderBytes bytes = encode_header(header);
  std::copy(bytes.begin(), bytes.end(), frame.begin());
}

}  // namespace colo::wire
