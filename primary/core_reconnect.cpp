// The primary's core, part four: how a session begins, ends, and goes on from what the last one
// left.

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "primary/core.h"

namespace colo::primary {

namespace {

// Why a state that has no place for a secondary refuses one.
std::string why_not(const State& state) {
  if (std::holds_alternative<Claiming>(state)) return "this host is claiming the guest";
  if (const auto* lost = std::get_if<Lost>(&state)) {
    if (lost->returning) return "this host is about to resume its guest";
    return "this host lost the guest to " +
           (lost->owner.owner.empty() ? std::string("nobody") : lost->owner.owner);
  }
  if (std::holds_alternative<Left>(state)) return "this host becomes the secondary";
  return "this host cannot take a secondary now";
}

}  // namespace

void Core::refuse(const PeerAsks& event, std::string reason, std::string remedy, Actions& actions) {
  refusal_ = Error{"not-ready", std::move(reason), std::move(remedy)};
  actions.push_back(RefusePeer{event.session, *refusal_});
}

void Core::on(const PeerAsks& event, Instant now, Actions& actions) {
  if (const SessionState* current = session()) {
    if (current->host != event.host) {
      refuse(event, "this host has a secondary already: " + current->host, "ask again later",
             actions);
      return;
    }
    // Its side of the session is over, or it would not ask; ours may not hear of it for long.
    const Error error{"joins-anew", current->host + " asks to join anew", ""};
    lose_peer(error, /*certain=*/false, now, actions);
  }
  if (auto* reconnecting = std::get_if<Reconnecting>(&state_)) {
    // Of this very generation and acceptable: then nothing was claimed there either.
    if (event.held && event.held->generation == generation_ && event.held->epoch != Epoch{0} &&
        acceptable(event.held)) {
      resume_session(event, now, actions);
      return;
    }
    // It has nothing of ours to take over from, and a copy takes long: nobody waits for that.
    start_claim(std::move(reconnecting->cause), std::nullopt, actions);
  }
  if (!std::holds_alternative<Solo>(state_)) {
    refuse(event, why_not(state_), "ask again later", actions);
    return;
  }
  if (now < not_before_) {
    const auto wait = std::chrono::ceil<std::chrono::seconds>(not_before_ - now);
    refuse(event,
           "the last session was given up; the next may begin in " + std::to_string(wait.count()) +
               " s",
           "colo status FILE on this host says why it was", actions);
    return;
  }
  if (acceptable(event.held)) {
    resume_session(event, now, actions);
  } else {
    begin_session(event, now, actions);
  }
}

bool Core::acceptable(const std::optional<Held>& held) const {
  if (!held || !base_) return false;
  return held->epoch == base_->committed || (base_->sent && held->epoch == base_->committed.next());
}

void Core::begin_session(const PeerAsks& event, Instant now, Actions& actions) {
  SessionState fresh;
  fresh.session = event.session;
  fresh.host = event.host;
  fresh.due = now + config_.answer_timeout;
  state_ = Syncing{std::move(fresh)};
  actions.push_back(AcceptPeer{event.session, generation_});
}

// Out of Reconnecting the secondary can take over from what it holds, as ever: output stays held.
// In Solo we have spoken beyond it: nothing is held until the first cut, as for a whole copy.
void Core::resume_session(const PeerAsks& event, Instant now, Actions& actions) {
  COLO_CHECK(event.held);
  SessionState fresh;
  fresh.session = event.session;
  fresh.host = event.host;
  fresh.due = now + config_.answer_timeout;
  fresh.resumed = true;
  fresh.base = fresh.committed = event.held->epoch;
  const auto* reconnecting = std::get_if<Reconnecting>(&state_);
  const bool acknowledges = reconnecting != nullptr && base_->committed != fresh.base;
  if (reconnecting != nullptr) {
    fresh.cut = true;
    fresh.grace_until = reconnecting->until;
  }
  // An older one is not taken back any more: more may be released now.
  base_ = Base{event.session, fresh.base, false};
  state_ = Syncing{std::move(fresh)};
  actions.push_back(AcceptPeer{event.session, generation_, base_->committed});
  if (acknowledges) actions.push_back(Release{base_->committed});
}

void Core::end_session(SessionState& session, std::string reason, Farewell farewell,
                       Actions& actions) {
  // Before its bulk lane was attached nothing of it reached the secondary.
  if (session.phase != Phase::attaching) {
    base_ = Base{session.session, session.committed, session.sent};
  }
  // Before anything else can happen to what is held: nothing leaves but by a claim from here on.
  if (session.compare_open) actions.push_back(StopComparing{session.session});
  session.compare_open = false;
  actions.push_back(EndSession{session.session, std::move(reason), farewell});
}

void Core::on(const PeerLost& event, Instant now, Actions& actions) {
  if (session(event.session) == nullptr) return;
  lose_peer(event.error, event.certain, now, actions);
}

void Core::lose_peer(const Error& error, bool certain, Instant now, Actions& actions) {
  SessionState* current = session();
  COLO_CHECK(current != nullptr);
  std::optional<Instant> guest_waits;
  if (const auto* handing = std::get_if<HandingOver>(&state_)) {
    if (handing->step == Handover::claiming) guest_waits = now + config_.claim_patience;
    if (handing->step == Handover::saving || handing->step == Handover::loading) {
      actions.push_back(ResumeGuest{});
    }
  }
  end_session(*current, error.text(), Farewell::trouble, actions);
  if (!current->cut) {
    // The secondary has nothing to take over from: nobody else may claim, nothing is held.
    state_ = Solo{error.text()};
    return;
  }
  Instant until = now + config_.grace;
  if (current->grace_until) until = std::min(until, *current->grace_until);
  // Told to claim, the peer may have won: then only the arbiter's answer tells.
  if (!certain && !guest_waits && now < until) {
    SessionState ended = std::move(*current);
    state_ = Reconnecting{std::move(ended), error.text(), until};
    return;
  }
  start_claim(error.text(), guest_waits, actions);
}

}  // namespace colo::primary
