// The primary's core, part three: who owns the guest, and how it ends.

#include "base/check.h"
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

bool Core::claim_under_way() const {
  if (const auto* starting = std::get_if<Starting>(&state_)) {
    return starting->claiming && !starting->booting;
  }
  if (const auto* claiming = std::get_if<Claiming>(&state_)) return !claiming->retry;
  return std::holds_alternative<Ending>(state_);
}

void Core::on(const ClaimAnswered& event, Instant, Actions& actions) {
  if (!claim_under_way()) return;  // ended without waiting for it
  if (const auto* won = std::get_if<heartbeat::ClaimWon>(&event.answer)) {
    COLO_CHECK(won->generation == generation_.next());
    generation_ = won->generation;
    win(actions);
    return;
  }
  lose(std::get<heartbeat::ClaimLost>(event.answer).current, actions);
}

void Core::win(Actions& actions) {
  if (auto* starting = std::get_if<Starting>(&state_)) {
    starting->booting = true;
    actions.push_back(BootGuest{});
  } else if (auto* claiming = std::get_if<Claiming>(&state_)) {
    state_ = Solo{claiming->cause};
    actions.push_back(ReleaseAll{});
  } else if (auto* ending = std::get_if<Ending>(&state_)) {
    if (ending->own_claim) {
      end_for_nobody(ending->reason, actions);
      return;
    }
    state_ = Ended{ending->reason, ""};
    actions.push_back(ReleaseAll{});  // the guest's last words
    actions.push_back(Exit{});
  }
}

void Core::lose(const heartbeat::Ownership& owner, Actions& actions) {
  if (const auto* ending = std::get_if<Ending>(&state_)) {
    // Ended here, and somebody else goes on with it: nothing is left to release.
    const bool exit = ending->exit;
    state_ = Ended{ending->reason + "; generation " + std::to_string(owner.generation.value) +
                       " belongs to " + (owner.owner.empty() ? std::string("nobody") : owner.owner),
                   ""};
    actions.push_back(DropHeld{});
    if (exit) actions.push_back(Exit{});
    return;
  }
  const bool no_guest = std::holds_alternative<Starting>(state_);
  state_ = Lost{owner};
  if (no_guest) return;
  // The paused guest is kept: until the winner runs, this is the only other copy (L5).
  actions.push_back(PauseGuest{});
  actions.push_back(DropHeld{});
}

// A claim of ours was not answered and the guest has ended: it may belong to us or to the peer.
void Core::end_unknown(const Error& error, Actions& actions) {
  const auto& ending = std::get<Ending>(state_);
  const bool exit = ending.exit;
  state_ = Ended{ending.reason + "; whose the guest is now is not known: " + error.text(),
                 "colo status FILE on the other host"};
  actions.push_back(DropHeld{});
  if (exit) actions.push_back(Exit{});
}

void Core::on(const ClaimUnanswered& event, Instant now, Actions& actions) {
  const Instant again = now + config_.claim_retry;
  if (auto* claiming = std::get_if<Claiming>(&state_)) {
    claiming->retry = again;
    claiming->trouble = event.error.text();
  } else if (auto* ending = std::get_if<Ending>(&state_)) {
    // In our own name it is not asked again: the peer may hold a complete checkpoint and must be
    // able to win.
    if (ending->own_claim) return end_unknown(event.error, actions);
    ending->retry = again;
  } else if (auto* starting = std::get_if<Starting>(&state_)) {
    *starting = Starting{false, false, again, event.error.text()};
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
  if (std::holds_alternative<Claiming>(state_)) {
    if (claim_under_way()) {
      state_ = Ending{event.reason, std::nullopt, /*own_claim=*/true, /*exit=*/false};
      return;
    }
    // The peer may hold a complete checkpoint: it must be able to win.
    state_ = Ended{event.reason, "colo status FILE on the other host"};
    actions.push_back(DropHeld{});
    return;
  }
  SessionState* current = session();
  if (!event.by_guest && current != nullptr && current->cut) {
    // Certain news: the secondary need not wait for a silence.
    actions.push_back(TellGuestEnded{current->session, event.reason, false});
    actions.push_back(EndSession{current->session, event.reason, Farewell::leaving});
    actions.push_back(DropHeld{});
    const bool first = current->committed == Epoch{0};
    state_ = Ended{event.reason + "; " + current->host + " was told and takes over" +
                       (first ? " if the first checkpoint reached it" : ""),
                   "colo status FILE --host " + current->host};
    return;
  }
  // It shut itself down, or nobody else holds a copy: give the generation up, so that the next
  // start needs nobody's word.
  end_for_nobody(event.reason, actions);
}

void Core::end_for_nobody(std::string reason, Actions& actions) {
  if (SessionState* current = session()) {
    actions.push_back(TellGuestEnded{current->session, reason, true});
    actions.push_back(EndSession{current->session, reason, Farewell::guest_ends});
  }
  state_ = Ending{std::move(reason), std::nullopt, /*own_claim=*/false, /*exit=*/true};
  actions.push_back(StartClaim{generation_, true});
}

void Core::on(const StopAsked&, Instant, Actions& actions) {
  const std::string reason = "stopped by the operator";
  if (auto* guarded = std::get_if<Protected>(&state_)) {
    // High availability: what this host was asked to leave, the other goes on with.
    const SessionState& current = guarded->session;
    actions.push_back(EndSession{current.session, reason, Farewell::leaving});
    actions.push_back(EndGuest{});
    actions.push_back(DropHeld{});
    state_ = Ended{reason + "; " + current.host + " takes over", ""};
    actions.push_back(Exit{});
    return;
  }
  actions.push_back(EndGuest{});
  // A secondary that was never called protected is not counted on: it may have nothing.
  const auto* starting = std::get_if<Starting>(&state_);
  if (std::holds_alternative<Solo>(state_) || std::holds_alternative<Syncing>(state_) ||
      (starting != nullptr && starting->booting)) {
    end_for_nobody(reason, actions);
    return;
  }
  if (!std::holds_alternative<Ending>(state_) && claim_under_way()) {
    state_ = Ending{reason, std::nullopt, /*own_claim=*/true, /*exit=*/true};
    return;
  }
  // Nothing is ours to give up, or the operator asks a second time and does not want to wait.
  actions.push_back(DropHeld{});
  state_ = Ended{reason, ""};
  actions.push_back(Exit{});
}

}  // namespace colo::primary
