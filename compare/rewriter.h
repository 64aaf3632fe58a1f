// Makes the numbers of a replica's TCP connections those of the primary, and the clients' numbers
// those that the replica expects.
//
// A connection that began since the incarnation was loaded has another initial sequence number
// there, and another clock for its timestamps. Both are learned from the first segment of the
// client that acknowledges the replica's SYN or SYN-ACK, for what it acknowledges is the primary's:
//   shift = (its ack - 1) - the replica's number;   clock shift = its echo - the SYN's timestamp.
// Outbound: seq += shift, timestamp += clock shift. Inbound: ack and SACK edges -= shift, echo -=
// clock shift; also the number that an ICMP error quotes. A connection that the checkpoint holds
// has shift 0, and one that the primary itself shifts (it took over once) has the primary's: its
// table comes with the checkpoint (export_table, import_table).
//
// At a takeover the replica becomes the guest. Its connections keep their shifts until they close,
// and those that existed then get `takeover_ticks` more on their timestamps: the replica's clock is
// behind the primary's by its load time, and a client drops what is older than what it has seen
// (PAWS, RFC 7323). An echo of before the takeover is told by its value and is not moved. New
// connections pass unchanged.
//
// It is learned only from what can be the answer: a SYN-ACK to the guest's SYN, or a client's
// segment behind the number that the SYN-ACK acknowledged. A stale one of an earlier connection is
// left to the guest to refuse. Before, data can't go out, since its number is not known (TCP Fast
// Open).
//
// Frames between the hosts carry the clients' numbers: inbound ones are given to the replica's
// rewriter as they came from the network, outbound ones are compared behind the rewriter.
//
// Bounded: closed and idle connections are forgotten first; a connection that can't be followed
// makes full() true, and a checkpoint makes it one with shift 0.
//
// Role: pure; edits frames in place. Threads: none. Errors: import_table's: "bad-flow-table".
#pragma once

#include <map>
#include <utility>

#include "base/result.h"
#include "compare/packet.h"
#include "compare/tcp_edit.h"

namespace colo::compare {

struct RewriterLimits {
  std::size_t flows = 16384;
  Duration idle = std::chrono::hours(2);
  // Of a closed one: for what is still retransmitted. Of one that nobody answers, too.
  Duration closed = std::chrono::minutes(2);
  // A client's segment waits for the replica's SYN-ACK so long.
  Duration early = std::chrono::milliseconds(50);
};

class Rewriter {
 public:
  static constexpr std::uint32_t takeover_ticks = 10'000;

  explicit Rewriter(RewriterLimits limits) : limits_(limits) {}

  // A new incarnation is loaded: nothing is known. Then import_table(), if the primary sent one.
  void reset();
  // This side's guest speaks to the clients from now on.
  void takeover();

  // A frame of the guest, on its way out / a frame for it, on its way in.
  // outbound: false: it must not be sent; TCP says it again when its numbers are known.
  [[nodiscard]] bool outbound(std::uint32_t port, MutableBytes frame, Instant now);
  void inbound(std::uint32_t port, MutableBytes frame, Instant now);
  // A client's answer to a SYN-ACK that the replica has not sent yet: the primary's was sooner, and
  // the replica would reset what it does not know. Nothing: give it to inbound(). Else ask again
  // when the replica has said something, and at that time.
  [[nodiscard]] std::optional<Instant> early(std::uint32_t port, ByteView frame, Instant now);

  // Since reset() a connection could not be followed: ask for a checkpoint.
  [[nodiscard]] bool full() const { return full_; }
  [[nodiscard]] std::size_t flows() const { return flows_.size(); }

  // What a replica loaded from a checkpoint of this moment needs; empty: nothing.
  [[nodiscard]] Bytes export_table() const;
  // REQUIRES: reset() before it. The bytes come from a peer; refused ones change nothing.
  Result<void> import_table(ByteView table, Instant now);

 private:
  // How far timestamps are shifted, also while echoes of before a takeover may still come.
  struct Clock {
    std::uint32_t shift = 0;
    std::uint32_t before = 0;  // the shift before the takeover
    bool turning = false;      // there was one
    bool turned = false;       // a segment went out since, the first with:
    std::uint32_t turn = 0;
  };
  struct Flow {
    bool opening = false;    // the SYN went out, and no answer is known
    bool answering = false;  // it was a SYN-ACK, and peer_next is known
    bool reset = false;
    bool guest_ended = false, guest_end_acked = false;
    bool peer_ended = false, peer_end_acked = false;
    bool numbered = false;  // isn is known
    bool stamped = false;   // and stamp
    std::uint32_t isn = 0, stamp = 0;
    std::uint32_t peer_next = 0;  // what the SYN-ACK acknowledged
    std::uint32_t shift = 0;
    Clock clock;
    std::uint32_t guest_end = 0, peer_end = 0;  // behind the FIN, in the clients' numbers
    Instant seen{};
    [[nodiscard]] bool closed() const { return reset || (guest_end_acked && peer_end_acked); }
  };
  using Flows = std::map<FlowKey, Flow>;
  // A client's SYN, until the guest has said something.
  struct Asked {
    std::uint32_t isn = 0;
    Instant seen{};
    std::optional<Instant> early;  // its answer waits since
  };

  [[nodiscard]] static FlowKey key_of(const Packet& packet, ByteView frame, bool inbound);
  void begin(const FlowKey& key, const TcpEdit& edit, std::uint32_t data, Instant now);
  [[nodiscard]] Flow* follow(const FlowKey& key, bool stamped, Instant now);
  [[nodiscard]] Flow* add(const FlowKey& key, const Flow& flow, Instant now);
  void note_asked(const FlowKey& key, const TcpEdit& edit, Instant now);
  void forget_asked(Instant now);
  [[nodiscard]] static bool answers(const Flow& flow, const TcpEdit& edit);
  static void learn(Flow& flow, const TcpEdit& edit);
  static void stamp_out(Clock& clock, TcpEdit& edit);
  static void stamp_in(const Clock& clock, TcpEdit& edit);
  static void note_out(Flow& flow, const Packet& packet, const TcpEdit& edit);
  static void note_in(Flow& flow, const Packet& packet, const TcpEdit& edit);
  void quoted(const Packet& packet, MutableBytes frame);
  void forget_old(Instant now);
  void make_room(Instant now);
  static void turn(Clock& clock);

  RewriterLimits limits_;
  Flows flows_;  // by the key of what the guest sends, without addresses of Ethernet
  Clock clock_;  // of connections that are not in the table
  std::map<FlowKey, Asked> asked_;
  bool live_ = false;
  bool full_ = false;
  Instant looked_{};                // when old flows were last looked for
  std::optional<Instant> crowded_;  // when no room was found
};

}  // namespace colo::compare
