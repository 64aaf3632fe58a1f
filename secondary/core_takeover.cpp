// The secondary's core, part two: the peer is lost, the claim, the takeover.

#include "base/check.h"
#include "secondary/core.h"

namespace colo::secondary {

void Core::on(const PeerGone& event, Instant now, Actions& actions) {
  if (session() != event.session) return;
  if (event.guest_ends || std::holds_alternative<Receiving>(state_)) {
    actions.push_back(EndSession{event.session, ""});
    actions.push_back(Forget{});
    rejoin(event.error.text(), now, actions);
    return;
  }
  claim(event.error.text(), "", actions);
}

void Core::on(const PeerSuspected& event, Instant now, Actions& actions) {
  if (session() != event.session) return;
  if (std::holds_alternative<Receiving>(state_)) {
    actions.push_back(EndSession{event.session, event.error.text()});
    actions.push_back(Forget{});
    rejoin(event.error.text(), now, actions);
    return;
  }
  if (auto* standby = std::get_if<Standby>(&state_)) {
    state_ = Suspecting{standby->session, std::move(standby->host), event.error,
                        now + config_.head_start, event.lane_closed};
  } else if (auto* suspecting = std::get_if<Suspecting>(&state_)) {
    suspecting->lane_closed = suspecting->lane_closed || event.lane_closed;
  }
}

void Core::on(const PeerHeard& event, Instant, Actions&) {
  auto* suspecting = std::get_if<Suspecting>(&state_);
  if (suspecting == nullptr || suspecting->session != event.session || suspecting->lane_closed) {
    return;
  }
  state_ = Standby{suspecting->session, suspecting->host};
}

void Core::claim(std::string cause, std::string farewell, Actions& actions) {
  const std::optional<Session> current = session();
  COLO_CHECK(current && committed_ != Epoch{0});
  // First of all nothing is acknowledged any more: from here on the primary can release nothing
  // beyond the checkpoint that a won claim takes over from.
  actions.push_back(EndSession{*current, std::move(farewell)});
  state_ = Claiming{std::move(cause), std::nullopt, {}, std::nullopt};
  actions.push_back(StartClaim{generation_});
}

// Nothing is acknowledged from here on either: in Claiming the session's events are not heard.
void Core::claim_quietly(std::string cause, Actions& actions) {
  COLO_CHECK(session() && committed_ != Epoch{0});
  state_ = Claiming{std::move(cause), std::nullopt, {}, session()};
  actions.push_back(StartClaim{generation_});
}

void Core::end_open_session(Actions& actions) {
  auto* claiming = std::get_if<Claiming>(&state_);
  if (claiming == nullptr || !claiming->open) return;
  actions.push_back(EndSession{*claiming->open, claiming->cause});
  claiming->open.reset();
}

void Core::on(const ClaimAnswered& event, Instant now, Actions& actions) {
  if (std::holds_alternative<Ended>(state_)) answered_after_stop(&event.answer, actions);
  auto* claiming = std::get_if<Claiming>(&state_);
  if (claiming == nullptr) return;
  end_open_session(actions);
  if (const auto* lost = std::get_if<heartbeat::ClaimLost>(&event.answer)) {
    const auto& current = lost->current;
    actions.push_back(Forget{});
    rejoin((current.owner.empty() ? "nobody" : current.owner) + std::string(" owns generation ") +
               std::to_string(current.generation.value),
           now, actions);
    return;
  }
  const auto& won = std::get<heartbeat::ClaimWon>(event.answer);
  COLO_CHECK(won.generation == generation_.next());
  generation_ = won.generation;
  TakingOver takeover;
  takeover.cause = std::move(claiming->cause);
  state_ = std::move(takeover);
  advance(std::get<TakingOver>(state_), actions);
}

void Core::on(const ClaimUnanswered& event, Instant now, Actions& actions) {
  if (std::holds_alternative<Ended>(state_)) answered_after_stop(nullptr, actions);
  if (auto* claiming = std::get_if<Claiming>(&state_)) {
    end_open_session(actions);
    claiming->retry = now + config_.claim_retry;
    claiming->trouble = event.error.text();
  }
}

// From whatever is true now to the next step; called whenever something became true.
void Core::advance(TakingOver& takeover, Actions& actions) {
  if (takeover.step == Step::failed || takeover.step == Step::loading ||
      takeover.step == Step::resuming) {
    return;
  }
  if (!standby_ready_) {
    takeover.step = Step::preparing;
    if (!preparing_) {
      preparing_ = true;
      standby_retry_.reset();
      actions.push_back(PrepareStandby{});
    }
    return;
  }
  if (flushed_ != committed_) {
    takeover.step = Step::flushing;
    flush(actions);
    return;
  }
  takeover.step = Step::loading;
  actions.push_back(Load{});
}

void Core::on(const Loaded&, Instant, Actions& actions) {
  auto* takeover = std::get_if<TakingOver>(&state_);
  if (takeover == nullptr || takeover->step != Step::loading) return;
  takeover->step = Step::resuming;
  actions.push_back(Run{generation_});
}

void Core::on(const LoadFailed& event, Instant, Actions& actions) {
  auto* takeover = std::get_if<TakingOver>(&state_);
  if (takeover == nullptr) return;
  if (takeover->step != Step::loading && takeover->step != Step::resuming) return;
  try_again(*takeover, event.error.text(), actions);
}

// A standby whose load failed is of no further use; the checkpoint is untouched (L3).
void Core::try_again(TakingOver& takeover, std::string trouble, Actions& actions) {
  takeover.trouble = std::move(trouble);
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

void Core::on(const TakeoverAsked&, Instant, Actions& actions) {
  if (std::holds_alternative<Standby>(state_)) {
    claim_quietly("takeover asked by the operator", actions);
    return;
  }
  if (std::holds_alternative<Suspecting>(state_)) {
    claim("takeover asked by the operator", "takeover asked by the operator", actions);
    return;
  }
  if (auto* takeover = std::get_if<TakingOver>(&state_);
      takeover != nullptr && takeover->step == Step::failed) {
    takeover->attempt = 1;
    takeover->step = Step::preparing;
    advance(*takeover, actions);
    return;
  }
  if (std::holds_alternative<Claiming>(state_) || std::holds_alternative<TakingOver>(state_)) {
    refusal_ = Error{"already", "a takeover is under way", "colo status FILE shows its step"};
    return;
  }
  refusal_ = Error{"no-checkpoint", "this host holds no complete checkpoint to take over from",
                   "colo status FILE shows how far the first copy is"};
}

void Core::on(const StopAsked&, Instant, Actions& actions) {
  const std::string reason = "stopped by the operator";
  if (const auto current = session()) actions.push_back(EndSession{*current, reason});
  end_open_session(actions);
  actions.push_back(EndGuest{});
  const auto* claiming = std::get_if<Claiming>(&state_);
  const bool owner = std::holds_alternative<TakingOver>(state_);
  if (owner) actions.push_back(StartClaim{generation_, /*nobody=*/true});
  // An engine that did not wait could leave the ownership to a host without guest, and the primary
  // would pause its own for nobody. Asked a second time it does not wait.
  const bool waits = owner || (claiming != nullptr && !claiming->retry);
  state_ = Ended{reason, waits, owner};
  if (!waits) actions.push_back(Exit{});
}

// answer: null where there was none.
void Core::answered_after_stop(const heartbeat::ClaimAnswer* answer, Actions& actions) {
  auto& ended = std::get<Ended>(state_);
  if (!ended.claim_under_way) return;
  const auto* won = answer == nullptr ? nullptr : std::get_if<heartbeat::ClaimWon>(answer);
  if (won != nullptr && !ended.giving_up) {
    generation_ = won->generation;
    ended.giving_up = true;
    actions.push_back(StartClaim{generation_, /*nobody=*/true});
    return;
  }
  ended.claim_under_way = false;
  actions.push_back(Exit{});
}

void Core::rejoin(std::string trouble, Instant now, Actions&) {
  committed_ = Epoch{0};
  flushed_ = Epoch{0};
  state_ = Joining{std::move(trouble), now + config_.join_retry, false};
}

}  // namespace colo::secondary
