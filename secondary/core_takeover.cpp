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
  state_ = Claiming{std::move(cause), std::nullopt, {}};
  actions.push_back(StartClaim{generation_});
}

void Core::on(const ClaimAnswered& event, Instant now, Actions& actions) {
  auto* claiming = std::get_if<Claiming>(&state_);
  if (claiming == nullptr) return;
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

void Core::on(const ClaimUnanswered& event, Instant now, Actions&) {
  if (auto* claiming = std::get_if<Claiming>(&state_)) {
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
  if (std::holds_alternative<Standby>(state_) || std::holds_alternative<Suspecting>(state_)) {
    claim("asked by the operator", "takeover asked by the operator", actions);
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
  if (const auto current = session()) {
    actions.push_back(EndSession{*current, "stopped by the operator"});
  }
  actions.push_back(EndGuest{});
  actions.push_back(Exit{});
  state_ = Ended{"stopped by the operator"};
}

void Core::rejoin(std::string trouble, Instant now, Actions&) {
  committed_ = Epoch{0};
  flushed_ = Epoch{0};
  state_ = Joining{std::move(trouble), now + config_.join_retry};
}

}  // namespace colo::secondary
