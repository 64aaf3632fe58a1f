// A stream of bytes into the frame decoder. Input: one byte of control bits, then the stream.
//
// Checksums would stop nearly every mutation at the door, so with bit 0 set the stream is mended
// first: the magic, version, sequence and checksums of each frame are made right, and what the
// fuzzer changed elsewhere gets in. Fed at once and in pieces, the outcome must be the same.
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "tests/fuzz/require.h"
#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/decoder.h"

namespace {

using namespace colo;
using namespace colo::wire;

constexpr std::uint32_t lane_bytes = 16384;

Bytes mended(ByteView stream) {
  Bytes bytes(stream.begin(), stream.end());
  std::uint64_t sequence = 0;
  for (std::size_t at = 0; bytes.size() - at >= header_bytes;) {
    std::byte* header = bytes.data() + at;
    const auto length = get_little<std::uint32_t>(header + 8);
    const std::size_t whole = bytes.size() - at - header_bytes;
    const std::size_t body = std::min<std::size_t>(length, whole);
    put_little(header, magic);
    put_little(header + 4, protocol_version);
    put_little(header + 32, ++sequence);
    put_little(header + 40, checksum64(ByteView(bytes).subspan(at + header_bytes, body)));
    put_little(header + 48, checksum64(ByteView(bytes).subspan(at, 48)));
    at += header_bytes + body;
  }
  return bytes;
}

struct Outcome {
  std::vector<std::pair<std::uint64_t, Bytes>> frames;
  std::string error;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome decode(ByteView stream, std::size_t piece) {
  FrameDecoder decoder(lane_bytes);
  Outcome outcome;
  while (!stream.empty()) {
    const ByteView fed = stream.first(std::min(piece, stream.size()));
    stream = stream.subspan(fed.size());
    decoder.feed(fed);
    for (;;) {
      const auto next = decoder.next();
      if (!next) outcome.error = next.error().text();
      if (!next || !*next) break;
      const Frame& frame = **next;
      FUZZ_REQUIRE(frame.body.size() == frame.header.length);
      FUZZ_REQUIRE(frame.body.size() <= lane_bytes);
      FUZZ_REQUIRE(!name(frame.header.kind).empty());
      outcome.frames.emplace_back(frame.header.sequence,
                                  Bytes(frame.body.begin(), frame.body.end()));
      FUZZ_REQUIRE(outcome.frames.size() == frame.header.sequence);
    }
    FUZZ_REQUIRE(decoder.rest().size() < header_bytes + lane_bytes);
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView input = std::as_bytes(std::span(data, size)).subspan(1);
  const bool mend = (data[0] & 1U) != 0;
  const std::size_t piece = data[0] / 2U + 1U;
  const Bytes stream = mend ? mended(input) : Bytes(input.begin(), input.end());
  FUZZ_REQUIRE(decode(stream, piece) == decode(stream, std::max<std::size_t>(stream.size(), 1)));
  if (const auto datagram = decode_datagram(stream)) {
    FUZZ_REQUIRE(datagram->body.size() + header_bytes == stream.size());
  }
  return 0;
}
