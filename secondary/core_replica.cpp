// The secondary's core, part seven: COLO mode, the replica.
//
// It is replaced, never reset: the old process is killed, the memory brought to the new checkpoint,
// the standby that waits beside it loads and runs, and the next standby is prepared. An incarnation
// runs once: what it said is in its own past alone, so no second one can be loaded from that
// checkpoint (L1).

#include <utility>

#include "secondary/core.h"

namespace colo::secondary {

bool Core::runs_committed() const {
  return replica_ && replica_->step == Replica::Step::running && replica_->epoch == committed_;
}

bool Core::spent() const {
  return committed_ != Epoch{0} && ran_ == committed_ && !runs_committed();
}

bool Core::wants_replica() const {
  return colo_ && committed_ != Epoch{0} && committed_ >= mode_from_ && ran_ != committed_;
}

// From whatever is true now to the next step towards a replica of the committed checkpoint. While
// the primary is suspected nothing is begun: a loaded checkpoint is as good for a takeover, and can
// be loaded again.
void Core::follow(Instant now, Actions& actions) {
  if (!std::holds_alternative<Standby>(state_) || !wants_replica()) return;
  if (replica_ || loading_ || flushing_) return;
  if (loaded_ != Epoch{0} && !loaded()) replace_if_used(actions);
  if (!standby_ready_) return;
  if (!standby_private_) return fit_standby(actions);
  if (loaded()) {
    replica_ = Replica{committed_, Replica::Step::starting};
    standby_changed(false);  // its place is empty; the next one is prepared once this one runs
    actions.push_back(RunReplica{committed_});
  } else if (flushed_ != committed_) {
    flush(actions);
  } else {
    load(actions);
  }
  static_cast<void>(now);
}

void Core::end_replica(Actions& actions) {
  if (!replica_ || replica_->step == Replica::Step::ending) return;
  // One that was told to run may have run.
  ran_ = replica_->epoch;
  replica_->step = Replica::Step::ending;
  actions.push_back(EndReplica{});
}

// A standby of the wrong memory is replaced while nothing depends on it (a first copy goes straight
// into it).
void Core::fit_standby(Actions& actions) {
  if (!std::holds_alternative<Standby>(state_) || !standby_ready_ || loading_ ||
      standby_private_ == private_wanted_)
    return;
  standby_changed(false);
  prepare_standby(actions);
}

void Core::tell_replica(Actions& actions) {
  const auto* standby = std::get_if<Standby>(&state_);
  if (standby == nullptr || !runs_committed() || told_ == committed_) return;
  told_ = committed_;
  actions.push_back(TellReplicaRuns{standby->session, committed_});
}

// The checkpoint is untouched: it is tried once more with a fresh standby.
void Core::fail_replica(const Error& error, Instant now, Actions& actions) {
  if (++replica_failures_ >= config_.replica_attempts) return lose_replica(error, now, actions);
  prepare_standby(actions);
}

// Whoever counts on us must know at once.
void Core::lose_replica(const Error& error, Instant now, Actions& actions) {
  stop_dialling(actions);
  const std::string primary = host();
  if (const auto current = session()) {
    const auto* suspecting = std::get_if<Suspecting>(&state_);
    const bool closed = suspecting != nullptr && suspecting->lane_closed;
    if (!closed) actions.push_back(TellReplicaLost{*current, error});
    actions.push_back(EndSession{*current, error.text(), /*returns=*/true});
  }
  if (!spent()) {
    // It never ran, so nobody has gone on from it: should the primary be lost right now, it is all
    // there is (L3). The primary was told, and claims long before this side does.
    Suspecting suspecting;
    suspecting.host = primary;
    suspecting.cause = error;
    suspecting.until = now + config_.lost_after + config_.grace + config_.head_start;
    suspecting.lane_closed = true;
    state_ = std::move(suspecting);
    if (lacks_standby()) prepare_standby(actions);
    return;
  }
  keeps_ = Keeps::base;
  rejoin("the replica was lost: " + error.text(), now, actions);
}

void Core::on(const ModeTold& event, Instant now, Actions& actions) {
  if (session() != event.session) return;
  colo_ = event.colo;
  mode_from_ = event.from;
  // Back to standing by: a replica that runs is good until the next commit.
  if (!colo_) return;
  private_wanted_ = true;
  fit_standby(actions);
  follow(now, actions);
}

void Core::on(const ReplicaRuns&, Instant, Actions& actions) {
  if (!replica_ || replica_->step != Replica::Step::starting) return;
  if (std::holds_alternative<Ended>(state_)) return;
  replica_->step = Replica::Step::running;
  ran_ = replica_->epoch;
  if (auto* takeover = std::get_if<TakingOver>(&state_)) return advance(*takeover, actions);
  if (auto* handing = std::get_if<HandingOver>(&state_)) advance(*handing, actions);
  tell_replica(actions);
  if (lacks_standby()) prepare_standby(actions);
}

void Core::on(const ReplicaFailed& event, Instant now, Actions& actions) {
  if (!replica_ || replica_->step != Replica::Step::starting) return;
  replica_.reset();
  if (std::holds_alternative<Ended>(state_)) return;
  if (auto* takeover = std::get_if<TakingOver>(&state_)) {
    try_again(*takeover, event.error.text(), actions);
  } else if (std::holds_alternative<Standby>(state_)) {
    fail_replica(event.error, now, actions);
  } else {
    if (lacks_standby()) prepare_standby(actions);
    if (std::holds_alternative<HandingOver>(state_)) fail_handover(event.error, now, actions);
  }
}

void Core::on(const ReplicaEnded& event, Instant now, Actions& actions) {
  if (!replica_) return;
  const bool asked = replica_->step == Replica::Step::ending;
  if (!asked) ran_ = replica_->epoch;
  replica_.reset();
  if (std::holds_alternative<Ended>(state_)) return;
  auto* takeover = std::get_if<TakingOver>(&state_);
  auto* handing = std::get_if<HandingOver>(&state_);
  if (takeover != nullptr) {
    if (asked) return advance(*takeover, actions);
    try_again(*takeover, event.error.text(), actions);
  } else if (asked) {
    if (handing != nullptr) return advance(*handing, actions);
    flush(actions);
    follow(now, actions);
    on(Tick{}, now, actions);  // a Join may have waited for it
  } else if (std::holds_alternative<Standby>(state_) || handing != nullptr ||
             std::holds_alternative<Suspecting>(state_)) {
    lose_replica(event.error, now, actions);
  }
  // Claiming: its answer tells what becomes of a claim to nothing.
}

}  // namespace colo::secondary
