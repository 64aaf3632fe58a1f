// What the primary's core hears and what it orders. Events are facts (they cannot be refused) or
// requests (they can, with a reason). Actions are executed in their order; where one must wait for
// another to end, the core gives it out only after the event that says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include "base/result.h"
#include "base/types.h"
#include "heartbeat/arbiter.h"
#include "heartbeat/claim_for.h"

namespace colo::primary {

// Counts the secondaries that joined. Events of an ended session are ignored.
using Session = Ordinal<struct SessionTag>;

// --- facts -------------------------------------------------------------------------------------
struct ClaimAnswered {
  heartbeat::ClaimAnswer answer;
  // Lost, but to this host and this very run: the guest was given back to us meanwhile.
  bool ours = false;
};
struct ClaimUnanswered {
  Error error;
};
struct GuestRuns {};  // BootGuest was done
struct GuestFailed {  // BootGuest, ResumeGuest or PauseGuest failed
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
  // Its engine or this session is over for good: it closed the control lane itself, or said
  // goodbye. Silence, our own verdict on what arrived and the peer's "closed" are not certain: it
  // may return.
  bool certain = false;
};
// The peer has loaded checkpoint `epoch` and waits for our word, or cannot.
struct PeerLoaded {
  Session session;
  Epoch epoch;
};
struct PeerLoadFailed {
  Session session;
  Epoch epoch;
  Error error;
};
// It won its claim after our TellGo.
struct PeerTookOver {
  Session session;
};
// A heartbeat says that the peer owns this generation and its guest runs there. Fed as often as it
// is heard, with or without a session.
struct PeerRuns {
  Generation generation;
};
// The answer to ReadOwnership. ours: its owner is this host and this very run.
struct OwnershipRead {
  heartbeat::Ownership ownership;
  bool ours = false;
};
struct OwnershipUnread {
  Error error;
};
// The answer to AcquireResources.
struct Acquired {};
struct AcquireFailed {
  Error error;
};
struct HoldFull {};
// COLO mode. Why a checkpoint was begun; counted by Core::checkpoints().
enum class CheckpointReason {
  first,       // of a session
  interval,    // it was due: the delay, or in COLO mode the longest interval
  different,   // the guests said different things
  silence,     // one said what the other did not, for too long
  full,        // a bound: of the hold queue, or of what is compared
  peer_asked,  // the secondary's guest has overwritten nearly as much as may be
  asked,       // by the operator, or for a switchover
  mode,        // the mode was changed
};
inline constexpr std::size_t checkpoint_reasons = 8;
// What the comparator asks for. open: the epoch that was open when it did; an ask of an epoch that
// is being captured, or was, is late and changes nothing.
struct CompareAsked {
  Session session;
  Epoch open;
  CheckpointReason reason = CheckpointReason::different;  // different, silence or full
};
// The incarnation of checkpoint `epoch` runs on the secondary. (Whoever compares is told by the
// engine, at once and without the core.)
struct ReplicaRuns {
  Session session;
  Epoch epoch;
};
// The secondary's guest ended, hangs or fell behind: it has nothing to take over from any more.
struct ReplicaLost {
  Session session;
  Error error;
};
// The secondary wants its incarnation `epoch` replaced.
struct PeerAsksCheckpoint {
  Session session;
  Epoch epoch;
  std::string reason;
};
struct Tick {};

// --- requests ----------------------------------------------------------------------------------
// What a secondary that asks to join holds of our last lineage (see SendPass). Given only if the
// hello named that very lineage and it can still be gone on with. Epoch 0: part of the first copy.
struct Held {
  Generation generation;  // in which that checkpoint was committed
  Epoch epoch;
};
struct PeerAsks {  // a secondary whose hello agrees with us wants to join
  Session session;
  std::string host;
  std::optional<Held> held{};
};
struct CheckpointAsked {};
struct DelaySet {
  Duration delay;
};
// periodic: output waits for checkpoints. colo: the secondary's guest runs too, and what both say
// leaves at once. automatic: colo, with times of periodic where that does not pay.
enum class Mode { periodic, colo, automatic };
struct ModeSet {
  Mode mode = Mode::periodic;
};
struct SwitchoverAsked {};  // hand the guest over to the secondary, both being well
// Lost: go on with the guest that is kept here, whatever the owner did with its own since. For an
// owner that is dead before it sent a checkpoint; only the operator can know that.
struct TakeoverAsked {};
struct StopAsked {};

using Event =
    std::variant<ClaimAnswered, ClaimUnanswered, GuestRuns, GuestFailed, GuestEnded, BulkAttached,
                 PassEnded, StandstillEnded, Captured, CaptureFailed, CommitAcknowledged, PeerLost,
                 PeerLoaded, PeerLoadFailed, PeerTookOver, PeerRuns, OwnershipRead, OwnershipUnread,
                 Acquired, AcquireFailed, HoldFull, Tick, PeerAsks, CheckpointAsked, DelaySet,
                 SwitchoverAsked, TakeoverAsked, StopAsked, CompareAsked, ReplicaRuns, ReplicaLost,
                 PeerAsksCheckpoint, ModeSet>;

// --- actions -----------------------------------------------------------------------------------
// What touches the guest or opens its output (BootGuest, SendPass, Capture, CaptureAndStay,
// ReleaseAll, DropHeld, PauseGuest, ResumeGuest, EndGuest, StartComparing, StopComparing) is
// executed one after the other: a ReleaseAll that overtook the Capture in front of it would be
// undone by that capture's cut. The others need not wait for them.
using heartbeat::For;
// Ask the arbiter; answer with ClaimAnswered or ClaimUnanswered, exactly once.
struct StartClaim {
  Generation from;
  For for_whom = For::me;  // never peer here
};
// Ask the arbiter who owns the guest; answer with OwnershipRead or OwnershipUnread, exactly once.
struct ReadOwnership {};
// Before its resume the engine acquires the resources (hooks); a hook that fails is GuestFailed.
struct BootGuest {};
// base: the session goes on from the checkpoint of that number, which the peer holds (0: from what
// it has of the first copy); told in the welcome. Empty: a whole copy, and a new lineage.
struct AcceptPeer {
  Session session;
  Generation generation;
  std::optional<Epoch> base{};
};
struct RefusePeer {
  Session session;
  Error error;
};
// Scan while the guest runs and send what is dirty ahead, as part of `epoch`. Answer: PassEnded.
// The first pass of a session begins it: without a base it starts the tracking, so everything is
// dirty, and with it a new lineage: all that is needed to send only a difference, kept over the
// ends of sessions. With a base it goes on with the last lineage, from that checkpoint.
struct SendPass {
  Session session;
  Epoch epoch;
  bool first = false;
  std::optional<Epoch> base{};  // only with first
};
// Stop the guest, take checkpoint `epoch`, cut the output, let the guest run, send the rest.
// begins_hold: the first checkpoint of a session; output is held from its cut on (L1), if it was
// not held already.
struct Capture {
  Session session;
  Epoch epoch;
  bool begins_hold = false;
};
// A Capture after which the guest stays stopped, to be handed over. Where the capture fails the
// guest runs again, as after a Capture.
struct CaptureAndStay {
  Session session;
  Epoch epoch;
};
// Frames up to this epoch may leave: its checkpoint is committed on the secondary.
struct Release {
  Epoch up_to;
};
// COLO mode: from the cut of `epoch` on (the Capture that follows, or where that fails the next one
// that does not) output is compared and inbound frames go to the secondary too, both tagged with
// the epoch that is open then; Comparator::cut() at each cut, committed() behind each Release.
struct StartComparing {
  Session session;
  Epoch epoch;
};
// Nothing leaves by comparison any more, nothing goes to the secondary's guest:
// Comparator::reset(). What is held waits for its commit or for a claim. Given out before the end
// of such a session.
struct StopComparing {
  Session session;
};
struct ReleaseAll {};  // solo: this side alone owns the guest. Opens what DropHeld closed.
struct DropHeld {};
struct PauseGuest {};
struct ResumeGuest {};  // after CaptureAndStay or PauseGuest; harmless where the guest runs
struct EndGuest {};     // also where no guest was booted yet; reports no GuestEnded
// The hooks. Acquire answers with Acquired or AcquireFailed, exactly once, and goes on from the
// hook that failed; release runs in reverse for what was acquired, fails quietly and answers
// nothing. The two are executed one after the other.
struct AcquireResources {};
struct ReleaseResources {};
// trouble: this side lives on, claims or waits for the peer to come back; leaving: it does not,
// take over; guest_ends: the guest was ended on purpose, nobody takes over.
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
// The switchover's words to the peer: load this checkpoint; claim and run; forget it, the guest
// goes on here.
struct TellHandover {
  Session session;
  Epoch epoch;
};
struct TellGo {
  Session session;
};
struct TellCancel {
  Session session;
  std::string reason;
};
// Checkpoints from `from` on are run as replicas (colo), or only stood by for. Until it is told, a
// session's checkpoints are stood by for. reason: for people.
struct TellMode {
  Session session;
  Epoch from;
  bool colo = false;
  std::string reason;
};
// This side is over, its guest is gone, the peer's runs: go on as its secondary.
struct BecomeSecondary {};
struct Exit {};

using Action = std::variant<StartClaim, ReadOwnership, BootGuest, AcceptPeer, RefusePeer, SendPass,
                            Capture, CaptureAndStay, Release, ReleaseAll, DropHeld, PauseGuest,
                            ResumeGuest, EndGuest, AcquireResources, ReleaseResources, EndSession,
                            TellGuestEnded, TellHandover, TellGo, TellCancel, BecomeSecondary, Exit,
                            StartComparing, StopComparing, TellMode>;

}  // namespace colo::primary
