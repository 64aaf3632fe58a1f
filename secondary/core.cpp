#include "secondary/core.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/overloaded.h"

namespace colo::secondary {

Core::Core(CoreConfig config) : config_(config), state_(Joining{}) {}

void Core::step(const Event& event, Instant now, std::vector<Action>& actions) {
  refusal_.reset();
  if (std::holds_alternative<Live>(state_) && !std::holds_alternative<Joined>(event)) {
    // The guest of this host runs: a flush now would overwrite it.
    refusal_ = Error{"not-secondary", "this host has taken over", ""};
    return;
  }
  std::visit([&](const auto& known) { on(known, now, actions); }, event);
}

std::optional<Instant> Core::deadline() const {
  if (std::holds_alternative<Ended>(state_) || std::holds_alternative<Live>(state_)) {
    return std::nullopt;
  }
  std::optional<Instant> first = std::visit(
      overloaded{[&](const Joining& state) {
                   return standby_ready_ && !flushing_ ? state.retry : std::optional<Instant>();
                 },
                 [](const Suspecting& state) { return std::optional<Instant>(state.until); },
                 [](const Claiming& state) { return state.retry; },
                 [](const auto&) { return std::optional<Instant>(); }},
      state_);
  for (const auto& other : {standby_retry_, flush_retry_}) {
    if (other) first = first ? std::min(*first, *other) : *other;
  }
  return first;
}

std::optional<Session> Core::session() const {
  return std::visit(
      overloaded{[](const Receiving& state) { return std::optional<Session>(state.session); },
                 [](const Standby& state) { return std::optional<Session>(state.session); },
                 [](const Suspecting& state) { return std::optional<Session>(state.session); },
                 [](const auto&) { return std::optional<Session>(); }},
      state_);
}

void Core::on(const Tick&, Instant now, Actions& actions) {
  if (std::holds_alternative<Ended>(state_) || std::holds_alternative<Live>(state_)) return;
  // While taking over, advance() and try_again() see to it.
  const bool needs_standby =
      !standby_ready_ && !preparing_ && !std::holds_alternative<TakingOver>(state_);
  if (needs_standby && (!standby_retry_ || now >= *standby_retry_)) {
    standby_retry_.reset();
    preparing_ = true;
    actions.push_back(PrepareStandby{});
  }
  if (flush_retry_ && now >= *flush_retry_) {
    flush_retry_.reset();
    flush(actions);
  }
  if (auto* joining = std::get_if<Joining>(&state_)) {
    // A flush of the last session may still write to the memory that the next one would fill.
    if (!standby_ready_ || flushing_ || !joining->retry || now < *joining->retry) return;
    joining->retry.reset();
    joining->asking = true;
    actions.push_back(Join{});
  } else if (auto* suspecting = std::get_if<Suspecting>(&state_)) {
    if (now >= suspecting->until) claim(suspecting->cause.text(), "silent for too long", actions);
  } else if (auto* claiming = std::get_if<Claiming>(&state_)) {
    if (!claiming->retry || now < *claiming->retry) return;
    claiming->retry.reset();
    actions.push_back(StartClaim{generation_});
  }
}

// --- the standby guest ---------------------------------------------------------------------------

void Core::standby_changed(bool ready) {
  preparing_ = false;
  standby_ready_ = ready;
  // A fresh process has nothing of the memory that lives in it: it is flushed again.
  flushed_ = Epoch{0};
  flush_void_ = flushing_;
}

void Core::on(const StandbyReady&, Instant now, Actions& actions) {
  standby_changed(true);
  if (std::holds_alternative<Ended>(state_)) return;
  if (auto* joining = std::get_if<Joining>(&state_)) {
    if (!joining->asking) joining->retry = now;
    on(Tick{}, now, actions);
  } else if (auto* takeover = std::get_if<TakingOver>(&state_)) {
    advance(*takeover, actions);
  } else {
    flush(actions);
  }
}

void Core::on(const StandbyFailed& event, Instant now, Actions& actions) {
  standby_changed(false);
  if (auto* takeover = std::get_if<TakingOver>(&state_)) {
    // Loading and resuming are answered with LoadFailed; failed waits for the operator.
    const bool waiting = takeover->step == Step::flushing || takeover->step == Step::preparing;
    if (waiting) try_again(*takeover, event.error.text(), actions);
    return;
  }
  standby_retry_ = now + config_.standby_retry;
  if (auto* joining = std::get_if<Joining>(&state_)) joining->trouble = event.error.text();
}

// --- joining and receiving -----------------------------------------------------------------------

void Core::on(const Joined& event, Instant, Actions& actions) {
  if (!std::holds_alternative<Joining>(state_)) {
    actions.push_back(EndSession{event.session, "not joining any more"});
    return;
  }
  generation_ = event.generation;
  committed_ = Epoch{0};
  flushed_ = Epoch{0};
  state_ = Receiving{event.session, event.host};
}

void Core::on(const JoinFailed& event, Instant now, Actions&) {
  if (auto* joining = std::get_if<Joining>(&state_)) {
    *joining = Joining{event.error.text(), now + config_.join_retry, false};
  }
}

void Core::on(const StagedComplete& event, Instant now, Actions& actions) {
  if (session() != event.session) return;
  if (event.epoch != committed_.next()) {
    // The stager checks this too; a core that relied on it could acknowledge what it lacks.
    const Error error{"out-of-order",
                      "checkpoint " + std::to_string(event.epoch.value) + " arrived where " +
                          std::to_string(committed_.next().value) + " was due",
                      "run the same version of colo on both hosts"};
    // Told at once: a primary that is well must have its head start.
    if (!std::holds_alternative<Receiving>(state_)) {
      actions.push_back(EndSession{event.session, error.text()});
    }
    on(PeerSuspected{event.session, error, true}, now, actions);
    return;
  }
  if (auto* suspecting = std::get_if<Suspecting>(&state_)) {
    if (suspecting->lane_closed) return;
    state_ = Standby{suspecting->session, suspecting->host};
  }
  committed_ = event.epoch;
  actions.push_back(Commit{event.session, event.epoch});
  actions.push_back(Acknowledge{event.session, generation_, event.epoch});
  if (auto* receiving = std::get_if<Receiving>(&state_)) {
    state_ = Standby{receiving->session, std::move(receiving->host)};
  }
  flush(actions);
}

void Core::flush(Actions& actions) {
  // Without a standby there is nothing to flush into; StandbyReady flushes all of it.
  if (!standby_ready_ || flushing_ || committed_ == Epoch{0} || flushed_ == committed_) return;
  flushing_ = true;
  flush_retry_.reset();
  actions.push_back(StartFlush{});
}

void Core::on(const Flushed& event, Instant now, Actions& actions) {
  flushing_ = false;
  if (!std::exchange(flush_void_, false)) flushed_ = event.epoch;
  if (std::holds_alternative<Ended>(state_)) return;
  if (std::holds_alternative<Joining>(state_)) {
    on(Tick{}, now, actions);
    return;
  }
  if (auto* takeover = std::get_if<TakingOver>(&state_)) {
    advance(*takeover, actions);
  } else {
    flush(actions);
  }
}

void Core::on(const FlushFailed& event, Instant now, Actions& actions) {
  flushing_ = false;
  const bool into_the_standby = !std::exchange(flush_void_, false);
  auto* takeover = std::get_if<TakingOver>(&state_);
  if (takeover == nullptr) {
    flush_retry_ = now + config_.flush_retry;
  } else if (takeover->step == Step::flushing && into_the_standby) {
    // Counted, so that a flush which cannot succeed ends before the operator instead of never.
    try_again(*takeover, event.error.text(), actions);
  } else {
    advance(*takeover, actions);
  }
}

}  // namespace colo::secondary
