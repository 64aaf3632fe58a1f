// The primary's side of a simulated engine: COLO mode, as app/engine_primary_colo.cpp does.

#include "tests/sim/primary_side.h"
#include "tests/sim/world.h"

namespace colo::sim {

void PrimarySide::execute(const primary::StartComparing& action) {
  if (session(action.session) == nullptr) return;
  session_->compares = true;
  engine_.guest_worker.post({}, [this] { engine_.gate.compare(); });
}

void PrimarySide::execute(const primary::StopComparing& action) {
  if (session(action.session) == nullptr) return;
  session_->compares = false;
  engine_.guest_worker.post({}, [this] { engine_.gate.compare_not(); });
}

void PrimarySide::execute(const primary::TellMode& action) {
  if (session(action.session) != nullptr) send(wire::Kind::mode, action.from, action.colo);
}

// --- the gate's words ----------------------------------------------------------------------------

void PrimarySide::epoch_began(Epoch tag, const Bytes& flows) {
  if (!session_ || !session_->bulk || tag == Epoch{0}) return;
  send(wire::Kind::flows, tag.previous(), false, flows);
}

void PrimarySide::inbound(Epoch tag, const Bytes& frame) {
  if (session_ && session_->compares) send(wire::Kind::packets, tag, false, frame);
}

void PrimarySide::checkpoint_wanted(Epoch tag, primary::CheckpointReason reason) {
  if (!session_ || !session_->compares) return;
  feed(primary::CompareAsked{session_->number, tag, reason});
}

// --- the secondary's words -----------------------------------------------------------------------

// What the peer acknowledged or compared before must not leave now, behind what its own guest may
// say since.
bool PrimarySide::stood_still(primary::Session number) {
  if (!engine_.stood_still()) return false;
  lose(number, {"stood-still", "this engine stood still for longer than lost_after", ""}, false);
  return true;
}

bool PrimarySide::on_replica_word(primary::Session number, const Message& message) {
  switch (message.kind) {
    case wire::Kind::packets:
      if (stood_still(number)) return true;
      if (session_->compares) engine_.gate.replica_frame(message.epoch, message.frame);
      return true;
    case wire::Kind::replica_runs:
      if (session_->compares) engine_.gate.replica_runs(message.epoch.next());
      if (engine_.rewrites()) world_.reach.mark(Mark::replica_protected);
      feed(primary::ReplicaRuns{number, message.epoch});
      return true;
    case wire::Kind::replica_lost:
      feed(primary::ReplicaLost{number, {"replica-lost", "there", ""}});
      return true;
    case wire::Kind::ask:
      feed(primary::PeerAsksCheckpoint{number, message.epoch, "it wrote too much"});
      return true;
    default:
      return false;
  }
}

}  // namespace colo::sim
