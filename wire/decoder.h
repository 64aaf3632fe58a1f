// Cuts a byte stream into frames. Incremental: feed what arrived, then take frames until none.
// Bounded: holds at most one frame beyond what was fed last. Checks magic, version, kind, length,
// both checksums and the sequence; after an error every call repeats it, since a stream that was
// wrong once has no trustworthy next frame.
// Threads: none.
#pragma once

#include <optional>

#include "base/result.h"
#include "wire/header.h"

namespace colo::wire {

struct Frame {
  Header header;
  ByteView body;  // valid until the next call of feed() or next()
};

class FrameDecoder {
 public:
  // body_bytes_max: the bound of this lane; control lanes take less than bulk lanes.
  explicit FrameDecoder(std::uint32_t body_bytes = body_bytes_max) : body_bytes_(body_bytes) {}

  void feed(ByteView bytes);
  // Errors: those of decode_header, "bad-body-checksum", "out-of-sequence" (names both numbers).
  [[nodiscard]] Result<std::optional<Frame>> next();

 private:
  std::uint32_t body_bytes_;
  Bytes buffer_;
  std::size_t used_ = 0;
  std::uint64_t sequence_ = 0;
  std::optional<Error> broken_;
};

// Control frames are small: the bound of a control lane.
inline constexpr std::uint32_t control_body_bytes_max = 128U << 10;

}  // namespace colo::wire
