// What the primary's core hears and what it orders. Events are facts (they cannot be refused) or
// requests (they can, with a reason). Actions are executed in their order; where one must wait for
// another to end, the core gives it out only after the event that says so.
#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "base/result.h"
#include "base/types.h"
#include "heartbeat/arbiter.h"

namespace colo::primary {

// Counts the secondaries that joined. Events of an ended session are ignored.
using Session = Ordinal<struct SessionTag>;

// --- facts -------------------------------------------------------------------------------------
struct ClaimAnswered {
  heartbeat::ClaimAnswer answer;
};
struct ClaimUnanswered {
  Error error;
};
struct GuestRuns {};  // BootGuest was done
struct GuestFailed {  // BootGuest or PauseGuest failed
  Error error;
};
struct GuestEnded {
  std::string reason;
  bool by_guest = false;  // it shut itself down
};
struct BulkAttached {
  Session session;
};
// A running pass ended: so many pages were found dirty and handed to the bulk lane.
struct PassEnded {
  Session session;
  std::uint64_t pages = 0;
};
// The standstill of this checkpoint is over; what is left is to send it. Until then the guest's own
// time-outs bound it: a guest that hangs must not cost the secondary that can take it over.
struct StandstillEnded {
  Session session;
  Epoch epoch;
};
// The guest runs again; the checkpoint's last byte was handed to the bulk lane.
struct Captured {
  Session session;
  Epoch epoch;
};
// The guest runs again; the checkpoint was given up, its epoch stays open.
struct CaptureFailed {
  Session session;
  Epoch epoch;
  Error error;
};
struct CommitAcknowledged {
  Session session;
  Generation generation;
  Epoch epoch;
};
// The lane ended, the heartbeat is silent, or the peer said goodbye.
struct PeerLost {
  Session session;
  Error error;
};
struct HoldFull {};
struct Tick {};

// --- requests ----------------------------------------------------------------------------------
struct PeerAsks {  // a secondary whose hello agrees with us wants to join
  Session session;
  std::string host;
};
struct CheckpointAsked {};
struct DelaySet {
  Duration delay;
};
struct StopAsked {};

using Event =
    std::variant<ClaimAnswered, ClaimUnanswered, GuestRuns, GuestFailed, GuestEnded, BulkAttached,
                 PassEnded, StandstillEnded, Captured, CaptureFailed, CommitAcknowledged, PeerLost,
                 HoldFull, Tick, PeerAsks, CheckpointAsked, DelaySet, StopAsked>;

// --- actions -----------------------------------------------------------------------------------
// What touches the guest or opens its output (BootGuest, SendPass, Capture, ReleaseAll, DropHeld,
// PauseGuest, EndGuest) is executed one after the other: a ReleaseAll that overtook the Capture
// in front of it would be undone by that capture's cut. The others need not wait for them.
// Ask the arbiter; answer with ClaimAnswered or ClaimUnanswered, exactly once.
struct StartClaim {
  Generation from;
  bool nobody = false;  // the guest has ended on purpose: claim it for nobody
};
struct BootGuest {};
struct AcceptPeer {
  Session session;
  Generation generation;
};
struct RefusePeer {
  Session session;
  Error error;
};
// Scan while the guest runs and send what is dirty ahead, as part of `epoch`. Answer: PassEnded.
// The first pass of a session starts the tracking, so everything is dirty.
struct SendPass {
  Session session;
  Epoch epoch;
  bool first = false;
};
// Stop the guest, take checkpoint `epoch`, cut the output, let the guest run, send the rest.
// begins_hold: the first checkpoint of a session; output is held from its cut on (L1).
struct Capture {
  Session session;
  Epoch epoch;
  bool begins_hold = false;
};
// Frames up to this epoch may leave: its checkpoint is committed on the secondary.
struct Release {
  Epoch up_to;
};
struct ReleaseAll {};  // solo: this side alone owns the guest
struct DropHeld {};
struct PauseGuest {};
struct EndGuest {};  // also where no guest was booted yet; reports no GuestEnded
// trouble: this side lives on and claims; leaving: it does not, take over; guest_ends: the guest
// was ended on purpose, nobody takes over.
enum class Farewell { trouble, leaving, guest_ends };
struct EndSession {
  Session session;
  std::string reason;
  Farewell farewell = Farewell::trouble;
};
struct TellGuestEnded {
  Session session;
  std::string reason;
  bool by_guest = false;
};
struct Exit {};

using Action =
    std::variant<StartClaim, BootGuest, AcceptPeer, RefusePeer, SendPass, Capture, Release,
                 ReleaseAll, DropHeld, PauseGuest, EndGuest, EndSession, TellGuestEnded, Exit>;

}  // namespace colo::primary
