// The primary's core, part three: who owns the guest.

#include "base/check.h"
#include "primary/core.h"

namespace colo::primary {

void Core::start_claim(std::string cause, std::optional<Instant> guest_waits, Actions& actions) {
  state_ = Claiming{std::move(cause), std::nullopt, {}, guest_waits};
  actions.push_back(StartClaim{generation_});
}

void Core::tick_claiming(Claiming& claiming, Instant now, Actions& actions) {
  if (claiming.guest_waits && now >= *claiming.guest_waits) {
    // The peer may wait for an answer just as we do: with its output held the guest harms nobody.
    claiming.guest_waits.reset();
    actions.push_back(ResumeGuest{});
  }
  if (!claiming.retry || now < *claiming.retry) return;
  claiming.retry.reset();
  actions.push_back(StartClaim{generation_});
}

bool Core::claim_under_way() const {
  if (const auto* starting = std::get_if<Starting>(&state_)) {
    return starting->claiming && !starting->booting;
  }
  if (const auto* claiming = std::get_if<Claiming>(&state_)) return !claiming->retry;
  const auto* lost = std::get_if<Lost>(&state_);
  return (lost != nullptr && lost->claiming) || std::holds_alternative<Ending>(state_);
}

void Core::on(const ClaimAnswered& event, Instant now, Actions& actions) {
  if (auto* lost = std::get_if<Lost>(&state_); lost != nullptr && lost->claiming) {
    answered_lost(*lost, event, now, actions);
    return;
  }
  if (!claim_under_way()) return;  // ended without waiting for it
  if (event.ours) {
    generation_ = std::get<heartbeat::ClaimLost>(event.answer).current.generation;
    win(actions);
    return;
  }
  if (const auto* won = std::get_if<heartbeat::ClaimWon>(&event.answer)) {
    COLO_CHECK(won->generation == generation_.next());
    generation_ = won->generation;
    win(actions);
    return;
  }
  lose(std::get<heartbeat::ClaimLost>(event.answer).current, now, actions);
}

void Core::win(Actions& actions) {
  if (auto* starting = std::get_if<Starting>(&state_)) {
    starting->booting = true;
    actions.push_back(BootGuest{});
  } else if (auto* claiming = std::get_if<Claiming>(&state_)) {
    if (claiming->guest_waits) actions.push_back(ResumeGuest{});
    state_ = Solo{claiming->cause};
    actions.push_back(ReleaseAll{});
  } else if (auto* ending = std::get_if<Ending>(&state_)) {
    if (ending->own_claim) {
      end_for_nobody(ending->reason, actions);
      return;
    }
    actions.push_back(ReleaseAll{});  // the guest's last words
    actions.push_back(ReleaseResources{});
    state_ = Ended{ending->reason, "", /*exits=*/true};
    actions.push_back(Exit{});
  }
}

void Core::lose(const heartbeat::Ownership& owner, Instant now, Actions& actions) {
  if (const auto* ending = std::get_if<Ending>(&state_)) {
    // Ended here, and somebody else goes on with it: nothing is left to release.
    end_here(ending->reason + "; generation " + std::to_string(owner.generation.value) +
                 " belongs to " + (owner.owner.empty() ? std::string("nobody") : owner.owner),
             "", ending->exit, actions);
    return;
  }
  Lost lost;
  lost.owner = owner;
  if (const auto* claiming = std::get_if<Claiming>(&state_)) {
    // The paused guest is kept: until the winner's runs, this is the only other copy (L5).
    lost.guest_kept = true;
    lost.read = now + config_.claim_retry;
    if (!claiming->guest_waits) actions.push_back(PauseGuest{});
    actions.push_back(DropHeld{});
    actions.push_back(ReleaseResources{});
  }
  state_ = std::move(lost);
}

// A claim of ours was not answered and the guest has ended: it may belong to us or to the peer.
void Core::end_unknown(const Error& error, Actions& actions) {
  const auto& ending = std::get<Ending>(state_);
  end_here(ending.reason + "; whose the guest is now is not known: " + error.text(),
           "colo status FILE on the other host", ending.exit, actions);
}

void Core::on(const ClaimUnanswered& event, Instant now, Actions& actions) {
  const Instant again = now + config_.claim_retry;
  if (auto* claiming = std::get_if<Claiming>(&state_)) {
    claiming->retry = again;
    claiming->trouble = event.error.text();
    if (claiming->guest_waits) actions.push_back(ResumeGuest{});
    claiming->guest_waits.reset();
  } else if (auto* ending = std::get_if<Ending>(&state_)) {
    // In our own name it is not asked again: the peer may hold a complete checkpoint and must be
    // able to win.
    if (ending->own_claim) return end_unknown(event.error, actions);
    ending->retry = again;
  } else if (auto* lost = std::get_if<Lost>(&state_); lost != nullptr && lost->claiming) {
    // It may have been won: then the ownership says so when it is read next.
    lost->claiming = false;
    lost->trouble = event.error.text();
    lost->read = again;
  } else if (auto* starting = std::get_if<Starting>(&state_)) {
    *starting = Starting{false, false, again, event.error.text()};
  }
}

void Core::on(const GuestRuns&, Instant, Actions&) {
  if (std::holds_alternative<Starting>(state_)) state_ = Solo{"no secondary has joined yet"};
}

}  // namespace colo::primary
