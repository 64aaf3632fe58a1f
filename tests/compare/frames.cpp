#include "tests/compare/frames.h"

#include <algorithm>

namespace colo::compare::frames {
namespace {

void put8(Bytes& bytes, std::uint64_t value) { bytes.push_back(static_cast<std::byte>(value)); }
void put16(Bytes& bytes, std::uint64_t value) {
  put8(bytes, value >> 8);
  put8(bytes, value);
}
void put32(Bytes& bytes, std::uint64_t value) {
  put16(bytes, value >> 16);
  put16(bytes, value);
}
void put48(Bytes& bytes, std::uint64_t value) {
  put16(bytes, value >> 32);
  put32(bytes, value);
}
void put(Bytes& bytes, std::string_view text) {
  for (const char c : text) put8(bytes, static_cast<unsigned char>(c));
}
void put(Bytes& bytes, const Bytes& more) { bytes.insert(bytes.end(), more.begin(), more.end()); }
void set16(Bytes& bytes, std::size_t at, std::uint32_t value) {
  bytes[at] = static_cast<std::byte>(value >> 8);
  bytes[at + 1] = static_cast<std::byte>(value);
}
unsigned get8(ByteView bytes, std::size_t at) { return std::to_integer<unsigned>(bytes[at]); }
unsigned get16(ByteView bytes, std::size_t at) {
  return get8(bytes, at) << 8 | get8(bytes, at + 1);
}
std::uint32_t get32(ByteView bytes, std::size_t at) {
  return static_cast<std::uint32_t>(get16(bytes, at)) << 16 | get16(bytes, at + 2);
}

// RFC 1071, not folded.
std::uint32_t sum(ByteView bytes) {
  std::uint32_t total = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    total += get8(bytes, i) << 8 | (i + 1 < bytes.size() ? get8(bytes, i + 1) : 0);
  }
  return total;
}
std::uint16_t fold(std::uint32_t total) {
  while (total > 0xffff) total = (total & 0xffffU) + (total >> 16);
  return static_cast<std::uint16_t>(total);
}

Bytes address(const Ends& ends, bool guest) {
  Bytes bytes;
  if (ends.ip6) {
    put16(bytes, 0xfd00);
    bytes.resize(14);
    put16(bytes, guest ? 2 : 9);
  } else {
    put32(bytes, guest ? 0x0a000002 : 0x0a000009);
  }
  return bytes;
}

Bytes pseudo(const Ends& ends, std::uint8_t protocol, std::size_t size) {
  Bytes bytes = address(ends, ends.from_guest);
  put(bytes, address(ends, !ends.from_guest));
  put32(bytes, protocol);
  put32(bytes, size);
  return bytes;
}

Bytes ethernet(const Ends& ends, std::uint16_t type) {
  constexpr std::uint64_t guest = 0x525400000002, client = 0x525400000009;
  Bytes bytes;
  put48(bytes, ends.from_guest ? client : guest);
  put48(bytes, ends.from_guest ? guest : client);
  for (std::size_t i = 0; i < ends.vlans.size(); ++i) {
    put16(bytes, i + 1 < ends.vlans.size() ? 0x88a8 : 0x8100);
    put16(bytes, ends.vlans[i]);
  }
  put16(bytes, type);
  return bytes;
}

Bytes options(const Segment& segment) {
  Bytes bytes;
  if ((segment.flags & syn) != 0) put32(bytes, 0x020405b4);
  for (std::size_t i = 0; i < segment.odd; ++i) put8(bytes, 1);
  if (segment.timestamps) {
    put16(bytes, 0x080a);
    put32(bytes, segment.timestamps->first);
    put32(bytes, segment.timestamps->second);
  }
  if (!segment.sacks.empty()) {
    put8(bytes, 5);
    put8(bytes, 2 + 8 * segment.sacks.size());
    for (const auto& [from, to] : segment.sacks) {
      put32(bytes, from);
      put32(bytes, to);
    }
  }
  while (bytes.size() % 4 != 0) put8(bytes, bytes.size() % 4 == 3 ? 0 : 1);
  return bytes;
}

struct Place {
  std::size_t network = 0, transport = 0, end = 0;
  bool ip6 = false;
  unsigned protocol = 0;
};

std::optional<Place> place(ByteView frame) {
  std::size_t at = 12;
  while (at + 2 <= frame.size() && (get16(frame, at) == 0x8100 || get16(frame, at) == 0x88a8))
    at += 4;
  if (at + 22 > frame.size()) return std::nullopt;
  Place place;
  place.network = at + 2;
  if (get16(frame, at) == 0x0800) {
    place.transport = place.network + (get8(frame, place.network) & 15U) * 4;
    place.end = place.network + get16(frame, place.network + 2);
    place.protocol = get8(frame, place.network + 9);
    return place;
  }
  if (get16(frame, at) != 0x86dd) return std::nullopt;
  place.ip6 = true;
  place.transport = place.network + 40;
  place.end = place.transport + get16(frame, place.network + 4);
  place.protocol = get8(frame, place.network + 6);
  return place;
}

bool checksums_hold(ByteView frame, const Place& at) {
  const std::size_t size = at.end - at.transport;
  if (!at.ip6 && fold(sum(frame.subspan(at.network, at.transport - at.network))) != 0xffff) {
    return false;
  }
  const ByteView addresses =
      at.ip6 ? frame.subspan(at.network + 8, 32) : frame.subspan(at.network + 12, 8);
  const std::uint32_t total = sum(addresses) + at.protocol + static_cast<std::uint32_t>(size) +
                              sum(frame.subspan(at.transport, size));
  return fold(total) == 0xffff;
}

}  // namespace

