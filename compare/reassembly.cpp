#include "compare/reassembly.h"

#include <algorithm>
#include <iterator>

namespace colo::compare {
namespace {

constexpr std::uint32_t datagram_max = 65535;
constexpr std::size_t ip6_header_bytes = 40;

void write16(Bytes& bytes, std::size_t at, std::size_t value) {
  bytes[at] = static_cast<std::byte>(value >> 8);
  bytes[at + 1] = static_cast<std::byte>(value);
}

}  // namespace

Reassembly::Result Reassembly::add(const Packet& packet, ByteView frame, FrameId id, Instant now,
                                   Whole& whole) {
  const Name name{packet.key, packet.fragment_id};
  auto found = datagrams_.find(name);
  if (found == datagrams_.end()) {
    if (datagrams_.size() >= limits_.datagrams) return Result::full;
    found = datagrams_.emplace(name, Datagram{}).first;
    found->second.since = now;
  }
  Datagram& datagram = found->second;
  if (datagram.ids.size() >= limits_.pieces || bytes_ + packet.said.size() > limits_.bytes) {
    return Result::full;
  }
  datagram.ids.push_back(id);
  place(datagram, packet, frame);
  if (datagram.odd || datagram.headers.empty() || !datagram.size ||
      datagram.have != *datagram.size) {
    return Result::taken;
  }
  if (!join(name, datagram, whole)) {
    datagram.odd = true;
    return Result::taken;
  }
  bytes_ -= datagram.have;
  datagrams_.erase(found);
  return Result::whole;
}

void Reassembly::place(Datagram& datagram, const Packet& packet, ByteView frame) {
  const std::uint32_t from = packet.fragment_at;
  const std::uint32_t to = from + packet.said.size();
  const ByteView piece = frame.subspan(packet.said.content, packet.said.size());
  const auto next = datagram.pieces.lower_bound(from);
  if (next != datagram.pieces.end() && next->first == from && next->second.size() == piece.size() &&
      std::equal(piece.begin(), piece.end(), next->second.begin())) {
    return;  // an exact copy
  }
  const bool before = next != datagram.pieces.begin() &&
                      std::prev(next)->first + std::prev(next)->second.size() > from;
  const bool behind = next != datagram.pieces.end() && next->first < to;
  const bool past = datagram.size && to > *datagram.size;
  const bool ends_twice = !packet.fragment_more && datagram.size;
  // Only the last piece may have a size that the next one's place can't express.
  const bool ragged = packet.fragment_more && packet.said.size() % 8 != 0;
  if (before || behind || past || ends_twice || ragged || to > datagram_max ||
      (piece.empty() && packet.fragment_more)) {
    datagram.odd = true;
    return;
  }
  if (!packet.fragment_more) {
    datagram.size = to;
    if (!datagram.pieces.empty()) {
      const auto& [last, bytes] = *datagram.pieces.rbegin();
      if (last + bytes.size() > to) datagram.odd = true;
    }
  }
  if (from == 0) {
    datagram.headers.assign(frame.begin(), frame.begin() + packet.transport);
    datagram.network = packet.network;
  }
  datagram.pieces.emplace(from, Bytes(piece.begin(), piece.end()));
  datagram.have += packet.said.size();
  bytes_ += piece.size();
}

bool Reassembly::join(const Name& name, Datagram& datagram, Whole& whole) {
  Bytes& frame = whole.frame;
  const std::size_t at = datagram.network;
  frame = std::move(datagram.headers);
  if (name.key.ip == 6) {
    // Headers in front of the fragment header say how to travel, nothing of what is compared.
    frame.resize(at + ip6_header_bytes);
    frame[at + 6] = static_cast<std::byte>(name.key.protocol);
    write16(frame, at + 4, datagram.have);
  } else {
    const std::size_t total = frame.size() - at + datagram.have;
    if (total > datagram_max) return false;
    write16(frame, at + 2, total);
    write16(frame, at + 6, 0);
  }
  for (const auto& [from, piece] : datagram.pieces) {
    frame.insert(frame.end(), piece.begin(), piece.end());
  }
  whole.ids = std::move(datagram.ids);
  whole.since = datagram.since;
  return true;
}

std::optional<Instant> Reassembly::oldest() const {
  std::optional<Instant> since;
  for (const auto& [name, datagram] : datagrams_) {
    if (!since || datagram.since < *since) since = datagram.since;
  }
  return since;
}

std::optional<FlowKey> Reassembly::oldest_key() const {
  const auto oldest = std::min_element(
      datagrams_.begin(), datagrams_.end(),
      [](const auto& one, const auto& other) { return one.second.since < other.second.since; });
  if (oldest == datagrams_.end()) return std::nullopt;
  return oldest->first.key;
}

}  // namespace colo::compare
