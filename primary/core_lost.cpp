// The primary's core, part seven: the guest was lost to the peer. Whether it runs there or is given
// back, nobody needs to be asked.

#include <utility>

#include "primary/core.h"

namespace colo::primary {

void Core::tick_lost(Lost& lost, Instant now, Actions& actions) {
  if (!lost.read || now < *lost.read) return;
  lost.read.reset();
  if (lost.returning) {
    actions.push_back(AcquireResources{});
  } else {
    actions.push_back(ReadOwnership{});
  }
}

void Core::on(const OwnershipRead& event, Instant now, Actions& actions) {
  auto* lost = std::get_if<Lost>(&state_);
  if (lost == nullptr || !lost->guest_kept || lost->returning || lost->claiming) return;
  lost->trouble.clear();
  // Ours, and not from before: whoever owned it in between gave it back.
  if (event.ours && event.ownership.generation > generation_) {
    come_back(*lost, "given back by the peer", event.ownership.generation, actions);
    return;
  }
  if (event.ownership.generation > lost->owner.generation) lost->owner = event.ownership;
  lost->read = now + config_.claim_retry;
}

void Core::come_back(Lost& lost, std::string cause, Generation generation, Actions& actions) {
  lost.returning = true;
  lost.read.reset();
  lost.cause = std::move(cause);
  generation_ = generation;
  actions.push_back(AcquireResources{});
}

void Core::on(const TakeoverAsked&, Instant, Actions& actions) {
  auto* lost = std::get_if<Lost>(&state_);
  if (lost == nullptr || !lost->guest_kept) {
    refusal_ = Error{"not-lost", "this host keeps no paused guest", "colo status FILE"};
  } else if (lost->claiming || lost->returning) {
    refusal_ = Error{"already", "this host takes its guest back", "colo status FILE"};
  } else {
    lost->claiming = true;
    lost->read.reset();
    actions.push_back(StartClaim{lost->owner.generation});
  }
}

void Core::answered_lost(Lost& lost, const ClaimAnswered& event, Instant now, Actions& actions) {
  lost.claiming = false;
  if (const auto* won = std::get_if<heartbeat::ClaimWon>(&event.answer)) {
    come_back(lost, "taken back by the operator", won->generation, actions);
    return;
  }
  lost.owner = std::get<heartbeat::ClaimLost>(event.answer).current;
  lost.read = now + config_.claim_retry;  // where it was given back, the ownership tells
}

void Core::on(const OwnershipUnread& event, Instant now, Actions&) {
  auto* lost = std::get_if<Lost>(&state_);
  if (lost == nullptr || !lost->guest_kept || lost->returning || lost->claiming) return;
  lost->trouble = event.error.text();
  lost->read = now + config_.claim_retry;
}

void Core::on(const Acquired&, Instant, Actions& actions) {
  auto* lost = std::get_if<Lost>(&state_);
  if (lost == nullptr || !lost->returning) return;
  state_ = Solo{std::string(lost->cause)};
  actions.push_back(ResumeGuest{});
  actions.push_back(ReleaseAll{});
}

void Core::on(const AcquireFailed& event, Instant now, Actions&) {
  auto* lost = std::get_if<Lost>(&state_);
  if (lost == nullptr || !lost->returning) return;
  lost->trouble = event.error.text();
  lost->read = now + config_.claim_retry;
}

void Core::on(const PeerRuns& event, Instant, Actions& actions) {
  const bool newer = event.generation > generation_;
  if (auto* lost = std::get_if<Lost>(&state_)) {
    // Not while a claim of ours is under way or was won: it is told again.
    if (lost->claiming || event.generation < lost->owner.generation) return;
    if (lost->returning && !newer) return;
    actions.push_back(EndGuest{});
    left_by_us(event.generation, actions);
  } else if (auto* ended = std::get_if<Ended>(&state_)) {
    if (newer && !ended->exits) left_by_us(event.generation, actions);
  } else if (auto* reconnecting = std::get_if<Reconnecting>(&state_)) {
    // No use in waiting: it did not come back, it claimed.
    if (newer) start_claim(std::move(reconnecting->cause), std::nullopt, actions);
  } else if (std::holds_alternative<Solo>(state_) && newer) {
    // Somebody took the guest without our knowing, by an operator's word. The arbiter tells.
    start_claim("the peer says that it runs the guest in generation " +
                    std::to_string(event.generation.value),
                std::nullopt, actions);
  }
}

void Core::left_by_us(Generation peer, Actions& actions) {
  state_ = Left{peer};
  actions.push_back(BecomeSecondary{});
}

}  // namespace colo::primary
