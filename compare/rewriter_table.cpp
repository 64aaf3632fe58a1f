// The rewriter's table as bytes, big-endian:
//   u32 shift, u32 before, u32 turn, u8 flags of the clock of unknown connections; u32 count; then
//   `count` connections of `entry_bytes` each, in the order of their keys, no key twice.
#include <string>

#include "compare/rewriter.h"

namespace colo::compare {
namespace {

constexpr std::size_t head_bytes = 17, entry_bytes = 84;
constexpr unsigned clock_turning = 1, clock_turned = 2, clock_known = 3;
constexpr std::uint16_t vlan_tag_max = 4096;

class Writer {
 public:
  void u8(unsigned value) { bytes.push_back(static_cast<std::byte>(value)); }
  void u16(unsigned value) { u8(value >> 8), u8(value & 0xffU); }
  void u32(std::uint32_t value) { u16(value >> 16), u16(value & 0xffffU); }
  void u64(std::uint64_t value) {
    u32(static_cast<std::uint32_t>(value >> 32));
    u32(static_cast<std::uint32_t>(value));
  }
  Bytes bytes;
};

// REQUIRES: the size was checked.
class Reader {
 public:
  explicit Reader(ByteView bytes) : bytes_(bytes) {}
  std::uint8_t u8() { return std::to_integer<std::uint8_t>(bytes_[at_++]); }
  std::uint16_t u16() { return at_ += 2, read16(bytes_, at_ - 2); }
  std::uint32_t u32() { return at_ += 4, read32(bytes_, at_ - 4); }
  std::uint64_t u64() {
    const std::uint64_t high = u32();
    return high << 32 | u32();
  }

 private:
  ByteView bytes_;
  std::size_t at_ = 0;
};

void write_key(Writer& out, const FlowKey& key) {
  out.u32(key.port);
  out.u8(key.ip);
  out.u16(key.tags[0]);
  out.u16(key.tags[1]);
  for (const Address& address : {key.source, key.destination}) {
    out.u64(address.high);
    out.u64(address.low);
  }
  out.u16(key.source_port);
  out.u16(key.destination_port);
}

FlowKey read_key(Reader& in) {
  FlowKey key;
  key.kind = Kind::tcp;
  key.protocol = protocol_tcp;
  key.port = in.u32();
  key.ip = in.u8();
  key.ether_type = key.ip == 6 ? 0x86dd : 0x0800;
  key.tags[0] = in.u16();
  key.tags[1] = in.u16();
  for (Address* address : {&key.source, &key.destination}) {
    address->high = in.u64();
    address->low = in.u64();
  }
  key.source_port = in.u16();
  key.destination_port = in.u16();
  return key;
}

bool plausible(const FlowKey& key) {
  if (key.tags[0] > vlan_tag_max || key.tags[1] > vlan_tag_max) return false;
  if (key.tags[0] == 0 && key.tags[1] != 0) return false;
  if (key.ip == 6) return true;
  const auto ip4 = [](const Address& one) { return one.high == 0 && one.low <= 0xffffffffU; };
  return key.ip == 4 && ip4(key.source) && ip4(key.destination);
}

unsigned bit(bool value, unsigned place) { return value ? 1U << place : 0; }
bool bit_of(unsigned bits, unsigned place) { return (bits >> place & 1U) != 0; }

}  // namespace

Bytes Rewriter::export_table() const {
  if (flows_.empty() && clock_.shift == 0) return {};
  Writer out;
  const auto write_clock = [&](const Clock& clock) {
    out.u32(clock.shift);
    out.u32(clock.before);
    out.u32(clock.turn);
    out.u8((clock.turning ? clock_turning : 0) | (clock.turned ? clock_turned : 0));
  };
  write_clock(clock_);
  out.u32(static_cast<std::uint32_t>(flows_.size()));
  for (const auto& [key, flow] : flows_) {
    write_key(out, key);
    out.u8(bit(flow.opening, 0) | bit(flow.reset, 1) | bit(flow.numbered, 2) |
           bit(flow.stamped, 3) | bit(flow.answering, 4));
    out.u8(bit(flow.guest_ended, 0) | bit(flow.guest_end_acked, 1) | bit(flow.peer_ended, 2) |
           bit(flow.peer_end_acked, 3));
    for (const std::uint32_t number :
         {flow.isn, flow.stamp, flow.peer_next, flow.shift, flow.guest_end, flow.peer_end}) {
      out.u32(number);
    }
    write_clock(flow.clock);
  }
  return std::move(out.bytes);
}

Result<void> Rewriter::import_table(ByteView table, Instant now) {
  if (table.empty()) return {};
  const auto bad = [](const char* what) {
    return fail("bad-flow-table", std::string("the peer's table of connections: ") + what);
  };
  if (table.size() < head_bytes) return bad("too short");
  Reader in(table);
  bool good = true;
  const auto read_clock = [&] {
    Clock clock;
    clock.shift = in.u32();
    clock.before = in.u32();
    clock.turn = in.u32();
    const unsigned bits = in.u8();
    clock.turning = (bits & clock_turning) != 0;
    clock.turned = (bits & clock_turned) != 0;
    good = good && bits <= clock_known;
    return clock;
  };
  const Clock unknown = read_clock();
  const std::uint32_t count = in.u32();
  if (count > limits_.flows) return bad("too many");
  if (table.size() != head_bytes + count * entry_bytes) return bad("of another size than it says");
  Flows flows;
  for (std::uint32_t i = 0; i < count && good; ++i) {
    const FlowKey key = read_key(in);
    const unsigned bits = in.u8();
    const unsigned ends = in.u8();
    Flow flow;
    flow.opening = bit_of(bits, 0), flow.reset = bit_of(bits, 1);
    flow.numbered = bit_of(bits, 2), flow.stamped = bit_of(bits, 3);
    flow.answering = bit_of(bits, 4);
    flow.guest_ended = bit_of(ends, 0), flow.guest_end_acked = bit_of(ends, 1);
    flow.peer_ended = bit_of(ends, 2), flow.peer_end_acked = bit_of(ends, 3);
    for (std::uint32_t* number :
         {&flow.isn, &flow.stamp, &flow.peer_next, &flow.shift, &flow.guest_end, &flow.peer_end}) {
      *number = in.u32();
    }
    flow.clock = read_clock();
    flow.seen = now;
    good = good && plausible(key) && bits < 32 && ends < 16 && (!flow.opening || flow.numbered) &&
           (flows.empty() || flows.rbegin()->first < key);
    if (good) flows.emplace_hint(flows.end(), key, flow);
  }
  if (!good) return bad("with an entry that can't be");
  flows_ = std::move(flows);
  clock_ = unknown;
  return {};
}

}  // namespace colo::compare
