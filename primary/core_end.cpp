// The primary's core, part six: the guest ends, or the operator ends it.

#include "primary/core.h"

namespace colo::primary {

namespace {

// Protected, or it was when it was last lost.
bool guarded(const SessionState& session) {
  return session.committed != session.base || session.grace_until;
}

}  // namespace

void Core::on(const GuestFailed& event, Instant, Actions& actions) {
  on(GuestEnded{event.error.text(), false}, Instant{}, actions);
}

void Core::on(const GuestEnded& event, Instant, Actions& actions) {
  if (std::holds_alternative<Ended>(state_) || std::holds_alternative<Ending>(state_) ||
      std::holds_alternative<Left>(state_)) {
    return;
  }
  if (auto* lost = std::get_if<Lost>(&state_)) {
    if (lost->claiming) {
      state_ = Ending{event.reason, std::nullopt, /*own_claim=*/true, /*exit=*/false};
      return;
    }
    lost->guest_kept = false;
    lost->read.reset();
    if (lost->returning) end_for_nobody(event.reason, actions);  // it is ours again
    return;
  }
  if (std::holds_alternative<Claiming>(state_)) {
    if (claim_under_way()) {
      state_ = Ending{event.reason, std::nullopt, /*own_claim=*/true, /*exit=*/false};
      return;
    }
    // The peer may hold a complete checkpoint: it must be able to win.
    end_here(event.reason, "colo status FILE on the other host", /*exit=*/false, actions);
    return;
  }
  if (const auto* reconnecting = std::get_if<Reconnecting>(&state_);
      reconnecting != nullptr && !event.by_guest) {
    // It cannot be told: it claims when its own grace is over.
    end_here(event.reason + "; " + reconnecting->session.host + " takes over once it has waited",
             "colo status FILE --host " + reconnecting->session.host, /*exit=*/false, actions);
    return;
  }
  SessionState* current = session();
  if (!event.by_guest && current != nullptr && current->cut) {
    // Certain news: the secondary need not wait for a silence.
    actions.push_back(TellGuestEnded{current->session, event.reason, false});
    const bool first = std::holds_alternative<Syncing>(state_);
    const std::string host = current->host;
    end_session(*current, event.reason, Farewell::leaving, actions);
    end_here(event.reason + "; " + host + " was told and takes over" +
                 (first ? " if the checkpoint under way reached it" : ""),
             "colo status FILE --host " + host, /*exit=*/false, actions);
    return;
  }
  // It shut itself down, or nobody else holds a copy: give the generation up, so that the next
  // start needs nobody's word.
  end_for_nobody(event.reason, actions);
}

void Core::end_for_nobody(std::string reason, Actions& actions) {
  if (SessionState* current = session()) {
    actions.push_back(TellGuestEnded{current->session, reason, true});
    end_session(*current, reason, Farewell::guest_ends, actions);
  }
  state_ = Ending{std::move(reason), std::nullopt, /*own_claim=*/false, /*exit=*/true};
  actions.push_back(StartClaim{generation_, For::nobody});
}

// Here it is over, and the peer or nobody goes on with it.
void Core::end_here(std::string reason, std::string remedy, bool exit, Actions& actions) {
  actions.push_back(DropHeld{});
  actions.push_back(ReleaseResources{});
  state_ = Ended{std::move(reason), std::move(remedy), exit};
  if (exit) actions.push_back(Exit{});
}

void Core::on(const StopAsked&, Instant, Actions& actions) {
  const std::string reason = "stopped by the operator";
  SessionState* current = session();
  // A secondary that was never called protected is not counted on: it may have nothing.
  if (current != nullptr && guarded(*current)) {
    // High availability: what this host was asked to leave, the other goes on with.
    const std::string host = current->host;
    end_session(*current, reason, Farewell::leaving, actions);
    actions.push_back(EndGuest{});
    end_here(reason + "; " + host + " takes over", "", /*exit=*/true, actions);
    return;
  }
  actions.push_back(EndGuest{});
  if (const auto* reconnecting = std::get_if<Reconnecting>(&state_);
      reconnecting != nullptr && guarded(reconnecting->session)) {
    const std::string host = reconnecting->session.host;
    end_here(reason + "; " + host + " takes over once it has waited", "", /*exit=*/true, actions);
    return;
  }
  const auto* starting = std::get_if<Starting>(&state_);
  const auto* lost = std::get_if<Lost>(&state_);
  if (std::holds_alternative<Solo>(state_) || std::holds_alternative<Reconnecting>(state_) ||
      current != nullptr || (starting != nullptr && starting->booting) ||
      (lost != nullptr && lost->returning)) {
    end_for_nobody(reason, actions);
    return;
  }
  if (!std::holds_alternative<Ending>(state_) && claim_under_way()) {
    state_ = Ending{reason, std::nullopt, /*own_claim=*/true, /*exit=*/true};
    return;
  }
  // Nothing is ours to give up, or the operator asks a second time and does not want to wait.
  end_here(reason, "", /*exit=*/true, actions);
}

}  // namespace colo::primary
