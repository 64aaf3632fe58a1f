// The primary's core, part five: the guest is handed over while both sides are well.
//
// Until TellGo the peer has no word to claim, so a cancel is enough to go on. After it the peer may
// have won at any moment, whatever we hear: only a claim of our own tells, and the arbiter decides.

#include <utility>

#include "base/check.h"
#include "primary/core.h"

namespace colo::primary {

HandingOver* Core::handing_over(Session session, Handover step) {
  auto* handing = std::get_if<HandingOver>(&state_);
  if (handing == nullptr || handing->session.session != session) return nullptr;
  return handing->step == step ? handing : nullptr;
}

void Core::on(const SwitchoverAsked&, Instant now, Actions& actions) {
  if (std::holds_alternative<HandingOver>(state_)) {
    refusal_ = Error{"already", "a switchover is under way", "colo status FILE shows its step"};
    return;
  }
  auto* guarded = std::get_if<Protected>(&state_);
  if (guarded == nullptr) {
    refusal_ = Error{"not-protected", "there is no secondary that could take the guest",
                     "colo status FILE says what is missing"};
    return;
  }
  SessionState kept = std::move(guarded->session);
  kept.switchover_trouble.clear();
  if (!kept.asked) kept.asked = CheckpointReason::asked;
  state_ = HandingOver{std::move(kept), Handover::passing};
  auto& handing = std::get<HandingOver>(state_);
  if (handing.session.phase == Phase::idle) hand_over(handing, now, actions);
}

// Idle: the next step that only we decide.
void Core::hand_over(HandingOver& handing, Instant now, Actions& actions) {
  SessionState& current = handing.session;
  if (handing.step == Handover::passing) {
    begin_checkpoint(current, now, actions);
    return;
  }
  COLO_CHECK(handing.step == Handover::saving);
  handing.step = Handover::loading;
  current.due = now + config_.answer_timeout;
  actions.push_back(TellHandover{current.session, current.committed});
}

void Core::tick_handover(HandingOver& handing, Instant now, Actions& actions) {
  if (now < handing.session.due) return;
  const std::string& host = handing.session.host;
  if (handing.step == Handover::loading) {
    cancel_handover(
        {"no-answer", host + " did not load the guest in time", "look at the log of " + host}, now,
        actions);
  } else {
    lose_peer({"no-answer", host + " did not say that it took the guest", ""}, /*certain=*/true,
              now, actions);
  }
}

void Core::on(const PeerLoaded& event, Instant now, Actions& actions) {
  auto* handing = handing_over(event.session, Handover::loading);
  if (handing == nullptr) return;  // it comes after a cancel
  SessionState& current = handing->session;
  if (event.epoch != current.committed) {
    cancel_handover({"out-of-order",
                     current.host + " loaded checkpoint " + std::to_string(event.epoch.value) +
                         ", not " + std::to_string(current.committed.value),
                     "run the same version of colo on both hosts"},
                    now, actions);
    return;
  }
  handing->step = Handover::claiming;
  current.due = now + config_.answer_timeout;
  actions.push_back(TellGo{current.session});
}

// Also after TellGo: whoever says that it cannot does not claim for that word any more, since the
// lane keeps the order.
void Core::on(const PeerLoadFailed& event, Instant now, Actions& actions) {
  if (handing_over(event.session, Handover::loading) == nullptr &&
      handing_over(event.session, Handover::claiming) == nullptr) {
    return;
  }
  cancel_handover(event.error, now, actions);
}

void Core::cancel_handover(const Error& error, Instant now, Actions& actions) {
  auto& handing = std::get<HandingOver>(state_);
  actions.push_back(TellCancel{handing.session.session, error.text()});
  actions.push_back(ResumeGuest{});
  stay(error, now);
  session()->due = next_due(*session());
  tick_session(*session(), now, actions);
}

// The guest runs here, and goes on to.
void Core::stay(const Error& error, Instant now) {
  SessionState kept = std::move(std::get<HandingOver>(state_).session);
  kept.switchover_trouble = error.text();
  state_ = Protected{std::move(kept)};
  expect_replica(*session(), now);
}

// It says so; that it is so, the arbiter says.
void Core::on(const PeerTookOver& event, Instant now, Actions& actions) {
  auto* handing = handing_over(event.session, Handover::claiming);
  if (handing == nullptr) return;
  const std::string cause = "switchover to " + handing->session.host;
  end_session(handing->session, "", Farewell::trouble, actions);
  start_claim(cause, now + config_.claim_patience, actions);
}

}  // namespace colo::primary
