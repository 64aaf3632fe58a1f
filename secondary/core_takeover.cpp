// The secondary's core, part four: the claim and the takeover.

#include <utility>

#include "base/check.h"
#include "secondary/core.h"

namespace colo::secondary {

void Core::claim(std::string cause, std::string farewell, Actions& actions) {
  COLO_CHECK(committed_ != Epoch{0});
  // First of all nothing is acknowledged any more: from here on the primary can release nothing
  // beyond the checkpoint that a won claim takes over from.
  stop_dialling(actions);
  if (const auto current = session()) actions.push_back(EndSession{*current, std::move(farewell)});
  state_ = Claiming{std::move(cause), std::nullopt, {}, std::nullopt};
  actions.push_back(StartClaim{generation_});
}

// Nothing is acknowledged from here on either: in Claiming the session's events are not heard.
void Core::claim_quietly(std::string cause, bool switchover, Actions& actions) {
  COLO_CHECK(session() && committed_ != Epoch{0});
  state_ = Claiming{std::move(cause), std::nullopt, {}, session(), true, switchover};
  // Nor does the replica say more: from a won claim on nobody may speak for the primary.
  if (replica_ && replica_->step != Replica::Step::ending) actions.push_back(HoldReplica{});
  actions.push_back(StartClaim{generation_});
}

void Core::end_open_session(Actions& actions) {
  auto* claiming = std::get_if<Claiming>(&state_);
  if (claiming == nullptr || !claiming->open) return;
  actions.push_back(EndSession{*claiming->open, claiming->cause});
  claiming->open.reset();
}

void Core::on(const ClaimAnswered& event, Instant now, Actions& actions) {
  if (std::holds_alternative<Ended>(state_)) return answered_after_stop(&event.answer, actions);
  const auto* won = std::get_if<heartbeat::ClaimWon>(&event.answer);
  if (auto* giving = std::get_if<GivingBack>(&state_)) {
    if (giving->releasing || giving->retry) return;  // none of ours is under way
    if (won != nullptr) return given_back(won->generation, now, actions);
  } else if (auto* claiming = std::get_if<Claiming>(&state_)) {
    if (claiming->retry) return;
    if (won != nullptr) return take_over(won->generation, actions);
    end_open_session(actions);
  } else {
    return;
  }
  // Somebody else's guest goes on, beyond what is held here.
  const auto& current = std::get<heartbeat::ClaimLost>(event.answer).current;
  keeps_ = Keeps::base;
  rejoin((current.owner.empty() ? "nobody" : current.owner) + std::string(" owns generation ") +
             std::to_string(current.generation.value),
         now, actions);
}

void Core::take_over(Generation generation, Actions& actions) {
  COLO_CHECK(generation == generation_.next());
  auto& claiming = std::get<Claiming>(state_);
  if (claiming.switchover && claiming.open) actions.push_back(TellTookOver{*claiming.open});
  end_open_session(actions);
  generation_ = generation;
  TakingOver takeover;
  takeover.cause = std::move(claiming.cause);
  takeover.quiet = claiming.quiet;
  takeover.switchover = claiming.switchover;
  state_ = std::move(takeover);
  advance(std::get<TakingOver>(state_), actions);
}

void Core::on(const ClaimUnanswered& event, Instant now, Actions& actions) {
  if (std::holds_alternative<Ended>(state_)) return answered_after_stop(nullptr, actions);
  if (auto* claiming = std::get_if<Claiming>(&state_)) {
    end_open_session(actions);
    claiming->retry = now + config_.claim_retry;
    claiming->trouble = event.error.text();
  } else if (auto* giving = std::get_if<GivingBack>(&state_);
             giving != nullptr && !giving->releasing) {
    giving->retry = now + config_.claim_retry;
    giving->trouble = event.error.text();
  }
}

// From whatever is true now to the next step; called whenever something became true.
void Core::advance(TakingOver& takeover, Actions& actions) {
  if (takeover.step == Step::failed || takeover.step == Step::acquiring ||
      takeover.step == Step::resuming) {
    return;
  }
  if (spent()) {
    takeover.step = Step::failed;
    if (takeover.trouble.empty()) takeover.trouble = "the replica ended";
    return;
  }
  if (loading_ || (replica_ && replica_->step == Replica::Step::starting)) {
    takeover.step = Step::loading;
    return;
  }
  if (runs_committed()) return run(takeover, actions);
  if (replica_) {  // the last checkpoint's; its end goes on
    takeover.step = Step::flushing;
    return;
  }
  if (loaded_ != committed_) replace_if_used(actions);
  if (!standby_ready_) {
    takeover.step = Step::preparing;
    if (!preparing_) prepare_standby(actions);
  } else if (loaded()) {
    run(takeover, actions);
  } else if (flushed_ != committed_) {
    takeover.step = Step::flushing;
    flush(actions);
  } else {
    takeover.step = Step::loading;
    load(actions);
  }
}

void Core::run(TakingOver& takeover, Actions& actions) {
  if (takeover.acquired) {
    takeover.step = Step::resuming;
    actions.push_back(Run{generation_, runs_committed()});
  } else {
    takeover.step = Step::acquiring;
    actions.push_back(AcquireResources{});
  }
}

void Core::on(const Acquired&, Instant, Actions& actions) {
  auto* takeover = std::get_if<TakingOver>(&state_);
  if (takeover == nullptr || takeover->step != Step::acquiring) return;
  takeover->acquired = true;
  if (loaded() || runs_committed()) {
    run(*takeover, actions);
  } else {
    try_again(*takeover, "the loaded guest ended before it could run", actions);
  }
}

// Nothing is killed: what is loaded stays, and only the hooks are tried again.
void Core::on(const AcquireFailed& event, Instant, Actions&) {
  auto* takeover = std::get_if<TakingOver>(&state_);
  if (takeover == nullptr || takeover->step != Step::acquiring) return;
  takeover->step = Step::failed;
  takeover->trouble = event.error.text();
}

// A standby whose load failed is of no further use; the checkpoint is untouched (L3).
void Core::try_again(TakingOver& takeover, std::string trouble, Actions& actions) {
  takeover.trouble = std::move(trouble);
  if (spent()) {
    takeover.step = Step::failed;
    return;
  }
  standby_changed(false);
  if (takeover.attempt >= config_.load_attempts) {
    takeover.step = Step::failed;
    return;
  }
  ++takeover.attempt;
  takeover.step = Step::preparing;
  advance(takeover, actions);
}

void Core::on(const GuestRuns&, Instant, Actions&) {
  auto* takeover = std::get_if<TakingOver>(&state_);
  if (takeover == nullptr || takeover->step != Step::resuming) return;
  state_ = Live{std::move(takeover->cause)};
}

void Core::on(const TakeoverAsked&, Instant now, Actions& actions) {
  const std::string cause = "takeover asked by the operator";
  if (std::holds_alternative<Standby>(state_) || std::holds_alternative<HandingOver>(state_)) {
    claim_quietly(cause, /*switchover=*/false, actions);
    return;
  }
  const bool last_resort = std::holds_alternative<Joining>(state_) && keeps_ == Keeps::last_resort;
  if (last_resort && peer_keeps_until_ && now <= *peer_keeps_until_) {
    refusal_ = Error{"peer-heard", "the peer was heard just now, and is about to resume its guest",
                     "colo status FILE on the other host"};
    return;
  }
  if (std::holds_alternative<Suspecting>(state_) || last_resort) {
    claim(cause, cause, actions);
    return;
  }
  if (auto* takeover = std::get_if<TakingOver>(&state_);
      takeover != nullptr && takeover->step == Step::failed) {
    if (spent()) {
      refusal_ = Error{"no-checkpoint",
                       "the replica ended, and clients have seen more than its checkpoint contains",
                       "colo give-back FILE, once the other host is heard"};
      return;
    }
    takeover->attempt = 1;
    takeover->step = Step::preparing;
    advance(*takeover, actions);
    return;
  }
  if (std::holds_alternative<Claiming>(state_) || std::holds_alternative<TakingOver>(state_) ||
      std::holds_alternative<GivingBack>(state_)) {
    refusal_ = Error{"already", "a takeover is under way", "colo status FILE shows its step"};
    return;
  }
  refusal_ = Error{"no-checkpoint", "this host holds no complete checkpoint to take over from",
                   "colo status FILE shows how far the first copy is"};
  if (keeps_ == Keeps::base) refusal_->reason += ": the primary has gone on beyond the one it has";
}

}  // namespace colo::secondary
