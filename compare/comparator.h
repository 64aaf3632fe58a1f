// Output commit in colo mode (law L1): a frame of the primary's guest leaves before its checkpoint
// only if the replica has said the same.
//
// Time is cut into *rounds* by the checkpoints: the guest's frames between two cuts are compared
// with those of the incarnation that was loaded from the first of them. Frames between the hosts
// carry the epoch that was open, so incarnation n speaks in round n+1. A commit ends the rounds
// before it: their frames leave with it. A round is *grounded* once its checkpoint is committed; no
// frame of it leaves before, whatever the replica said.
//
// In a round each flow is a conversation (compare/tcp_conversation.h,
// compare/datagram_conversation.h), and a new one begins with what the checkpoint's past holds of
// it. The owner of the hold queue releases what pop_released() gives; it never waits for the
// comparator to drop anything, since the comparator never does: what it cannot compare waits for
// the commit.
//
// Bounded: flows that have ended, and messages that both said, make room for others; nothing is
// lost with them. What is remembered beyond the bound is forgotten, at the price of a needless
// checkpoint.
//
// A checkpoint is asked for when the guests differ, when one side said what the other did not say
// within `silence`, or at a bound; once per round, with the reason and the flow. After that the
// other flows are compared on.
//
// Role: pure; time is an argument. Threads: none; callers serialize. Units: bytes of whole frames
// for held ones, of kept content for the replica's. Errors: none; the bytes of either guest may be
// anything.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "compare/conversation.h"
#include "compare/reassembly.h"

namespace colo::compare {

struct ComparatorLimits {
  Duration silence = std::chrono::milliseconds(200);
  std::size_t flows = 8192;
  // Of the primary's frames that wait here; at a bound a checkpoint is asked for and all are kept:
  // the hold queue's bound is the one that stops the guest.
  Load held_per_flow{4096, 8U << 20};
  Load held{16384, 64U << 20};
  // Of the replica's words that the primary has not said; at a bound the flow is given up.
  Load surplus_per_flow{4096, 8U << 20};
  Load surplus{32768, 64U << 20};
  ReassemblyLimits reassembly;
};

struct Ask {
  Reason reason = Reason::silence;
  std::string flow;  // for people; empty: none in particular
};

struct CompareFigures {
  std::uint64_t equal = 0;                         // frames released by comparison
  std::array<std::uint64_t, reasons> different{};  // asked, by Reason
  std::uint64_t late = 0;                          // the replica's frames of rounds that are over
  Load held, surplus;
  std::size_t flows = 0;
  std::optional<Instant> oldest;  // since when the longest wait of the open round lasts
};

class Comparator {
 public:
  explicit Comparator(ComparatorLimits limits) : limits_(limits) {}

  // The cut of a checkpoint: a round begins whose frames carry `open`. The open epoch may be cut to
  // again (a capture that failed): what was sent before is then the past of the checkpoint to come.
  // REQUIRES: not earlier than before, unless after reset().
  void cut(Epoch open);
  // The checkpoint of this epoch is complete on the secondary. Release its frames from the hold
  // queue first: then a connection's frames leave in their order.
  void committed(Epoch epoch);
  // The incarnation that speaks in `open` runs; silence counts from here. Its first frame says so
  // too.
  void replica_runs(Epoch open, Instant now);
  // The session ended, or the mode did. Whoever holds the frames decides what becomes of them.
  void reset();

  // Everything the primary's guest sends while output is held, as it is pushed into the hold queue.
  // Before the first cut nothing is compared: the frames wait for the commit.
  void primary_sent(FrameId id, std::uint32_t port, const Frame& frame, Instant now);
  // What the replica sent, its numbers rewritten to the primary's, in its order.
  void secondary_sent(Epoch tag, std::uint32_t port, ByteView frame, Instant now);

  // Call at deadline() or later.
  void expire(Instant now);
  [[nodiscard]] std::optional<Instant> deadline() const;

  [[nodiscard]] std::optional<FrameId> pop_released();
  [[nodiscard]] std::optional<Ask> take_ask();
  [[nodiscard]] CompareFigures figures() const;

 private:
  struct Flow {
    std::unique_ptr<Conversation> talk;
    std::uint64_t serial = 0;
    std::optional<Instant> waiting;  // as listed in Round::waiting
    bool resting = false;            // as listed in Round::resting
  };
  using Flows = std::map<FlowKey, Flow>;
  struct Round {
    Epoch epoch;
    Flows flows;
    bool grounded = false;
    bool asked = false;
    std::optional<Instant> running;
    std::map<std::pair<Instant, std::uint64_t>, const FlowKey*> waiting;
    std::deque<FlowKey> resting;  // flows that were at rest, to make room of
    Reassembly primary_pieces, secondary_pieces;
  };

  [[nodiscard]] Round* round_of(Epoch epoch);
  [[nodiscard]] bool is_open(const Round& round) const { return &round == &rounds_.back(); }
  Flows::iterator flow_of(Round& round, const FlowKey& key);
  [[nodiscard]] std::unique_ptr<Conversation> begin(const FlowKey& key) const;
  void primary_said(Round& round, const FlowKey& key, Held held);
  void secondary_said(Round& round, const Packet& packet, ByteView frame, Instant now);
  // Lets go what may, keeps the totals, asks at a bound. `before`: the loads when it was last
  // settled.
  void settle(Round& round, Flows::iterator flow, Load held_before, Load surplus_before);
  void list(Round& round, Flows::iterator flow);
  void ask(Round& round, Reason reason, const FlowKey* key);
  void make_room(Round& round);
  void remember(const Round& round);
  bool remember(Epoch epoch, const FlowKey& key, const Conversation& talk);
  bool forget_one();
  void end_round(Round& round);
  [[nodiscard]] std::optional<std::pair<Instant, Reason>> next_silence() const;

  ComparatorLimits limits_;
  std::deque<Round> rounds_;  // from the oldest that is not committed to the open one
  // What the primary said, of flows that the rounds above have not seen since.
  struct Past {
    std::unique_ptr<Conversation> talk;
    Epoch epoch;  // of its round
  };
  std::map<FlowKey, Past> past_;
  std::optional<FlowKey> forgotten_;  // the last that there was no room for
  Epoch committed_{0};
  std::uint64_t serials_ = 0;
  Load held_, surplus_;
  std::deque<FrameId> released_;
  std::optional<Ask> ask_;
  CompareFigures figures_;
};

}  // namespace colo::compare
