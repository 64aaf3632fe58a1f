#include "compare/rewriter.h"

#include <algorithm>
#include <vector>

namespace colo::compare {
namespace {

constexpr Duration between_looks = std::chrono::seconds(10);
constexpr Duration between_tries = std::chrono::seconds(1);
// Clients whose SYN has no answer yet. A guest that answers later than this has dropped it.
constexpr std::size_t asked_max = 1024;
constexpr Duration asked_for = std::chrono::seconds(1);
// RFC 7323: no window is larger.
constexpr std::uint32_t window_max = 1U << 30;

bool before(std::uint32_t one, std::uint32_t other) {
  return static_cast<std::int32_t>(one - other) < 0;
}

}  // namespace

void Rewriter::reset() {
  flows_.clear();
  asked_.clear();
  clock_ = {};
  live_ = full_ = false;
  crowded_.reset();
}

void Rewriter::turn(Clock& clock) {
  clock = {clock.shift + takeover_ticks, clock.shift, true, false, 0};
}

void Rewriter::takeover() {
  live_ = true;
  full_ = false;
  asked_.clear();
  turn(clock_);
  for (auto& [key, flow] : flows_) turn(flow.clock);
}

FlowKey Rewriter::key_of(const Packet& packet, ByteView frame, bool inbound) {
  FlowKey key = packet.key;
  key.kind = Kind::tcp;
  key.destination_mac = key.source_mac = 0;
  key.source_port = read16(frame, packet.transport);
  key.destination_port = read16(frame, packet.transport + 2);
  if (inbound) {
    std::swap(key.source, key.destination);
    std::swap(key.source_port, key.destination_port);
  }
  return key;
}

// A SYN of the guest with a number of its own.
void Rewriter::begin(const FlowKey& key, const TcpEdit& edit, std::uint32_t data, Instant now) {
  Flow flow;
  flow.numbered = true;
  flow.isn = edit.seq();
  flow.seen = now;
  // Of a guest that speaks for itself nothing has to be learned. A SYN with data leaves by a
  // checkpoint only, so no client ever answers the primary's here.
  flow.opening = !live_ && data == 0;
  flow.answering = edit.has(flag::ack);
  flow.peer_next = edit.ack();
  if (edit.stamped()) flow.stamped = true, flow.stamp = edit.stamp();
  flows_.erase(key);
  if (add(key, flow, now) == nullptr && !live_) full_ = true;
}

Rewriter::Flow* Rewriter::add(const FlowKey& key, const Flow& flow, Instant now) {
  if (flows_.size() >= limits_.flows) make_room(now);
  if (flows_.size() >= limits_.flows) return nullptr;
  return &(flows_[key] = flow);
}

// The flow of a segment that begins none. One that is not known existed at a takeover or before:
// it is worth an entry while the takeover's echoes must be told apart.
Rewriter::Flow* Rewriter::follow(const FlowKey& key, bool stamped, Instant now) {
  const auto found = flows_.find(key);
  if (found != flows_.end()) {
    found->second.seen = now;
    return &found->second;
  }
  if (!stamped || clock_.shift == 0) return nullptr;
  Flow flow;
  flow.clock = clock_;
  flow.seen = now;
  return add(key, flow, now);
}

void Rewriter::stamp_out(Clock& clock, TcpEdit& edit) {
  if (!edit.stamped()) return;
  edit.set_stamp(edit.stamp() + clock.shift);
  if (!clock.turning || clock.turned) return;
  clock.turned = true;
  clock.turn = edit.stamp();
}

void Rewriter::stamp_in(const Clock& clock, TcpEdit& edit) {
  if (!edit.stamped()) return;
  const bool old = clock.turning && (!clock.turned || before(edit.echo(), clock.turn));
  edit.set_echo(edit.echo() - (old ? clock.before : clock.shift));
}

bool Rewriter::outbound(std::uint32_t port, MutableBytes frame, Instant now) {
  const Packet packet = parse(port, frame);
  if (packet.tcp_header == 0) return true;
  forget_old(now);
  const FlowKey key = key_of(packet, frame, false);
  asked_.erase(key);
  TcpEdit edit(frame, packet);
  if (edit.has(flag::syn) && !edit.has(flag::rst)) {
    const auto known = flows_.find(key);
    const bool again =
        known != flows_.end() && known->second.numbered && known->second.isn == edit.seq();
    if (!again) {
      begin(key, edit, packet.said.size(), now);
      return true;
    }
  }
  Flow* flow = follow(key, edit.stamped(), now);
  if (flow == nullptr) {
    Clock clock = clock_;
    stamp_out(clock, edit);
    return true;
  }
  if (flow->opening) {
    if (edit.has(flag::syn | flag::ack)) flow->answering = true, flow->peer_next = edit.ack();
    return edit.has(flag::syn) || edit.has(flag::rst);
  }
  // A reset of a SYN has no number of its own: it says 0.
  const bool refuses = edit.has(flag::rst | flag::ack) && edit.seq() == 0;
  if (!refuses) edit.set_seq(edit.seq() + flow->shift);
  stamp_out(flow->clock, edit);
  note_out(*flow, packet, edit);
  return true;
}

std::optional<Instant> Rewriter::early(std::uint32_t port, ByteView frame, Instant now) {
  if (asked_.empty()) return std::nullopt;
  const Packet packet = parse(port, frame);
  const std::uint8_t flags = packet.said.flags;
  if (packet.tcp_header == 0 || (flags & flag::ack) == 0) return std::nullopt;
  if ((flags & (flag::syn | flag::rst)) != 0) return std::nullopt;
  const auto found = asked_.find(key_of(packet, frame, true));
  if (found == asked_.end()) return std::nullopt;
  Asked& asked = found->second;
  if (packet.said.seq - (asked.isn + 1) > window_max) return std::nullopt;
  if (!asked.early) asked.early = now;
  const Instant until = *asked.early + limits_.early;
  if (now < until) return until;
  asked_.erase(found);
  return std::nullopt;
}

void Rewriter::note_asked(const FlowKey& key, const TcpEdit& edit, Instant now) {
  if (live_) return;  // nobody else answers
  if (asked_.size() >= asked_max) forget_asked(now);
  if (asked_.size() < asked_max) asked_[key] = {edit.seq(), now, std::nullopt};
}

void Rewriter::forget_asked(Instant now) {
  for (auto asked = asked_.begin(); asked != asked_.end();) {
    const bool old = now - asked->second.seen >= asked_for;
    asked = old ? asked_.erase(asked) : std::next(asked);
  }
}

void Rewriter::inbound(std::uint32_t port, MutableBytes frame, Instant now) {
  const Packet packet = parse(port, frame);
  if (packet.key.kind == Kind::icmp || packet.key.kind == Kind::icmp6) quoted(packet, frame);
  if (packet.tcp_header == 0) return;
  forget_old(now);
  TcpEdit edit(frame, packet);
  if (!edit.has(flag::ack)) {
    const FlowKey key = key_of(packet, frame, true);
    if (edit.has(flag::syn) && !edit.has(flag::rst)) note_asked(key, edit, now);
    const auto known = flows_.find(key);
    if (known != flows_.end() && edit.has(flag::rst)) known->second.reset = true;
    return;
  }
  Flow* flow = follow(key_of(packet, frame, true), edit.stamped(), now);
  if (flow == nullptr) {
    stamp_in(clock_, edit);
    return;
  }
  if (flow->opening) {
    if (!answers(*flow, edit)) return;
    learn(*flow, edit);
  }
  note_in(*flow, packet, edit);
  edit.set_ack(edit.ack() - flow->shift);
  edit.shift_sacks(0U - flow->shift);
  stamp_in(flow->clock, edit);
}

bool Rewriter::answers(const Flow& flow, const TcpEdit& edit) {
  if (edit.has(flag::syn)) return !flow.answering || edit.seq() + 1 == flow.peer_next;
  if (flow.answering) return edit.seq() - flow.peer_next <= window_max;
  return edit.has(flag::rst);
}

void Rewriter::learn(Flow& flow, const TcpEdit& edit) {
  flow.opening = false;
  flow.shift = edit.ack() - 1 - flow.isn;
  // The checkpoint's own connection, whose SYN was said again: its clock is the primary's too.
  if (flow.shift == 0) return;
  if (!flow.stamped || !edit.stamped() || edit.echo() == 0) return;
  const std::uint32_t apart = edit.echo() - flow.stamp;
  flow.clock.shift += apart;
  flow.clock.before += apart;
}

void Rewriter::note_out(Flow& flow, const Packet& packet, const TcpEdit& edit) {
  flow.reset = edit.has(flag::rst);
  if (flow.peer_ended && edit.has(flag::ack) && !before(edit.ack(), flow.peer_end)) {
    flow.peer_end_acked = true;
  }
  if (packet.key.kind != Kind::tcp || !edit.has(flag::fin)) return;
  flow.guest_ended = true;
  flow.guest_end = edit.seq() + packet.said.size() + 1;
}

// Before its numbers are changed.
void Rewriter::note_in(Flow& flow, const Packet& packet, const TcpEdit& edit) {
  flow.reset = edit.has(flag::rst);
  if (flow.guest_ended && !before(edit.ack(), flow.guest_end)) flow.guest_end_acked = true;
  if (packet.key.kind != Kind::tcp || !edit.has(flag::fin)) return;
  flow.peer_ended = true;
  flow.peer_end = edit.seq() + packet.said.size() + 1;
}

// An ICMP error repeats the begin of a segment that the guest sent; it is heeded only if its number
// is in the guest's window, and without it the path's packet size is never learned.
void Rewriter::quoted(const Packet& packet, MutableBytes frame) {
  const unsigned type = packet.key.source_port >> 8;
  const bool ip6 = packet.key.kind == Kind::icmp6;
  const bool error = ip6 ? type >= 1 && type <= 4 : type == 3 || type == 11 || type == 12;
  const std::size_t inner = packet.transport + 8;
  if (!error || inner + (ip6 ? 40U : 20U) > packet.said.end) return;
  const auto first = std::to_integer<unsigned>(frame[inner]);
  const std::size_t header = ip6 ? 40 : (first & 15U) * 4;
  const std::size_t at = inner + header;
  const auto protocol = std::to_integer<std::uint8_t>(frame[inner + (ip6 ? 6 : 9)]);
  if (first >> 4 != (ip6 ? 6U : 4U) || header < 20 || protocol != protocol_tcp ||
      at + 8 > packet.said.end) {
    return;
  }
  Packet segment;
  segment.key = packet.key;
  segment.key.protocol = protocol;
  segment.transport = static_cast<std::uint32_t>(at);
  // The error comes from a router, so only what it repeats says whose segment it was.
  if (ip6) {
    const auto address = [&](std::size_t from) {
      return Address{std::uint64_t{read32(frame, from)} << 32 | read32(frame, from + 4),
                     std::uint64_t{read32(frame, from + 8)} << 32 | read32(frame, from + 12)};
    };
    segment.key.source = address(inner + 8);
    segment.key.destination = address(inner + 24);
  } else {
    segment.key.source = {0, read32(frame, inner + 12)};
    segment.key.destination = {0, read32(frame, inner + 16)};
  }
  const auto known = flows_.find(key_of(segment, frame, false));
  if (known == flows_.end()) return;
  replace32(frame, at + 4, read32(frame, at + 4) - known->second.shift, packet.transport,
            packet.transport + 2);
}

void Rewriter::forget_old(Instant now) {
  if (now - looked_ < between_looks) return;
  looked_ = now;
  forget_asked(now);
  for (auto flow = flows_.begin(); flow != flows_.end();) {
    const Duration idle = now - flow->second.seen;
    const bool brief = flow->second.opening || flow->second.closed();
    const bool old = idle >= (brief ? limits_.closed : limits_.idle);
    flow = old ? flows_.erase(flow) : std::next(flow);
  }
}

// Closed connections go first. Those without a shift may go too: of what is not known the
// timestamps alone are shifted, by a takeover's ticks, and to be shifted forward is no harm.
void Rewriter::make_room(Instant now) {
  if (crowded_ && now - *crowded_ < between_tries) return;
  std::vector<std::pair<Instant, const FlowKey*>> closed, plain;
  for (const auto& [key, flow] : flows_) {
    if (flow.closed()) {
      closed.emplace_back(flow.seen, &key);
    } else if (!flow.opening && flow.shift == 0) {
      plain.emplace_back(flow.seen, &key);
    }
  }
  auto& leaving = closed.empty() ? plain : closed;
  if (leaving.empty()) crowded_ = now;
  std::sort(leaving.begin(), leaving.end());
  // Several at once, so that a crowd of new connections does not look through all each time.
  leaving.resize(std::min(leaving.size(), flows_.size() / 8 + 1));
  std::vector<FlowKey> keys;
  for (const auto& [seen, key] : leaving) keys.push_back(*key);
  for (const FlowKey& key : keys) flows_.erase(key);
}

}  // namespace colo::compare
