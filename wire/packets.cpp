#include "wire/packets.h"

#include <string>

#include "base/check.h"
#include "wire/bytes.h"
#include "wire/decoder.h"
#include "wire/frame.h"

namespace colo::wire {

namespace {

constexpr std::size_t packet_header_bytes = sizeof(std::uint8_t) + sizeof(std::uint32_t);
static_assert(packet_header_bytes + packet_bytes_max <= packets_body_bytes_max);
static_assert(packets_body_bytes_max <= control_body_bytes_max);

}  // namespace

PacketsFrame::PacketsFrame() { frame_.resize(header_bytes); }

bool PacketsFrame::add(std::uint8_t port, ByteView packet) {
  COLO_CHECK(!packet.empty() && packet.size() <= packet_bytes_max);
  const std::size_t body = frame_.size() - header_bytes + packet_header_bytes + packet.size();
  if (body > packets_body_bytes_max || count_ == packets_max) return false;
  ByteWriter out(frame_);
  out.integer(port);
  out.integer(static_cast<std::uint32_t>(packet.size()));
  out.raw(packet);
  ++count_;
  return true;
}

Bytes PacketsFrame::finish(FrameNumbers numbers) {
  COLO_CHECK(!empty());
  seal(frame_, Kind::packets, numbers);
  Bytes done = std::move(frame_);
  *this = PacketsFrame();
  return done;
}

Result<std::vector<PacketView>> decode_packets(ByteView body) {
  ByteReader in(name(Kind::packets), body);
  std::vector<PacketView> packets;
  std::size_t rest = body.size();
  if (rest > packets_body_bytes_max) {
    in.refuse("length",
              std::to_string(rest) + ", at most " + std::to_string(packets_body_bytes_max));
  }
  if (rest == 0) in.refuse("packets", "none");
  while (rest > 0 && in.good()) {
    if (packets.size() == packets_max) {
      in.refuse("packets", "more than " + std::to_string(packets_max));
      break;
    }
    PacketView packet;
    packet.port = in.integer<std::uint8_t>("port");
    const auto length = in.integer<std::uint32_t>("packet length");
    if (!in.good()) break;
    if (length == 0 || length > packet_bytes_max) {
      in.refuse("packet length", std::to_string(length) + ", at least 1 and at most " +
                                     std::to_string(packet_bytes_max));
      break;
    }
    packet.bytes = in.take(length, "packet");
    rest -= in.good() ? packet_header_bytes + length : rest;
    packets.push_back(packet);
  }
  if (auto whole = in.finish(); !whole) return fail(whole.error());
  return packets;
}

}  // namespace colo::wire
