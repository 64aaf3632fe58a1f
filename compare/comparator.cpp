#include "compare/comparator.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "compare/datagram_conversation.h"
#include "compare/tcp_conversation.h"

namespace colo::compare {
namespace {

bool full(const Load& load, const Load& limit) {
  return load.packets >= limit.packets || load.bytes >= limit.bytes;
}

void exchange(Load& total, const Load& before, const Load& after) {
  total.packets = total.packets - before.packets + after.packets;
  total.bytes = total.bytes - before.bytes + after.bytes;
}

}  // namespace

void Comparator::cut(Epoch open) {
  if (!rounds_.empty()) {
    Round& last = rounds_.back();
    COLO_CHECK(open >= last.epoch);
    if (open == last.epoch) {
      // No incarnation ever spoke in it, so its frames can only wait for their commit.
      remember(last);
      end_round(last);
      rounds_.pop_back();
    }
  }
  rounds_.push_back({open,
                     {},
                     committed_.next() >= open,
                     false,
                     std::nullopt,
                     {},
                     {},
                     Reassembly(limits_.reassembly),
                     Reassembly(limits_.reassembly)});
  ask_.reset();
}

void Comparator::committed(Epoch epoch) {
  committed_ = std::max(committed_, epoch);
  while (!rounds_.empty() && rounds_.front().epoch <= committed_) {
    remember(rounds_.front());
    end_round(rounds_.front());
    rounds_.pop_front();
  }
  for (Round& round : rounds_) {
    if (round.grounded || committed_.next() < round.epoch) continue;
    round.grounded = true;
    for (auto flow = round.flows.begin(); flow != round.flows.end(); ++flow) {
      const Conversation& talk = *flow->second.talk;
      settle(round, flow, talk.held(), talk.surplus());
    }
  }
}

void Comparator::replica_runs(Epoch open, Instant now) {
  Round* round = round_of(open);
  if (round != nullptr && !round->running) round->running = now;
}

void Comparator::reset() {
  rounds_.clear();
  past_.clear();
  forgotten_.reset();
  committed_ = {};
  held_ = surplus_ = {};
  released_.clear();
  ask_.reset();
}

void Comparator::primary_sent(FrameId id, std::uint32_t port, const Frame& frame, Instant now) {
  if (rounds_.empty()) return;
  Round& round = rounds_.back();
  const Packet packet = parse(port, *frame);
  if (packet.key.kind != Kind::fragment) {
    primary_said(round, packet.key, {id, {}, now, packet.said, frame});
    return;
  }
  Reassembly::Whole whole;
  switch (round.primary_pieces.add(packet, *frame, id, now, whole)) {
    case Reassembly::Result::full:
      ask(round, Reason::held, &packet.key);
      break;
    case Reassembly::Result::taken:
      break;
    case Reassembly::Result::whole: {
      const Frame joined = std::make_shared<const Bytes>(std::move(whole.frame));
      const Packet datagram = parse(port, *joined);
      Held held{whole.ids.front(), {}, whole.since, datagram.said, joined};
      held.more.assign(whole.ids.begin() + 1, whole.ids.end());
      primary_said(round, datagram.key, std::move(held));
    }
  }
}

void Comparator::secondary_sent(Epoch tag, std::uint32_t port, ByteView frame, Instant now) {
  Round* round = round_of(tag);
  // An incarnation that was never committed can't run: what carries its tag is of an earlier
  // session.
  if (round == nullptr || !round->grounded) {
    ++figures_.late;
    return;
  }
  replica_runs(tag, now);
  const Packet packet = parse(port, frame);
  if (packet.key.kind != Kind::fragment) {
    secondary_said(*round, packet, frame, now);
    return;
  }
  Reassembly::Whole whole;
  switch (round->secondary_pieces.add(packet, frame, FrameId{}, now, whole)) {
    case Reassembly::Result::full:
      ask(*round, Reason::surplus, &packet.key);
      break;
    case Reassembly::Result::taken:
      break;
    case Reassembly::Result::whole:
      secondary_said(*round, parse(port, whole.frame), whole.frame, now);
  }
}

void Comparator::primary_said(Round& round, const FlowKey& key, Held held) {
  const auto flow = flow_of(round, key);
  if (flow == round.flows.end()) return;
  Conversation& talk = *flow->second.talk;
  const Load held_before = talk.held();
  const Load surplus_before = talk.surplus();
  talk.primary(std::move(held));
  settle(round, flow, held_before, surplus_before);
}

void Comparator::secondary_said(Round& round, const Packet& packet, ByteView frame, Instant now) {
  const auto flow = flow_of(round, packet.key);
  if (flow == round.flows.end()) return;
  Conversation& talk = *flow->second.talk;
  const Load held_before = talk.held();
  const Load surplus_before = talk.surplus();
  talk.secondary(packet.said, frame.subspan(packet.said.content, packet.said.size()), now);
  settle(round, flow, held_before, surplus_before);
}

void Comparator::settle(Round& round, Flows::iterator flow, Load held_before, Load surplus_before) {
  Conversation& talk = *flow->second.talk;
  if (round.grounded) {
    std::vector<FrameId> leave;
    const auto reason = talk.settle(leave);
    figures_.equal += leave.size();
    released_.insert(released_.end(), leave.begin(), leave.end());
    if (reason) ask(round, *reason, &flow->first);
  }
  exchange(held_, held_before, talk.held());
  exchange(surplus_, surplus_before, talk.surplus());
  if (full(talk.held(), limits_.held_per_flow) || full(held_, limits_.held)) {
    ask(round, Reason::held, &flow->first);
  }
  const bool more = talk.surplus().packets > surplus_before.packets ||
                    talk.surplus().bytes > surplus_before.bytes;
  if (more && (full(talk.surplus(), limits_.surplus_per_flow) || full(surplus_, limits_.surplus))) {
    const Load held_now = talk.held();
    const Load surplus_now = talk.surplus();
    talk.give_up();
    exchange(held_, held_now, talk.held());
    exchange(surplus_, surplus_now, talk.surplus());
    ask(round, Reason::surplus, &flow->first);
  }
  list(round, flow);
}

void Comparator::list(Round& round, Flows::iterator flow) {
  Flow& one = flow->second;
  const std::optional<Instant> since = one.talk->waiting_since();
  if (since != one.waiting) {
    if (one.waiting) round.waiting.erase({*one.waiting, one.serial});
    if (since) round.waiting.emplace(std::pair(*since, one.serial), &flow->first);
    one.waiting = since;
  }
  if (!one.resting && one.talk->at_rest()) {
    one.resting = true;
    round.resting.push_back(flow->first);
  }
}

std::optional<FrameId> Comparator::pop_released() {
  if (released_.empty()) return std::nullopt;
  const FrameId id = released_.front();
  released_.pop_front();
  return id;
}

std::optional<Ask> Comparator::take_ask() { return std::exchange(ask_, std::nullopt); }

}  // namespace colo::compare
