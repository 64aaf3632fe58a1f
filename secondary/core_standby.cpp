// The secondary's core, part two: the standby guest, and what is flushed and loaded into it.
//
// A standby that has loaded a checkpoint is good for that one only: a device model is loaded once
// in its life, and a flush would mix two checkpoints in it (L2). While a load is under way nothing
// else touches the standby, whatever happens to the session that asked for it.

#include <utility>

#include "secondary/core.h"

namespace colo::secondary {

void Core::tick_standby(Instant now, Actions& actions) {
  if (lacks_standby() && (!standby_retry_ || now >= *standby_retry_)) prepare_standby(actions);
  if (flush_retry_ && now >= *flush_retry_) {
    flush_retry_.reset();
    flush(actions);
  }
}

bool Core::lacks_standby() const {
  // While taking over, advance() and try_again() see to it.
  const bool starting = replica_ && replica_->step == Replica::Step::starting;
  return !standby_ready_ && !preparing_ && !loading_ && !starting &&
         !std::holds_alternative<TakingOver>(state_) && !std::holds_alternative<GivingBack>(state_);
}

void Core::prepare_standby(Actions& actions) {
  standby_retry_.reset();
  preparing_ = true;
  standby_private_ = private_wanted_;
  actions.push_back(PrepareStandby{standby_private_});
}

void Core::standby_changed(bool ready) {
  preparing_ = false;
  standby_ready_ = ready;
  // A fresh process has nothing of the memory that lives in it: it is flushed again.
  flushed_ = Epoch{0};
  flush_void_ = flushing_;
  loaded_ = Epoch{0};
}

void Core::replace_if_used(Actions& actions) {
  if (loaded_ == Epoch{0} || loading_) return;
  standby_changed(false);
  prepare_standby(actions);
}

void Core::on(const StandbyReady&, Instant now, Actions& actions) {
  standby_changed(true);
  if (std::holds_alternative<Ended>(state_)) return;
  if (auto* joining = std::get_if<Joining>(&state_)) {
    if (!joining->asking) joining->retry = now;
    on(Tick{}, now, actions);
  } else if (auto* takeover = std::get_if<TakingOver>(&state_)) {
    advance(*takeover, actions);
  } else if (auto* handing = std::get_if<HandingOver>(&state_)) {
    advance(*handing, actions);
  } else {
    if (auto* suspecting = std::get_if<Suspecting>(&state_);
        suspecting != nullptr && suspecting->until == Instant::max()) {
      suspecting->until = now + config_.lost_after + config_.grace + config_.head_start;
      suspecting->redial = now;
      on(Tick{}, now, actions);
    }
    fit_standby(actions);
    flush(actions);
    follow(now, actions);
  }
}

void Core::on(const StandbyFailed& event, Instant now, Actions& actions) {
  standby_changed(false);
  if (auto* takeover = std::get_if<TakingOver>(&state_)) {
    // Loading and resuming are answered with LoadFailed, acquiring with Acquired; failed waits for
    // the operator.
    const bool waiting = takeover->step == Step::flushing || takeover->step == Step::preparing;
    if (waiting) try_again(*takeover, event.error.text(), actions);
    return;
  }
  standby_retry_ = now + config_.standby_retry;
  if (auto* joining = std::get_if<Joining>(&state_)) joining->trouble = event.error.text();
  if (std::holds_alternative<HandingOver>(state_)) fail_handover(event.error, now, actions);
}

void Core::flush(Actions& actions) {
  const bool wanted =
      std::holds_alternative<Standby>(state_) || std::holds_alternative<Suspecting>(state_) ||
      std::holds_alternative<HandingOver>(state_) || std::holds_alternative<Claiming>(state_) ||
      std::holds_alternative<TakingOver>(state_);
  // Without a standby there is nothing to flush into; StandbyReady flushes all of it.
  if (!wanted || !standby_ready_ || flushing_ || loading_ || loaded_ != Epoch{0}) return;
  if (committed_ == Epoch{0} || flushed_ == committed_) return;
  // A replica that runs is that of this checkpoint: all that is left to flush is the memory that
  // lives in the fresh standby beside it. One that ends runs on the memory of the checkpoint
  // before.
  if (replica_ && replica_->step != Replica::Step::running) return;
  flushing_ = true;
  flush_retry_.reset();
  actions.push_back(StartFlush{});
}

void Core::on(const Flushed& event, Instant now, Actions& actions) {
  flushing_ = false;
  if (!std::exchange(flush_void_, false)) flushed_ = event.epoch;
  if (std::holds_alternative<Ended>(state_)) return;
  if (auto* takeover = std::get_if<TakingOver>(&state_)) {
    advance(*takeover, actions);
  } else if (auto* handing = std::get_if<HandingOver>(&state_)) {
    advance(*handing, actions);
  } else {
    flush(actions);
    follow(now, actions);
    on(Tick{}, now, actions);  // a Join may have waited for it
  }
}

void Core::on(const FlushFailed& event, Instant now, Actions& actions) {
  flushing_ = false;
  const bool into_the_standby = !std::exchange(flush_void_, false);
  auto* takeover = std::get_if<TakingOver>(&state_);
  if (takeover == nullptr) {
    flush_retry_ = now + config_.flush_retry;
    on(Tick{}, now, actions);
  } else if (takeover->step == Step::flushing && into_the_standby) {
    // Counted, so that a flush which cannot succeed ends before the operator instead of never.
    try_again(*takeover, event.error.text(), actions);
  } else {
    advance(*takeover, actions);
  }
}

void Core::load(Actions& actions) {
  loading_ = committed_;
  actions.push_back(Load{});
}

void Core::on(const Loaded&, Instant now, Actions& actions) {
  if (!loading_) return;
  loaded_ = *std::exchange(loading_, std::nullopt);
  if (auto* takeover = std::get_if<TakingOver>(&state_)) {
    advance(*takeover, actions);
  } else if (auto* handing = std::get_if<HandingOver>(&state_)) {
    advance(*handing, actions);
  } else if (std::holds_alternative<Standby>(state_) && wants_replica()) {
    follow(now, actions);
  } else if (!std::holds_alternative<Ended>(state_) && !takes_it()) {
    replace_if_used(actions);
    on(Tick{}, now, actions);
  }
}

// Whoever suspects or claims may soon run what is loaded.
bool Core::takes_it() const {
  return loaded() &&
         (std::holds_alternative<Suspecting>(state_) || std::holds_alternative<Claiming>(state_));
}

void Core::on(const LoadFailed& event, Instant now, Actions& actions) {
  auto* takeover = std::get_if<TakingOver>(&state_);
  const bool loading = loading_.has_value();
  const bool of_replica = loading_ == committed_ && wants_replica();
  loading_.reset();
  if (takeover != nullptr) {
    const bool answers = loading || takeover->step == Step::resuming;
    if (takeover->step == Step::resuming) replica_.reset();  // it ended, if it was one
    if (answers) try_again(*takeover, event.error.text(), actions);
    return;
  }
  if (!loading || std::holds_alternative<Ended>(state_)) return;
  standby_changed(false);
  if (of_replica && std::holds_alternative<Standby>(state_)) {
    return fail_replica(event.error, now, actions);
  }
  prepare_standby(actions);
  if (std::holds_alternative<HandingOver>(state_)) fail_handover(event.error, now, actions);
  on(Tick{}, now, actions);
}

}  // namespace colo::secondary
