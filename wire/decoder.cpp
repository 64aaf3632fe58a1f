#include "wire/decoder.h"

#include <string>

#include "wire/checksum.h"

namespace colo::wire {

namespace {

Result<void> check_body(const Header& header, ByteView body) {
  if (checksum64(body) == header.body_checksum) return {};
  return fail("bad-body-checksum", "the body of a " + std::string(name(header.kind)) + " frame (" +
                                       std::to_string(header.length) +
                                       " bytes) does not fit its checksum: damaged on its way");
}

}  // namespace

void FrameDecoder::feed(ByteView bytes) {
  if (broken_) return;
  // Frames that were taken are dropped here and not in next(), since their bodies were lent out.
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(used_));
  used_ = 0;
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
}

Result<std::optional<Frame>> FrameDecoder::next() {
  if (broken_) return fail(*broken_);
  auto frame = take();
  if (!frame) {
    broken_ = frame.error();
    buffer_ = {};
    used_ = 0;
  }
  return frame;
}

Result<std::optional<Frame>> FrameDecoder::take() {
  const ByteView bytes = rest();
  if (!header_) {
    if (bytes.size() < version_prefix_bytes) return std::nullopt;
    // A header of another version may be shorter than ours: never wait for more to tell it.
    if (auto prefix = check_version_prefix(bytes.first<version_prefix_bytes>()); !prefix) {
      return fail(prefix.error());
    }
    if (bytes.size() < header_bytes) return std::nullopt;
    auto header = decode_header(bytes.first<header_bytes>(), body_bytes_);
    if (!header) return fail(header.error());
    if (header->sequence != sequence_ + 1) {
      return fail("out-of-sequence", std::string(name(header->kind)) + " frame number " +
                                         std::to_string(header->sequence) + " where " +
                                         std::to_string(sequence_ + 1) + " was due");
    }
    header_ = *header;
  }
  if (bytes.size() - header_bytes < header_->length) return std::nullopt;
  const Frame frame{*header_, bytes.subspan(header_bytes, header_->length)};
  if (auto body = check_body(frame.header, frame.body); !body) return fail(body.error());
  header_.reset();
  sequence_ = frame.header.sequence;
  used_ += header_bytes + frame.body.size();
  return frame;
}

Result<Frame> decode_datagram(ByteView datagram) {
  if (datagram.size() >= version_prefix_bytes) {
    if (auto prefix = check_version_prefix(datagram.first<version_prefix_bytes>()); !prefix) {
      return fail(prefix.error());
    }
  }
  if (datagram.size() < header_bytes) {
    return fail("truncated", "a datagram of " + std::to_string(datagram.size()) +
                                 " bytes, a header alone has " + std::to_string(header_bytes));
  }
  auto header = decode_header(datagram.first<header_bytes>());
  if (!header) return fail(header.error());
  const ByteView body = datagram.subspan(header_bytes);
  if (body.size() != header->length) {
    return fail("truncated", "a datagram with " + std::to_string(body.size()) +
                                 " bytes of body, its header says " +
                                 std::to_string(header->length));
  }
  if (auto whole = check_body(*header, body); !whole) return fail(whole.error());
  return Frame{*header, body};
}

}  // namespace colo::wire
