// One direction of TCP between two addresses and ports: what the primary's guest sends and what the
// replica's guest sends, as byte streams with events.
//
// A segment of the primary may leave when
//   - every byte of it was said by the replica too (or lies in the checkpoint's past);
//   - a SYN, FIN or RST in it was said by the replica too: a SYN-ACK that answers the same SYN, a
//   FIN
//     at the same place, a RST with the same number;
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
#include <vector>

#include "compare/conversation.h"
#include "compare/tcp_stream.h"

namespace colo::compare {

class TcpConversation final : public Conversation {
 public:
  TcpConversation() { lives_.emplace_back(); }

  [[nodiscard]] std::unique_ptr<Conversation> successor() const override;

 private:
  // A SYN or a SYN-ACK.
  struct Opening {
    bool primary = false, secondary = false;
    std::uint8_t flags = 0;  // the replica's
    std::uint32_t ack = 0;
    Instant since{};
  };
  // Resets with one number: a guest answers each stray segment with one.
  struct Reset {
    std::uint32_t seq = 0;
    bool stray = false;  // the replica's names no connection: it has none any more
    bool primary = false, secondary = false;
    Bytes payload;  // the replica's
    Instant since{};
  };
  struct Life {
    TcpStream stream;
    // The replica.
    std::optional<std::uint32_t> acked;
    std::optional<std::uint64_t> ended;  // where its FIN stands
    Instant ended_since{};
    // The primary.
    std::optional<std::uint64_t> primary_ended;
    std::uint64_t primary_to = 0;  // of its data
    std::size_t waiting = 0;       // of its segments
    bool opened_before = false;    // in the checkpoint's past
    // Where the FIN stands that both said, or the checkpoint's past has.
    std::optional<std::uint64_t> end;

    Opening syn, syn_ack;
    std::vector<Reset> resets;
    // Both sides have said that this direction ends.
    [[nodiscard]] bool over() const;
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
  [[nodiscard]] bool over() const override;
  void forget_surplus() override;

  static Reset& reset_at(std::vector<Reset>& resets, std::uint32_t seq);
  [[nodiscard]] Life& life_at(std::size_t number) { return lives_[number - first_life_]; }
  void begin_life(Side& side, std::uint32_t isn);
  void note_stream(const Said& said);
  [[nodiscard]] static Verdict judge_opening(const Life& life, const Held& held);
  [[nodiscard]] static Verdict judge_reset(Life& life, const Held& held);
  [[nodiscard]] static Verdict judge_stream(Life& life, const Held& held);
  void count_surplus();

  std::deque<Life> lives_;  // from the first that a side is in or a segment waits of
  std::size_t first_life_ = 0;
  Side primary_, secondary_;
  // Of the primary, for the next conversation: how far its stream and its acknowledgements went.
  std::optional<std::uint32_t> said_to_, primary_acked_;
  bool primary_ended_ = false;
  std::vector<std::uint32_t> primary_resets_;
};

}  // namespace colo::compare
