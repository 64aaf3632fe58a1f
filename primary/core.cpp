#include "primary/core.h"

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
  const auto of_session = [](const SessionState& session) -> std::optional<Instant> {
    if (session.due == Instant::max()) return std::nullopt;
    return session.due;
  };
  return std::visit(overloaded{[&](const Syncing& state) { return of_session(state.session); },
                               [&](const Protected& state) { return of_session(state.session); },
                               [](const Starting& state) { return state.retry; },
                               [](const Claiming& state) { return state.retry; },
                               [](const Ending& state) { return state.retry; },
                               [](const auto&) { return std::optional<Instant>(); }},
                    state_);
}

SessionState* Core::session() {
  if (auto* syncing = std::get_if<Syncing>(&state_)) return &syncing->session;
  if (auto* guarded = std::get_if<Protected>(&state_)) return &guarded->session;
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
    if (!claiming->retry || now < *claiming->retry) return;
    claiming->retry.reset();
    actions.push_back(StartClaim{generation_});
    return;
  }
  if (auto* ending = std::get_if<Ending>(&state_)) {
    if (!ending->retry || now < *ending->retry) return;
    ending->retry.reset();
    actions.push_back(StartClaim{generation_, true});
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
  current->due_now = true;
  tick_session(*current, now, actions);
}

void Core::on(const DelaySet& event, Instant now, Actions& actions) {
  SessionState* current = session();
  if (current != nullptr && (current->phase == Phase::idle || current->phase == Phase::awaiting)) {
    // The new delay counts from the last checkpoint, so that a long one can be shortened at once.
    current->next_checkpoint += event.delay - config_.delay;
    if (current->phase == Phase::idle) current->due = current->next_checkpoint;
  }
  config_.delay = event.delay;
  if (current != nullptr && current->phase == Phase::idle) tick_session(*current, now, actions);
}

}  // namespace colo::primary
