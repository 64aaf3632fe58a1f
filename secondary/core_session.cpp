// The secondary's core, part three: joining, receiving, suspecting.

#include <utility>

#include "base/overloaded.h"
#include "secondary/core.h"

namespace colo::secondary {

// --- joining -------------------------------------------------------------------------------------

bool Core::can_dial() const {
  // A flush may still write to the memory that a whole copy would fill; and the hello tells what
  // the standby guest is.
  const bool ending = replica_ && replica_->step == Replica::Step::ending;
  return standby_ready_ && !flushing_ && !loading_ && !ending;
}

void Core::dial(Actions& actions) {
  if (auto* joining = std::get_if<Joining>(&state_)) {
    joining->retry.reset();
    joining->asking = true;
  } else if (auto* suspecting = std::get_if<Suspecting>(&state_)) {
    if (suspecting->session) {
      actions.push_back(EndSession{*suspecting->session, suspecting->cause.text(),
                                   /*returns=*/true});
      suspecting->session.reset();
    }
    suspecting->lane_closed = true;
    suspecting->redial.reset();
    suspecting->asking = true;
  }
  actions.push_back(Join{});
}

void Core::stop_dialling(Actions& actions) {
  const auto* joining = std::get_if<Joining>(&state_);
  const auto* suspecting = std::get_if<Suspecting>(&state_);
  const bool asking =
      (joining != nullptr && joining->asking) || (suspecting != nullptr && suspecting->asking);
  if (asking) actions.push_back(StopJoin{});
}

void Core::forget(Actions& actions) {
  committed_ = Epoch{0};
  flushed_ = Epoch{0};
  keeps_ = Keeps::nothing;
  ran_ = Epoch{0};  // epochs begin again at 1
  actions.push_back(Forget{});
}

void Core::rejoin(std::string trouble, Instant now, Actions& actions) {
  state_ = Joining{std::move(trouble), now + config_.join_retry, false};
  end_replica(actions);
  replace_if_used(actions);
  // A takeover that failed may have left none, and nothing that would try again.
  if (lacks_standby() && !standby_retry_) prepare_standby(actions);
}

void Core::on(const Joined& event, Instant now, Actions& actions) {
  auto* joining = std::get_if<Joining>(&state_);
  if (joining != nullptr && joining->asking) {
    join(event, now, actions);
    return;
  }
  auto* suspecting = std::get_if<Suspecting>(&state_);
  if (suspecting != nullptr && suspecting->asking) {
    rejoin_suspect(event, *suspecting, now, actions);
    return;
  }
  actions.push_back(EndSession{event.session, "not joining any more"});
}

// Nothing that is held can be taken over from here, so the primary's word is taken.
void Core::join(const Joined& event, Instant now, Actions& actions) {
  const bool other = event.base && *event.base != committed_;
  if (other || event.generation < generation_) {
    const std::string trouble = "the primary goes on from what is not held here";
    actions.push_back(EndSession{event.session, trouble, /*returns=*/true});
    if (other && keeps_ != Keeps::last_resort) forget(actions);  // the next is a whole copy
    rejoin(trouble, now, actions);
    return;
  }
  receive(event, actions);
}

void Core::receive(const Joined& event, Actions& actions) {
  end_replica(actions);
  colo_ = false;
  told_ = Epoch{0};  // a whole copy's epochs begin again at 1
  if (!event.base) forget(actions);
  if (committed_ != Epoch{0}) keeps_ = Keeps::base;
  generation_ = event.generation;
  state_ = Receiving{event.session, event.host};
  replace_if_used(actions);
}

// What is held can still be taken over from: it is given up for nothing but a newer generation.
void Core::rejoin_suspect(const Joined& event, Suspecting& suspecting, Instant now,
                          Actions& actions) {
  suspecting.asking = false;
  const bool same = event.base && *event.base == committed_;
  if (event.generation == generation_ && same) {
    // A replica that runs goes on, and can be taken over from until the next commit. It has missed
    // frames, so the primary compares nothing with it and is told nothing of it.
    colo_ = false;
    told_ = committed_;
    stand_by(event.session, event.host, now, actions);
    return;
  }
  const bool whole = !event.base && !flushing_;
  if (event.generation > generation_ && (same || whole)) {
    receive(event, actions);  // it claimed, won, and spoke
    return;
  }
  suspecting.trouble = "the primary does not go on from what is held here";
  suspecting.redial = now + config_.join_retry;
  actions.push_back(EndSession{event.session, suspecting.trouble, /*returns=*/true});
}

void Core::on(const JoinFailed& event, Instant now, Actions&) {
  if (auto* joining = std::get_if<Joining>(&state_); joining != nullptr && joining->asking) {
    *joining = Joining{event.error.text(), now + config_.join_retry, false};
  } else if (auto* suspecting = std::get_if<Suspecting>(&state_);
             suspecting != nullptr && suspecting->asking) {
    suspecting->asking = false;
    suspecting->trouble = event.error.text();
    suspecting->redial = now + config_.join_retry;
  }
}

// --- checkpoints ---------------------------------------------------------------------------------

void Core::stand_by(Session session, std::string host, Instant now, Actions& actions) {
  state_ = Standby{session, std::move(host)};
  if (!wants_replica() || !loaded()) replace_if_used(actions);
  fit_standby(actions);
  flush(actions);
  tell_replica(actions);
  follow(now, actions);
}

void Core::on(const StagedComplete& event, Instant now, Actions& actions) {
  if (session() != event.session) return;
  const auto* suspecting = std::get_if<Suspecting>(&state_);
  if (suspecting != nullptr && suspecting->lane_closed) return;
  if (event.epoch != committed_.next()) {
    // The stager checks this too; a core that relied on it could acknowledge what it lacks.
    const Error error{"out-of-order",
                      "checkpoint " + std::to_string(event.epoch.value) + " arrived where " +
                          std::to_string(committed_.next().value) + " was due",
                      "run the same version of colo on both hosts"};
    // Told at once: a primary that is well must have its head start.
    if (!std::holds_alternative<Receiving>(state_)) {
      actions.push_back(EndSession{event.session, error.text(), /*returns=*/true});
    }
    on(PeerSuspected{event.session, error, true}, now, actions);
    return;
  }
  committed_ = event.epoch;
  held_in_ = generation_;
  keeps_ = Keeps::takeable;
  actions.push_back(Commit{event.session, event.epoch});
  actions.push_back(Acknowledge{event.session, generation_, event.epoch});
  // Now this checkpoint is what is taken over from: what the primary releases on our word is in its
  // past, and need not be in the old replica's.
  end_replica(actions);
  ran_ = Epoch{0};
  replica_failures_ = 0;
  if (!colo_) private_wanted_ = false;
  stand_by(event.session, host(), now, actions);
}

std::string Core::host() const {
  return std::visit(overloaded{[](const Receiving& state) { return state.host; },
                               [](const Standby& state) { return state.host; },
                               [](const HandingOver& state) { return state.host; },
                               [](const Suspecting& state) { return state.host; },
                               [](const auto&) { return std::string(); }},
                    state_);
}

// --- the peer is silent or gone ------------------------------------------------------------------

void Core::on(const PeerGone& event, Instant now, Actions& actions) {
  if (session() != event.session) return;
  if (event.guest_ends || std::holds_alternative<Receiving>(state_)) {
    actions.push_back(EndSession{event.session, ""});
    if (event.guest_ends) forget(actions);
    rejoin(event.error.text(), now, actions);
    return;
  }
  claim(event.error.text(), "", actions);
}

void Core::on(const PeerSuspected& event, Instant now, Actions& actions) {
  if (session() != event.session) return;
  if (std::holds_alternative<Receiving>(state_)) {
    actions.push_back(EndSession{event.session, event.error.text(), /*returns=*/true});
    rejoin(event.error.text(), now, actions);
    return;
  }
  if (auto* known = std::get_if<Suspecting>(&state_)) {
    known->lane_closed = known->lane_closed || event.lane_closed;
    return;
  }
  Suspecting suspecting;
  suspecting.session = event.session;
  suspecting.host = host();
  suspecting.cause = event.error;
  suspecting.until = now + config_.head_start + config_.grace;
  suspecting.lane_closed = event.lane_closed;
  if (config_.grace > Duration{0}) suspecting.redial = now + config_.head_start;
  state_ = std::move(suspecting);
}

void Core::on(const PeerHeard& event, Instant now, Actions& actions) {
  auto* suspecting = std::get_if<Suspecting>(&state_);
  if (suspecting == nullptr || suspecting->session != event.session || suspecting->lane_closed) {
    return;
  }
  stand_by(event.session, host(), now, actions);
}

}  // namespace colo::secondary
