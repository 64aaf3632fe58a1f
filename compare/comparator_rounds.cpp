// Rounds, silence, and what is remembered of one round in the next.
#include <algorithm>

#include "compare/comparator.h"
#include "compare/datagram_conversation.h"
#include "compare/tcp_conversation.h"

namespace colo::compare {

Comparator::Round* Comparator::round_of(Epoch epoch) {
  const auto found = std::find_if(rounds_.begin(), rounds_.end(),
                                  [&](const Round& round) { return round.epoch == epoch; });
  return found == rounds_.end() ? nullptr : &*found;
}

// Not found: too many flows.
Comparator::Flows::iterator Comparator::flow_of(Round& round, const FlowKey& key) {
  const auto found = round.flows.find(key);
  if (found != round.flows.end()) return found;
  if (round.flows.size() >= limits_.flows) make_room(round);
  if (round.flows.size() >= limits_.flows) {
    ask(round, Reason::flows, &key);
    return found;
  }
  auto talk = begin(key);
  surplus_.packets += talk->surplus().packets;  // what is remembered counts too
  surplus_.bytes += talk->surplus().bytes;
  return round.flows.emplace(key, Flow{std::move(talk), ++serials_, std::nullopt}).first;
}

std::unique_ptr<Conversation> Comparator::begin(const FlowKey& key) const {
  const Conversation* before = nullptr;
  Epoch since;
  for (const Round& round : rounds_) {
    const auto found = round.flows.find(key);
    if (found == round.flows.end()) continue;
    before = found->second.talk.get();
    since = round.epoch;
  }
  if (const auto found = past_.find(key); found != past_.end()) {
    if (before == nullptr || found->second.epoch > since) before = found->second.talk.get();
  }
  if (before != nullptr) {
    if (auto next = before->successor()) return next;
  }
  if (key.kind == Kind::tcp) return std::make_unique<TcpConversation>();
  if (is_statement(key)) return std::make_unique<StatementConversation>(key.kind);
  return std::make_unique<DatagramConversation>();
}

// The flow that rests for longest is put away.
void Comparator::make_room(Round& round) {
  while (!round.resting.empty()) {
    const auto flow = round.flows.find(round.resting.front());
    round.resting.pop_front();
    flow->second.resting = false;
    const Conversation& talk = *flow->second.talk;
    if (!talk.at_rest()) continue;
    if (!remember(round.epoch, flow->first, talk)) return;
    surplus_.packets -= talk.surplus().packets;
    surplus_.bytes -= talk.surplus().bytes;
    round.flows.erase(flow);
    return;
  }
}

void Comparator::remember(const Round& round) {
  for (const auto& [key, flow] : round.flows) (void)remember(round.epoch, key, *flow.talk);
}

// False: there is no room. What a later round put away is newer.
bool Comparator::remember(Epoch epoch, const FlowKey& key, const Conversation& talk) {
  const auto known = past_.find(key);
  if (known != past_.end() && known->second.epoch > epoch) return true;
  auto next = talk.successor();
  if (next == nullptr) return true;
  if (known == past_.end() && past_.size() >= limits_.flows && !forget_one()) return false;
  past_[key] = {std::move(next), epoch};
  return true;
}

// To be forgotten costs a needless checkpoint at worst; those that have ended go first, as far as
// a few looks tell. Never one that hides what an earlier round, not over yet, said in its place.
bool Comparator::forget_one() {
  constexpr int looks = 32;
  auto next = forgotten_ ? past_.upper_bound(*forgotten_) : past_.begin();
  auto chosen = past_.end();
  for (int i = 0; i < looks && !past_.empty(); ++i, ++next) {
    if (next == past_.end()) next = past_.begin();
    const bool hides = std::any_of(rounds_.begin(), rounds_.end(), [&](const Round& round) {
      return round.epoch < next->second.epoch && round.flows.count(next->first) != 0;
    });
    if (hides) continue;
    if (next->second.talk->at_rest()) {
      chosen = next;
      break;
    }
    if (chosen == past_.end()) chosen = next;
  }
  if (chosen == past_.end()) return false;
  forgotten_ = chosen->first;
  past_.erase(chosen);
  return true;
}

void Comparator::end_round(Round& round) {
  for (const auto& [key, flow] : round.flows) {
    held_.packets -= flow.talk->held().packets;
    held_.bytes -= flow.talk->held().bytes;
    surplus_.packets -= flow.talk->surplus().packets;
    surplus_.bytes -= flow.talk->surplus().bytes;
  }
}

// Only of the open round: a checkpoint that ends the others is under way.
void Comparator::ask(Round& round, Reason reason, const FlowKey* key) {
  if (!is_open(round) || round.asked) return;
  round.asked = true;
  ++figures_.different[static_cast<std::size_t>(reason)];
  ask_ = Ask{reason, key == nullptr ? std::string() : describe(*key)};
}

std::optional<std::pair<Instant, Reason>> Comparator::next_silence() const {
  if (rounds_.empty()) return std::nullopt;
  const Round& round = rounds_.back();
  if (round.asked || !round.running) return std::nullopt;
  std::optional<std::pair<Instant, Reason>> next;
  const auto consider = [&](std::optional<Instant> since, Reason reason) {
    if (!since) return;
    const Instant due = std::max(*since, *round.running) + limits_.silence;
    if (!next || due < next->first) next = {due, reason};
  };
  if (!round.waiting.empty()) consider(round.waiting.begin()->first.first, Reason::silence);
  consider(round.primary_pieces.oldest(), Reason::fragments);
  consider(round.secondary_pieces.oldest(), Reason::fragments);
  return next;
}

std::optional<Instant> Comparator::deadline() const {
  const auto next = next_silence();
  if (!next) return std::nullopt;
  return next->first;
}

void Comparator::expire(Instant now) {
  const auto next = next_silence();
  if (!next || now < next->first) return;
  Round& round = rounds_.back();
  if (next->second == Reason::silence) {
    ask(round, Reason::silence, round.waiting.begin()->second);
    return;
  }
  auto key = round.primary_pieces.oldest_key();
  if (!key) key = round.secondary_pieces.oldest_key();
  ask(round, Reason::fragments, key ? &*key : nullptr);
}

CompareFigures Comparator::figures() const {
  CompareFigures figures = figures_;
  figures.held = held_;
  figures.surplus = surplus_;
  for (const Round& round : rounds_) figures.flows += round.flows.size();
  if (!rounds_.empty() && !rounds_.back().waiting.empty()) {
    figures.oldest = rounds_.back().waiting.begin()->first.first;
  }
  return figures;
}

}  // namespace colo::compare
