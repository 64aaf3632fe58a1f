#include "compare/datagram_conversation.h"

#include <algorithm>

namespace colo::compare {

void DatagramConversation::note_secondary(const Said&, ByteView content, Instant now) {
  ahead_.push_back({Bytes(content.begin(), content.end()), now});
  ++surplus_.packets;
  surplus_.bytes += content.size();
}

Conversation::Verdict DatagramConversation::judge(const Held& held) {
  if (ahead_.empty()) return Verdict::wait;
  const Bytes& theirs = ahead_.front().content;
  const ByteView ours = held.content();
  if (!std::equal(ours.begin(), ours.end(), theirs.begin(), theirs.end())) {
    return Verdict::differ_payload;
  }
  --surplus_.packets;
  surplus_.bytes -= theirs.size();
  ahead_.pop_front();
  return Verdict::leave;
}

std::optional<Instant> DatagramConversation::unanswered_since() const {
  if (ahead_.empty()) return std::nullopt;
  return ahead_.front().since;
}

Bytes StatementConversation::meaning(ByteView content) const {
  Bytes bytes(content.begin(), content.end());
  if (kind_ == Kind::arp && read16(content, 6) == 1) {
    // A request asks for the target's address: what stands in its place means nothing.
    std::fill_n(bytes.begin() + 18, 6, std::byte{0});
  }
  return bytes;
}

StatementConversation::Statement& StatementConversation::statement(Bytes meaning) {
  const auto found = std::find_if(statements_.begin(), statements_.end(),
                                  [&](const Statement& one) { return one.content == meaning; });
  if (found != statements_.end()) return *found;
  ++surplus_.packets;
  surplus_.bytes += meaning.size();
  return statements_.emplace_back(Statement{std::move(meaning)});
}

void StatementConversation::note_primary(Held& held) {
  if (!given_up()) statement(meaning(held.content())).primary = true;
}

void StatementConversation::note_secondary(const Said&, ByteView content, Instant now) {
  Statement& one = statement(meaning(content));
  if (one.secondary) return;
  one.secondary = true;
  one.since = now;
}

Conversation::Verdict StatementConversation::judge(const Held& held) {
  return statement(meaning(held.content())).secondary ? Verdict::leave : Verdict::wait;
}

std::optional<Instant> StatementConversation::unanswered_since() const {
  std::optional<Instant> since;
  for (const Statement& one : statements_) {
    if (!one.primary && (!since || one.since < *since)) since = one.since;
  }
  return since;
}

std::unique_ptr<Conversation> StatementConversation::successor() const {
  auto next = std::make_unique<StatementConversation>(kind_);
  for (const Statement& one : statements_) {
    if (one.primary) {
      next->statement(one.content) = {one.content, true, true, {}};
    }
  }
  return next;
}

bool is_statement(const FlowKey& key) {
  constexpr std::uint8_t protocol_igmp = 2;
  if (key.kind == Kind::arp) return true;
  if (key.kind == Kind::ip) return key.ip == 4 && key.protocol == protocol_igmp;
  if (key.kind != Kind::icmp6) return false;
  const unsigned type = key.source_port >> 8;
  return (type >= 130 && type <= 137) || type == 143;  // multicast listeners, discovery
}

}  // namespace colo::compare
