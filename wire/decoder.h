// Cuts a byte stream into frames. Incremental: feed what arrived, then take frames until none.
// Bounded: holds at most one frame beyond what was fed last. Checks magic, version, kind, length,
// both checksums and the sequence; after an error every call repeats it, since a stream that was
// wrong once has no trustworthy next frame.
// Threads: none.
#pragma once

#include <cstdint>
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
  // frames_taken: frames of this lane that another decoder has taken already.
  explicit FrameDecoder(std::uint32_t body_bytes = body_bytes_max, std::uint64_t frames_taken = 0)
      : body_bytes_(body_bytes), sequence_(frames_taken) {}

  // REQUIRES for the bound: next() was called until it had none. After an error: ignored.
  void feed(ByteView bytes);
  // Errors: those of decode_header, "bad-body-checksum", "out-of-sequence" (names both numbers).
  [[nodiscard]] Result<std::optional<Frame>> next();

  // What was fed and not taken: for the decoder that goes on with this lane elsewhere.
  [[nodiscard]] ByteView rest() const { return ByteView(buffer_).subspan(used_); }
  [[nodiscard]] std::uint64_t frames_taken() const { return sequence_; }

 private:
  Result<std::optional<Frame>> take();

  std::uint32_t body_bytes_;
  Bytes buffer_;
  std::size_t used_ = 0;
  std::uint64_t sequence_ = 0;    // of the last frame taken
  std::optional<Header> header_;  // of the frame whose body is arriving
  std::optional<Error> broken_;
};

// Control frames are small: the bound of a control lane.
inline constexpr std::uint32_t control_body_bytes_max = 256U << 10;

// One whole frame that fills a datagram. Datagrams are lost and overtake each other, so the
// sequence is the caller's to judge. The body points into `datagram`.
// Errors: those of FrameDecoder::next without "out-of-sequence"; "truncated" (fewer or more bytes
// than the header says).
[[nodiscard]] Result<Frame> decode_datagram(ByteView datagram);

}  // namespace colo::wire
