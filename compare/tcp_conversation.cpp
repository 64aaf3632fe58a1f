#include "compare/tcp_conversation.h"

#include <algorithm>
#include <utility>

namespace colo::compare {
namespace {

// A guest that opens the same ports again and again without its replica doing so.
constexpr std::size_t lives_max = 8;
// Of a life. One of more that both have said is forgotten.
constexpr std::size_t resets_max = 16;

bool at_most(std::uint32_t one, std::uint32_t other) {
  return static_cast<std::int32_t>(one - other) <= 0;
}

void raise(std::optional<std::uint32_t>& highest, std::uint32_t number) {
  if (!highest || at_most(*highest, number)) highest = number;
}

// A reset ends, whatever else it claims to do.
bool begins(const Said& said) { return (said.flags & (flag::syn | flag::rst)) == flag::syn; }

// The acknowledgement rule.
bool acknowledged(const std::optional<std::uint32_t>& replica, const Said& said) {
  return (said.flags & flag::ack) == 0 || (replica && at_most(said.ack, *replica));
}

std::optional<Instant> earlier(std::optional<Instant> one, Instant other) {
  return one ? std::min(*one, other) : other;
}

}  // namespace

void TcpConversation::begin_life(Side& side, std::uint32_t isn) {
  ++side.life;
  side.isn = isn;
  if (side.life - first_life_ == lives_.size()) lives_.emplace_back();
}

TcpConversation::Reset& TcpConversation::reset_at(std::vector<Reset>& resets, std::uint32_t seq) {
  const auto found = std::find_if(resets.begin(), resets.end(),
                                  [&](const Reset& reset) { return reset.seq == seq; });
  if (found != resets.end()) return *found;
  if (resets.size() == resets_max) resets.erase(resets.begin());
  resets.emplace_back();
  resets.back().seq = seq;
  return resets.back();
}

bool TcpConversation::Life::over() const {
  return end || std::any_of(resets.begin(), resets.end(),
                            [](const Reset& reset) { return reset.primary && reset.secondary; });
}

// What the next conversation must know; a RST has a number of its own.
void TcpConversation::note_stream(const Said& said) {
  if ((said.flags & flag::rst) != 0) {
    auto& resets = primary_resets_;
    if (std::find(resets.begin(), resets.end(), said.seq) != resets.end()) return;
    if (resets.size() == resets_max) resets.erase(resets.begin());
    resets.push_back(said.seq);
    return;
  }
  const bool opens = begins(said);
  const bool ends = (said.flags & flag::fin) != 0;
  raise(said_to_, said.seq + said.size() + (opens ? 1 : 0) + (ends ? 1 : 0));
  if ((said.flags & flag::ack) != 0) raise(primary_acked_, said.ack);
  if (ends) primary_ended_ = true;
}

void TcpConversation::note_primary(Held& held) {
  const Said& said = held.said;
  const bool opens = begins(said);
  if (opens && primary_.isn != said.seq) {
    said_to_.reset();
    primary_acked_.reset();
    primary_ended_ = false;
    primary_resets_.clear();
    if (given_up()) {
      primary_.isn = said.seq;
    } else {
      begin_life(primary_, said.seq);
    }
  }
  note_stream(said);
  if (given_up()) return;
  Life& life = life_at(primary_.life);
  held.life = primary_.life;
  ++life.waiting;
  if ((said.flags & flag::rst) != 0) {
    reset_at(life.resets, said.seq).primary = true;
    return;
  }
  if (!life.stream.numbered()) life.stream.number_from(said.seq);
  const std::uint64_t from = life.stream.position(said.seq);
  const std::uint64_t to = from + said.size();
  life.stream.reached(to);
  if (opens) {
    ((said.flags & flag::ack) != 0 ? life.syn_ack : life.syn).primary = true;
    return;
  }
  // A mere acknowledgement stands behind the FIN once that was said.
  if (said.size() > 0) life.primary_to = std::max(life.primary_to, to);
  if ((said.flags & flag::fin) != 0) life.primary_ended = to;
}

void TcpConversation::note_secondary(const Said& said, ByteView content, Instant now) {
  const bool opens = begins(said);
  // A SYN said again may carry the primary's number by now.
  const bool again =
      secondary_.isn == said.seq || (secondary_.life == primary_.life && primary_.isn == said.seq);
  if (opens && !again) begin_life(secondary_, said.seq);
  Life& life = life_at(secondary_.life);
  const bool acknowledges = (said.flags & flag::ack) != 0;
  if ((said.flags & flag::rst) != 0) {
    Reset& reset = reset_at(life.resets, said.seq);
    if (!std::exchange(reset.secondary, true)) {
      reset.payload.assign(content.begin(), content.end());
      reset.stray = !acknowledges;
      reset.since = now;
    }
  } else {
    if (acknowledges) raise(life.acked, said.ack);
    if (opens) {
      Opening& opening = acknowledges ? life.syn_ack : life.syn;
      if (!std::exchange(opening.secondary, true)) {
        opening.flags = said.flags;
        opening.ack = said.ack;
        opening.since = now;
      }
    } else {
      if (!life.stream.numbered()) life.stream.number_from(said.seq);
      const std::uint64_t from = life.stream.position(said.seq);
      const std::uint64_t to = from + content.size();
      life.stream.hear(from, content, now);
      life.stream.reached(to);
      if ((said.flags & flag::fin) != 0 && !life.ended && life.end != to) {
        life.ended = to;
        life.ended_since = now;
      }
    }
  }
  count_surplus();
}

Conversation::Verdict TcpConversation::judge_opening(const Life& life, const Held& held) {
  if (life.opened_before) {
    return acknowledged(life.acked, held.said) ? Verdict::leave : Verdict::wait;
  }
  if (held.said.size() > 0) return Verdict::differ_event;
  const bool answers = (held.said.flags & flag::ack) != 0;
  const Opening& same = answers ? life.syn_ack : life.syn;
  const Opening& other = answers ? life.syn : life.syn_ack;
  if (!same.secondary) {
    // Both begin with a SYN when two ends open at once.
    return other.secondary && !other.primary ? Verdict::differ_event : Verdict::wait;
  }
  const bool equal =
      ((same.flags ^ held.said.flags) & flag::fin) == 0 && (!answers || same.ack == held.said.ack);
  return equal ? Verdict::leave : Verdict::differ_event;
}

Conversation::Verdict TcpConversation::judge_reset(Life& life, const Held& held) {
  const Reset& reset = reset_at(life.resets, held.said.seq);
  if (!reset.secondary) return Verdict::wait;
  const ByteView content = held.content();
  const bool same =
      std::equal(content.begin(), content.end(), reset.payload.begin(), reset.payload.end());
  return same ? Verdict::leave : Verdict::differ_payload;
}

Conversation::Verdict TcpConversation::judge_stream(Life& life, const Held& held) {
  const std::uint64_t from = life.stream.position(held.said.seq);
  switch (life.stream.match(from, held.content())) {
    case TcpStream::Match::missing:
      return Verdict::wait;
    case TcpStream::Match::different:
      return Verdict::differ_payload;
    case TcpStream::Match::equal:
      break;
  }
  const std::uint64_t to = from + held.said.size();
  if ((held.said.flags & flag::fin) != 0 && life.end != to) {
    if (!life.ended) return Verdict::wait;
    if (*life.ended != to) return Verdict::differ_event;
    life.end = to;
  }
  return acknowledged(life.acked, held.said) ? Verdict::leave : Verdict::wait;
}

Conversation::Verdict TcpConversation::judge(const Held& held) {
  Life& life = life_at(held.life);
  Verdict verdict = Verdict::wait;
  if ((held.said.flags & flag::rst) != 0) {
    verdict = judge_reset(life, held);
  } else if ((held.said.flags & flag::syn) != 0) {
    verdict = judge_opening(life, held);
  } else {
    verdict = judge_stream(life, held);
    count_surplus();
  }
  if (verdict != Verdict::leave) return verdict;
  --life.waiting;
  while (first_life_ < std::min(primary_.life, secondary_.life) && lives_.front().waiting == 0) {
    lives_.pop_front();
    ++first_life_;
  }
  return verdict;
}

bool TcpConversation::contradict() const {
  if (lives_.size() > lives_max) return true;
  return std::any_of(lives_.begin(), lives_.end(), [](const Life& life) {
    const auto ahead = life.stream.ahead_to();
    if (life.primary_ended && ahead && *ahead > *life.primary_ended) return true;
    if (!life.ended) return false;
    return life.primary_to > *life.ended ||
           (life.primary_ended && *life.primary_ended != *life.ended);
  });
}

std::optional<Instant> TcpConversation::unanswered_since() const {
  std::optional<Instant> since;
  for (const Life& life : lives_) {
    for (const Opening* opening : {&life.syn, &life.syn_ack}) {
      if (opening->secondary && !opening->primary && !life.opened_before) {
        since = earlier(since, opening->since);
      }
    }
    for (const Reset& reset : life.resets) {
      // Of a connection that has ended in both, one may have forgotten it a little sooner, and so
      // resets what comes late. What the other still acknowledges waits in any case.
      if (!reset.secondary || reset.primary || (reset.stray && life.over())) continue;
      since = earlier(since, reset.since);
    }
    if (life.ended && !life.primary_ended) since = earlier(since, life.ended_since);
    if (const auto ahead = life.stream.ahead_since()) since = earlier(since, *ahead);
  }
  return since;
}

bool TcpConversation::over() const {
  return lives_.size() == 1 && primary_.life == secondary_.life && lives_.front().over() &&
         !unanswered_since();
}

void TcpConversation::forget_surplus() {
  lives_.clear();
  lives_.emplace_back();
  first_life_ = primary_.life = secondary_.life = 0;
}

void TcpConversation::count_surplus() {
  surplus_ = {};
  for (const Life& life : lives_) {
    surplus_.packets += life.stream.chunks() + life.stream.agreed_ranges();
    surplus_.bytes += life.stream.bytes();
    for (const Reset& reset : life.resets) surplus_.bytes += reset.payload.size();
  }
}

std::unique_ptr<Conversation> TcpConversation::successor() const {
  auto next = std::make_unique<TcpConversation>();
  next->said_to_ = said_to_;
  next->primary_acked_ = primary_acked_;
  next->primary_.isn = next->secondary_.isn = primary_.isn;
  next->primary_ended_ = primary_ended_;
  next->primary_resets_ = primary_resets_;
  Life& life = next->lives_.front();
  for (const std::uint32_t seq : primary_resets_) {
    Reset& reset = reset_at(life.resets, seq);
    reset.primary = reset.secondary = true;
  }
  life.acked = primary_acked_;
  life.opened_before = primary_.isn.has_value();
  if (said_to_) {
    life.stream.number_from(*said_to_);
    life.stream.agree(0, life.stream.position(*said_to_));
    if (primary_ended_) life.end = life.stream.position(*said_to_) - 1;
  }
  return next;
}

}  // namespace colo::compare