Bytes ip(const Ends& ends, std::uint8_t protocol, const Bytes& payload, const Garnish& garnish) {
  Bytes frame = ethernet(ends, ends.ip6 ? 0x86dd : 0x0800);
  const std::size_t at = frame.size();
  if (ends.ip6) {
    put32(frame, 0x60000000U | garnish.id);  // the flow label
    put16(frame, payload.size());
    put8(frame, protocol);
    put8(frame, garnish.ttl);
  } else {
    put16(frame, 0x4500);
    put16(frame, 20 + payload.size());
    put16(frame, garnish.id);
    put16(frame, 0);
    put8(frame, garnish.ttl);
    put8(frame, protocol);
    put16(frame, 0);
  }
  put(frame, address(ends, ends.from_guest));
  put(frame, address(ends, !ends.from_guest));
  if (!ends.ip6) set16(frame, at + 10, 0xffffU ^ fold(sum(ByteView(frame).subspan(at, 20))));
  put(frame, payload);
  frame.resize(frame.size() + garnish.padding, std::byte{0xcc});
  return frame;
}

Bytes tcp(const Ends& ends, const Segment& segment, const Garnish& garnish) {
  const Bytes extra = options(segment);
  Bytes bytes;
  put16(bytes, ends.from_guest ? ends.guest_port : ends.client_port);
  put16(bytes, ends.from_guest ? ends.client_port : ends.guest_port);
  put32(bytes, segment.seq);
  put32(bytes, segment.ack);
  put8(bytes, (5 + extra.size() / 4) << 4);
  put8(bytes, segment.flags);
  put16(bytes, segment.window);
  put32(bytes, 0);
  put(bytes, extra);
  put(bytes, segment.payload);
  set16(bytes, 16, 0xffffU ^ fold(sum(pseudo(ends, 6, bytes.size())) + sum(bytes)));
  return ip(ends, 6, bytes, garnish);
}

Bytes udp(const Ends& ends, std::string_view payload, const Garnish& garnish) {
  Bytes bytes;
  put16(bytes, ends.from_guest ? ends.guest_port : ends.client_port);
  put16(bytes, ends.from_guest ? ends.client_port : ends.guest_port);
  put16(bytes, 8 + payload.size());
  put16(bytes, 0);
  put(bytes, payload);
  set16(bytes, 6, 0xffffU ^ fold(sum(pseudo(ends, 17, bytes.size())) + sum(bytes)));
  return ip(ends, 17, bytes, garnish);
}

