// The primary's core, part three: who owns the guest, and how it ends.

#include "base/check.h"
#include "base/overloaded.h"
#include "primary/core.h"

namespace colo::primary {

void Core::lose_peer(const Error& error, Actions& actions) {
  SessionState* current = session();
  COLO_CHECK(current != nullptr);
  actions.push_back(EndSession{current->session, error.text(), Farewell::trouble});
  if (!current->cut) {
    // The secondary cannot hold a complete checkpoint: nobody else may claim, nothing is held.
    state_ = Solo{error.text()};
    return;
  }
  state_ = Claiming{error.text(), std::nullopt, {}};
  actions.push_back(StartClaim{generation_});
}

void Core::on(const ClaimAnswered& event, Instant, Actions& actions) {
  const auto* won = std::get_if<heartbeat::ClaimWon>(&event.answer);
  if (won == nullptr) {
    const auto& current = std::get<heartbeat::ClaimLost>(event.answer).current;
    if (std::holds_alternative<Ending>(state_)) {
      // Ended here, and somebody else goes on with it: nothing is left to release.
      state_ = Ended{
          "generation " + std::to_string(current.generation.value) + " belongs to " + current.owner,
          ""};
      actions.push_back(DropHeld{});
      actions.push_back(Exit{});
      return;
    }
    lose(current, actions);
    return;
  }
  COLO_CHECK(won->generation == generation_.next());
  generation_ = won->generation;
  if (std::holds_alternative<Starting>(state_)) {
    actions.push_back(BootGuest{});
  } else if (auto* claiming = std::get_if<Claiming>(&state_)) {
    state_ = Solo{claiming->cause};
    actions.push_back(ReleaseAll{});
  } else if (auto* ending = std::get_if<Ending>(&state_)) {
    state_ = Ended{ending->reason, ""};
    actions.push_back(ReleaseAll{});  // the guest's last words
    actions.push_back(Exit{});
  }
}

void Core::lose(const heartbeat::Ownership& owner, Actions& actions) {
  if (SessionState* current = session()) {
    actions.push_back(
        EndSession{current->session, owner.owner + " owns the guest", Farewell::trouble});
  }
  state_ = Lost{owner};
  // The paused guest is kept: until the winner runs, this is the only other copy (L5).
  actions.push_back(PauseGuest{});
  actions.push_back(DropHeld{});
}

void Core::on(const ClaimUnanswered& event, Instant now, Actions&) {
  const Instant again = now + config_.claim_retry;
  if (auto* claiming = std::get_if<Claiming>(&state_)) {
    claiming->retry = again;
    claiming->trouble = event.error.text();
  } else if (auto* ending = std::get_if<Ending>(&state_)) {
    ending->retry = again;
  } else if (auto* starting = std::get_if<Starting>(&state_)) {
    *starting = Starting{false, again, event.error.text()};
  }
}

void Core::on(const GuestRuns&, Instant, Actions&) {
  if (std::holds_alternative<Starting>(state_)) state_ = Solo{"no secondary has joined yet"};
}

void Core::on(const GuestFailed& event, Instant, Actions& actions) {
  on(GuestEnded{event.error.text(), false}, Instant{}, actions);
}

void Core::on(const GuestEnded& event, Instant, Actions& actions) {
  if (std::holds_alternative<Ended>(state_) || std::holds_alternative<Ending>(state_) ||
      std::holds_alternative<Lost>(state_)) {
    return;
  }
  if (event.by_guest) {
    end_for_nobody(event.reason, actions);
    return;
  }
  if (SessionState* current = session(); current != nullptr && current->cut) {
    // Certain news: the secondary need not wait for a silence.
    actions.push_back(TellGuestEnded{current->session, event.reason, false});
    actions.push_back(EndSession{current->session, event.reason, Farewell::leaving});
    actions.push_back(DropHeld{});
    state_ = Ended{event.reason + "; " + current->host + " was told and takes over",
                   "colo status FILE --host " + current->host};
    return;
  }
  if (std::holds_alternative<Claiming>(state_)) {
    // The peer may hold a complete checkpoint: it must be able to win.
    state_ = Ended{event.reason, "colo status FILE on the other host"};
    actions.push_back(DropHeld{});
    return;
  }
  // Nobody else holds a copy: give the generation up, so that the next start needs nobody's word.
  end_for_nobody(event.reason, actions);
}

void Core::end_for_nobody(std::string reason, Actions& actions) {
  if (SessionState* current = session()) {
    actions.push_back(TellGuestEnded{current->session, reason, true});
    actions.push_back(EndSession{current->session, reason, Farewell::guest_ends});
  }
  state_ = Ending{std::move(reason), std::nullopt};
  actions.push_back(StartClaim{generation_, true});
}

void Core::on(const StopAsked&, Instant, Actions& actions) {
  SessionState* current = session();
  if (current != nullptr && current->cut) {
    // High availability: what this host was asked to leave, the other goes on with.
    actions.push_back(EndSession{current->session, "stopped by the operator", Farewell::leaving});
    actions.push_back(EndGuest{});
    actions.push_back(DropHeld{});
    state_ = Ended{"stopped by the operator; " + current->host + " takes over", ""};
    actions.push_back(Exit{});
    return;
  }
  const bool owner = current != nullptr || std::holds_alternative<Solo>(state_);
  if (owner) {
    actions.push_back(EndGuest{});
    end_for_nobody("stopped by the operator", actions);
    return;
  }
  // Starting, Claiming, Lost: nothing is ours to give up.
  actions.push_back(EndGuest{});
  actions.push_back(DropHeld{});
  state_ = Ended{"stopped by the operator", ""};
  actions.push_back(Exit{});
}

}  // namespace colo::primary
