// Flows of whole messages.
//
// DatagramConversation: UDP, ICMP, other protocols, frames that nobody parses. The n-th message of
// the primary may leave when it equals the n-th of the replica.
//
// StatementConversation: ARP, neighbour and router discovery, multicast membership. A guest says
// these when its timers want it, and saying one twice means the same as once: a message may leave
// when the replica has said it too since the cut, or when the checkpoint's past has it.
//
// Threads: none. Errors: none.
#pragma once

#include <deque>
#include <vector>

#include "compare/conversation.h"

namespace colo::compare {

class DatagramConversation final : public Conversation {
 public:
  [[nodiscard]] std::unique_ptr<Conversation> successor() const override { return nullptr; }

 private:
  struct Message {
    Bytes content;
    Instant since{};
  };

  void note_primary(Held&) override {}
  void note_secondary(const Said& said, ByteView content, Instant now) override;
  Verdict judge(const Held& held) override;
  [[nodiscard]] std::optional<Instant> unanswered_since() const override;
  [[nodiscard]] bool over() const override { return ahead_.empty(); }
  void forget_surplus() override { ahead_.clear(); }

  std::deque<Message> ahead_;
};

class StatementConversation final : public Conversation {
 public:
  explicit StatementConversation(Kind kind) : kind_(kind) {}

  [[nodiscard]] std::unique_ptr<Conversation> successor() const override;

 private:
  struct Statement {
    Bytes content;
    bool primary = false, secondary = false;
    Instant since{};  // when the replica said it
  };

  void note_primary(Held& held) override;
  void note_secondary(const Said& said, ByteView content, Instant now) override;
  Verdict judge(const Held& held) override;
  [[nodiscard]] std::optional<Instant> unanswered_since() const override;
  void forget_surplus() override { statements_.clear(); }

  [[nodiscard]] Bytes meaning(ByteView content) const;
  Statement& statement(Bytes meaning);

  Kind kind_;
  std::vector<Statement> statements_;  // bounded as the replica's surplus
};

// Messages of this flow mean the same however often they are said.
[[nodiscard]] bool is_statement(const FlowKey& key);

}  // namespace colo::compare
