#include "primary/core.h"

#include <algorithm>

#include "base/overloaded.h"

namespace colo::primary {

Core Core::start(CoreConfig config, Generation from) { return Core(config, from, Starting{}); }

Core Core::solo(CoreConfig config, Generation generation, std::string reason) {
  return Core(config, generation, Solo{std::move(reason)});
}

void Core::step(const Event& event, Instant now, std::vector<Action>& actions) {
  refusal_.reset();
  std::visit([&](const auto& known) { on(known, now, actions); }, event);
}

std::optional<Instant> Core::deadline() const {
  const auto of_session = [](const auto& state) -> std::optional<Instant> {
    const SessionState& of = state.session;
    const Instant due = of.phase == Phase::idle ? std::min(of.due, of.runs_by) : of.due;
    if (due == Instant::max()) return std::nullopt;
    return due;
  };
  return std::visit(
      overloaded{[&](const Syncing& state) { return of_session(state); },
                 [&](const Protected& state) { return of_session(state); },
                 [&](const HandingOver& state) { return of_session(state); },
                 [](const Reconnecting& state) { return std::optional<Instant>(state.until); },
                 [](const Starting& state) { return state.retry; },
                 [](const Claiming& state) {
                   // Only one of them: the guest waits for the first answer alone.
                   return state.retry ? state.retry : state.guest_waits;
                 },
                 [](const Lost& state) { return state.read; },
                 [](const Ending& state) { return state.retry; },
                 [](const auto&) { return std::optional<Instant>(); }},
      state_);
}

SessionState* Core::session() {
  if (auto* syncing = std::get_if<Syncing>(&state_)) return &syncing->session;
  if (auto* guarded = std::get_if<Protected>(&state_)) return &guarded->session;
  if (auto* handing = std::get_if<HandingOver>(&state_)) return &handing->session;
  return nullptr;
}

SessionState* Core::session(Session wanted) {
  SessionState* current = session();
  return current != nullptr && current->session == wanted ? current : nullptr;
}

void Core::on(const Tick&, Instant now, Actions& actions) {
  if (auto* starting = std::get_if<Starting>(&state_)) {
    if (starting->claiming || (starting->retry && now < *starting->retry)) return;
    starting->claiming = true;
    starting->retry.reset();
    actions.push_back(StartClaim{generation_});
    return;
  }
  if (auto* claiming = std::get_if<Claiming>(&state_)) {
    tick_claiming(*claiming, now, actions);
    return;
  }
  if (auto* reconnecting = std::get_if<Reconnecting>(&state_)) {
    if (now < reconnecting->until) return;
    start_claim(std::move(reconnecting->cause), std::nullopt, actions);
    return;
  }
  if (auto* lost = std::get_if<Lost>(&state_)) {
    tick_lost(*lost, now, actions);
    return;
  }
  if (auto* ending = std::get_if<Ending>(&state_)) {
    if (!ending->retry || now < *ending->retry) return;
    ending->retry.reset();
    actions.push_back(StartClaim{generation_, For::nobody});
    return;
  }
  if (SessionState* current = session()) tick_session(*current, now, actions);
}

void Core::on(const CheckpointAsked&, Instant now, Actions& actions) {
  SessionState* current = session();
  if (current == nullptr) {
    refusal_ = Error{"not-protected", "there is no secondary to send a checkpoint to",
                     "colo status FILE says what is missing"};
    return;
  }
  if (std::holds_alternative<HandingOver>(state_)) {
    refusal_ = Error{"handing-over", "the guest is being handed over to " + current->host,
                     "colo status FILE shows the step"};
    return;
  }
  if (!current->asked) current->asked = CheckpointReason::asked;
  current->due_now = true;
  tick_session(*current, now, actions);
}

void Core::on(const DelaySet& event, Instant now, Actions& actions) {
  const Duration change = event.delay - config_.delay;
  config_.delay = event.delay;
  SessionState* current = session();
  // A guest that is handed over has no next checkpoint here, unless that is cancelled.
  if (current == nullptr) return;
  if (current->phase != Phase::idle && current->phase != Phase::awaiting) return;
  // The new delay counts from the last checkpoint, so that a long one can be shortened at once.
  current->next_checkpoint += change;
  if (current->phase != Phase::idle || std::holds_alternative<HandingOver>(state_)) return;
  current->due = next_due(*current);
  tick_session(*current, now, actions);
}

}  // namespace colo::primary