Bytes icmp_echo_reply(const Ends& ends, std::uint16_t id, std::string_view payload) {
  Bytes bytes;
  put32(bytes, ends.ip6 ? 129U << 24 : 0);
  put16(bytes, id);
  put16(bytes, 1);
  put(bytes, payload);
  const std::uint32_t outside = ends.ip6 ? sum(pseudo(ends, 58, bytes.size())) : 0;
  set16(bytes, 2, 0xffffU ^ fold(outside + sum(bytes)));
  return ip(ends, ends.ip6 ? 58 : 1, bytes);
}

Bytes arp(std::uint16_t operation, std::uint32_t target, std::uint64_t target_mac) {
  Bytes frame = ethernet({}, 0x0806);
  put48(frame, 0x000108000604);
  put16(frame, operation);
  put48(frame, 0x525400000002);
  put32(frame, 0x0a000002);
  put48(frame, target_mac);
  put32(frame, target);
  return frame;
}

Bytes router_solicitation() {
  Bytes bytes;
  put32(bytes, 133U << 24);
  put32(bytes, 0);
  Ends ends;
  ends.ip6 = true;
  return ip(ends, 58, bytes);
}

std::vector<Bytes> cut(const Bytes& frame, std::size_t piece, std::uint32_t id) {
  const Place at = *place(frame);
  std::vector<Bytes> pieces;
  for (std::size_t from = 0; from < at.end - at.transport; from += piece) {
    const std::size_t size = std::min(piece, at.end - at.transport - from);
    const bool more = at.transport + from + size < at.end;
    Bytes one(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(at.transport));
    if (at.ip6) {
      one[at.network + 6] = std::byte{44};
      set16(one, at.network + 4, static_cast<std::uint32_t>(8 + size));
      put16(one, at.protocol << 8);
      put16(one, from | (more ? 1 : 0));
      put32(one, id);
    } else {
      set16(one, at.network + 2, static_cast<std::uint32_t>(at.transport - at.network + size));
      set16(one, at.network + 4, id);
      set16(one, at.network + 6, static_cast<std::uint32_t>(from / 8 | (more ? 0x2000 : 0)));
      set16(one, at.network + 10, 0);
      const ByteView header = ByteView(one).subspan(at.network, 20);
      set16(one, at.network + 10, 0xffffU ^ fold(sum(header)));
    }
    const auto begin = frame.begin() + static_cast<std::ptrdiff_t>(at.transport + from);
    one.insert(one.end(), begin, begin + static_cast<std::ptrdiff_t>(size));
    pieces.push_back(std::move(one));
  }
  return pieces;
}

Bytes raw(std::uint16_t type, std::string_view text) {
  Bytes frame = ethernet({}, type);
  put(frame, text);
  return frame;
}

std::optional<Segment> read_tcp(const Bytes& frame) {
  const auto at = place(frame);
  if (!at || at->protocol != 6 || at->end > frame.size() || at->transport + 20 > at->end ||
      !checksums_hold(frame, *at)) {
    return std::nullopt;
  }
  Segment segment;
  segment.seq = get32(frame, at->transport + 4);
  segment.ack = get32(frame, at->transport + 8);
  segment.flags = static_cast<std::uint8_t>(get8(frame, at->transport + 13));
  segment.window = static_cast<std::uint16_t>(get16(frame, at->transport + 14));
  const std::size_t content = at->transport + (get8(frame, at->transport + 12) >> 4) * 4;
  if (content > at->end) return std::nullopt;
  for (std::size_t i = at->transport + 20; i < content;) {
    const unsigned kind = get8(frame, i);
    if (kind == 0) break;
    if (kind == 1) {
      ++i;
      continue;
    }
    const unsigned size = i + 1 < content ? get8(frame, i + 1) : 0;
    if (size < 2 || i + size > content) break;
    if (kind == 8 && size == 10) segment.timestamps = {get32(frame, i + 2), get32(frame, i + 6)};
    for (unsigned j = 2; kind == 5 && j + 8 <= size; j += 8) {
      segment.sacks.emplace_back(get32(frame, i + j), get32(frame, i + j + 4));
    }
    i += size;
  }
  for (std::size_t i = content; i < at->end; ++i) {
    segment.payload += static_cast<char>(get8(frame, i));
  }
  return segment;
}

}  // namespace colo::compare::frames
