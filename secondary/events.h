// What the secondary's core hears and what it orders. See primary/events.h for facts and requests.
#pragma once

#include <string>
#include <variant>

#include "base/result.h"
#include "base/types.h"
#include "heartbeat/arbiter.h"

namespace colo::secondary {

// Counts the sessions with a primary. Events of an ended session are ignored.
using Session = Ordinal<struct SecondarySessionTag>;

// --- facts -------------------------------------------------------------------------------------
struct Joined {  // welcomed, bulk lane attached: checkpoints may arrive
  Session session;
  std::string host;
  Generation generation;
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
struct Loaded {};
struct LoadFailed {
  Error error;
};
struct GuestRuns {};
struct StandbyReady {};
// It could not be started, or it ended before it was needed. The end of one that PrepareStandby
// replaced is not reported.
struct StandbyFailed {
  Error error;
};
struct Tick {};

// --- requests ----------------------------------------------------------------------------------
struct TakeoverAsked {};
struct StopAsked {};

using Event =
    std::variant<Joined, JoinFailed, StagedComplete, Flushed, FlushFailed, PeerGone, PeerSuspected,
                 PeerHeard, ClaimAnswered, ClaimUnanswered, Loaded, LoadFailed, GuestRuns,
                 StandbyReady, StandbyFailed, Tick, TakeoverAsked, StopAsked>;

// --- actions -----------------------------------------------------------------------------------
struct Join {};  // dial the primary once; answer: Joined or JoinFailed
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
  bool nobody = false;  // the operator stopped the takeover: give up what was won
};
// No byte of that session is taken any more; what was staged is dropped. Done before it returns.
struct EndSession {
  Session session;
  std::string reason;  // told to the peer if it still listens
};
struct Forget {};          // drop the committed checkpoint too: the claim was lost
struct PrepareStandby {};  // start a (new) standby guest; answer: StandbyReady or StandbyFailed
struct Load {};            // device state into the standby; answer: Loaded or LoadFailed
// Open the output, resume, announce; answer: GuestRuns or LoadFailed. LoadFailed only if the guest
// did not run at all: what it sent must stay part of its past (L1).
struct Run {
  Generation generation;
};
struct EndGuest {};
struct Exit {};

using Action = std::variant<Join, Commit, Acknowledge, StartFlush, StartClaim, EndSession, Forget,
                            PrepareStandby, Load, Run, EndGuest, Exit>;

}  // namespace colo::secondary
