// One direction of TCP between two addresses and ports: what the primary's guest sends and what the
// replica's guest sends, as byte streams with events.
//
// A segment of the primary may leave when
//   - every byte of it was said by the replica too (or lies in the checkpoint's past);
//   - a SYN, FIN or RST in it was said by the replica too;
//   - it acknowledges no more than the replica has: else a takeover could forget bytes that the
//     client believes delivered.
// Segmentation, order, retransmission, options, window, timestamps, and the initial sequence number
// are no difference. Numbers are the primary's on both sides (compare/rewriter.h makes them so),
// but of a SYN, which the replica sends before anybody can know the primary's.
//
// The n-th SYN with a number of its own begins the n-th *life* of the two ports, on each side.
//
// Role: a compare::Conversation. Threads: none. Errors: none.
#pragma once

#include <deque>

#include "compare/conversation.h"
#include "compare/tcp_stream.h"

namespace colo::compare {

class TcpConversation final : public Conversation {
 public:
  TcpConversation() { lives_.emplace_back(); }

  [[nodiscard]] std::unique_ptr<Conversation> successor() const override;

 private:
  // An event of the replica.
  struct Event {
    std::uint8_t flags = 0;
    Bytes payload;
    Instant since{};
  };
  struct Life {
    TcpStream stream;
    // The replica.
    std::optional<std::uint32_t> acked;
    std::optional<Event> opened, reset;
    std::optional<std::uint64_t> ended;  // where its FIN stands
    Instant ended_since{};
    // The primary.
    bool primary_opened = false, primary_reset = false;
    std::optional<std::uint64_t> primary_ended;
    std::uint64_t primary_to = 0;
    std::size_t waiting = 0;     // of its segments
    bool opened_before = false;  // its SYN lies in the checkpoint's past
  };
  // Which life a side is in, and the number of the SYN that began it.
  struct Side {
    std::size_t life = 0;
    std::optional<std::uint32_t> isn;
  };

  void note_primary(Held& held) override;
  void note_secondary(const Said& said, ByteView content, Instant now) override;
  Verdict judge(const Held& held) override;
  [[nodiscard]] bool contradict() const override;
  [[nodiscard]] std::optional<Instant> unanswered_since() const override;
  void forget_surplus() override;

  [[nodiscard]] Life& life_at(std::size_t number) { return lives_[number - first_life_]; }
  void begin_life(Side& side, std::uint32_t isn);
  void note_stream(const Said& said);
  [[nodiscard]] static Verdict judge_event(const std::optional<Event>& event, const Held& held);
  [[nodiscard]] static Verdict judge_stream(Life& life, const Held& held);
  void count_surplus();

  std::deque<Life> lives_;  // from the first that a side is in or a segment waits of
  std::size_t first_life_ = 0;
  Side primary_, secondary_;
  // Of the primary, for the next conversation: how far its stream and its acknowledgements went.
  std::optional<std::uint32_t> said_to_, primary_acked_;
};

}  // namespace colo::compare
