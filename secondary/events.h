// What the secondary's core hears and what it orders. See primary/events.h for facts and requests.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "base/result.h"
#include "base/types.h"
#include "heartbeat/arbiter.h"
#include "heartbeat/claim_for.h"

namespace colo::secondary {

// Counts the sessions with a primary. Events of an ended session are ignored.
using Session = Ordinal<struct SecondarySessionTag>;

// --- facts -------------------------------------------------------------------------------------
// Welcomed, bulk lane attached: checkpoints may arrive. Nothing of the cache is touched before it:
// the core may answer with EndSession (then what was held stays as it is) or with Forget (then a
// new cache is made for the whole copy).
struct Joined {
  Session session;
  std::string host;
  Generation generation;
  std::optional<Epoch> base{};  // the checkpoint of ours that the primary goes on from
};
struct JoinFailed {
  Error error;
};
// Every byte of this checkpoint arrived and was verified: count, digest, device state.
struct StagedComplete {
  Session session;
  Epoch epoch;
};
struct Flushed {  // the guest memory is at this committed checkpoint
  Epoch epoch;
};
struct FlushFailed {
  Error error;
};
// The peer is gone for certain: its process or its guest ended, it said goodbye, or its lane was
// closed by its side. guest_ends: on purpose and together with its guest; no takeover.
struct PeerGone {
  Session session;
  Error error;
  bool guest_ends = false;
};
// Nothing was heard for too long, or we closed the lane because of what arrived.
struct PeerSuspected {
  Session session;
  Error error;
  bool lane_closed = false;  // then hearing from it again does not help
};
struct PeerHeard {
  Session session;
};
struct ClaimAnswered {
  heartbeat::ClaimAnswer answer;
};
struct ClaimUnanswered {
  Error error;
};
// Each Load is answered exactly once; also where its standby dies meanwhile (then LoadFailed comes,
// and no StandbyFailed). The same for Run: GuestRuns or LoadFailed.
struct Loaded {};
struct LoadFailed {
  Error error;
};
struct Acquired {};
struct AcquireFailed {  // names the hook
  Error error;
};
struct Released {};  // the answer to ReleaseResources; hooks that failed are only logged
struct GuestRuns {};
// The primary's words of a switchover.
struct HandoverAsked {
  Session session;
  Epoch epoch;
};
struct GoAsked {
  Session session;
};
struct CancelAsked {
  Session session;
  std::string reason;
};
// A heartbeat says that the peer owns this generation and its guest runs there.
struct PeerRuns {
  Generation generation;
};
// A heartbeat says that the peer lost the guest and keeps it paused: it could resume it. Both are
// fed as often as they are heard, with or without a session.
struct PeerKeepsGuest {};
// The primary's word: checkpoints from `from` on are run as replicas (colo), or only stood by for.
// It comes on another lane than the checkpoints, so it may be late.
struct ModeTold {
  Session session;
  Epoch from;
  bool colo = false;
};
// The answers to RunReplica, exactly one of them, and none once EndReplica was given out.
struct ReplicaRuns {};
struct ReplicaFailed {  // it did not run at all: not one instruction, nothing that it could have
                        // sent
  Error error;
};
// The replica is no more: the answer to EndReplica, exactly once; or unasked: it crashed, hangs or
// fell behind, and the engine has ended it. Not after Run: then LoadFailed, or the guest's end.
struct ReplicaEnded {
  Error error;
};
struct StandbyReady {};
// It could not be started, or it ended before it was needed. The end of one that PrepareStandby
// replaced is not reported.
struct StandbyFailed {
  Error error;
};
struct Tick {};

// --- requests ----------------------------------------------------------------------------------
struct TakeoverAsked {};  // also: try again what failed
struct GiveBackAsked {};  // stop the takeover: let the peer, which keeps its guest, have it back
struct StopAsked {};

using Event =
    std::variant<Joined, JoinFailed, StagedComplete, Flushed, FlushFailed, PeerGone, PeerSuspected,
                 PeerHeard, ClaimAnswered, ClaimUnanswered, Loaded, LoadFailed, Acquired,
                 AcquireFailed, Released, GuestRuns, HandoverAsked, GoAsked, CancelAsked, PeerRuns,
                 PeerKeepsGuest, StandbyReady, StandbyFailed, Tick, TakeoverAsked, GiveBackAsked,
                 StopAsked, ModeTold, ReplicaRuns, ReplicaFailed, ReplicaEnded>;

// --- actions -----------------------------------------------------------------------------------
using heartbeat::For;
// Dial the primary once, telling it what is held; answer: Joined or JoinFailed. What is held is
// what Core::held() says, and for an unfinished first copy the pages that arrived.
struct Join {};
struct StopJoin {};  // give the Join under way up: neither answer comes any more
// The staged checkpoint becomes the committed one. Comes before the Acknowledge of its epoch.
struct Commit {
  Session session;
  Epoch epoch;
};
struct Acknowledge {
  Session session;
  Generation generation;
  Epoch epoch;
};
struct StartFlush {};  // answer: Flushed or FlushFailed; never two at a time
struct StartClaim {
  Generation from;
  For for_whom = For::me;
};
// No byte of that session is taken any more. What was staged is dropped, except of the first copy
// (its pages are offered at the next Join). Done before it returns.
// returns: the peer is told that this side closes but lives and may dial again (a refuse, not a
// goodbye). Otherwise: told as a goodbye if there is a reason. Nothing is told where it is empty.
struct EndSession {
  Session session;
  std::string reason;
  bool returns = false;
};
// Drop all that is held of the primary's memory, committed or not.
struct Forget {};
// Start a (new) standby guest, beside a replica that may run; answer: StandbyReady or
// StandbyFailed. replica: its main memory is mapped privately, so that what it writes once it runs
// stays its own and the memory file keeps the checkpoint.
struct PrepareStandby {
  bool replica = false;
};
struct Load {};  // device state into the standby; answer: Loaded or LoadFailed
// The hooks, as in the primary's; acquire goes on from the hook that failed. Answers: Acquired or
// AcquireFailed; Released.
struct AcquireResources {};
struct ReleaseResources {};
// Open the output, resume, announce; answer: GuestRuns or LoadFailed. LoadFailed only if the guest
// did not run at all: what it sent must stay part of its past (L1).
// replica: of the running replica, which goes on from where it is; its output, with what was held
// of it, goes to the network from here on. LoadFailed then only if it ended before a byte of that
// left. A standby beside it is of no further use.
struct Run {
  Generation generation;
  bool replica = false;
};
// COLO mode. The standby, which has loaded checkpoint `epoch`, becomes the replica and runs: it
// gets the inbound frames of tag epoch + 1, and what it sends goes to the primary under that tag,
// its numbers rewritten, never to the network. The standby's place is empty then. It waits for the
// checkpoint's table of rewritten connections (wire::Flows), which is on its way. Before its first
// instruction the kept checkpoint must be struck out as one to take over from (an engine that
// starts again has only a base): what is released then is in this guest's past alone. Answer:
// ReplicaRuns or ReplicaFailed.
struct RunReplica {
  Epoch epoch;
};
// Kill the replica, whatever it is doing; what it wrote and what it sent last is gone with it.
// Answer: ReplicaEnded. Until then nothing is flushed: a guest never runs on two checkpoints.
struct EndReplica {};
// What the replica sends from here on waits: nothing of it goes to the primary any more (L4). Comes
// before a StartClaim whose session is still open; EndSession does the same.
struct HoldReplica {};
struct TellReplicaRuns {
  Session session;
  Epoch epoch;
};
// There is nothing to take over from here any more. EndSession follows.
struct TellReplicaLost {
  Session session;
  Error error;
};
struct TellLoaded {
  Session session;
  Epoch epoch;
};
struct TellLoadFailed {
  Session session;
  Epoch epoch;
  Error error;
};
struct TellTookOver {
  Session session;
};
struct EndGuest {};  // the standby, and the replica
struct Exit {};

using Action = std::variant<Join, StopJoin, Commit, Acknowledge, StartFlush, StartClaim, EndSession,
                            Forget, PrepareStandby, Load, AcquireResources, ReleaseResources, Run,
                            TellLoaded, TellLoadFailed, TellTookOver, EndGuest, Exit, RunReplica,
                            EndReplica, HoldReplica, TellReplicaRuns, TellReplicaLost>;

}  // namespace colo::secondary
