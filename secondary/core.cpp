#include "secondary/core.h"

#include <algorithm>

#include "base/overloaded.h"

namespace colo::secondary {

Core::Core(CoreConfig config, std::optional<Kept> kept) : config_(config), state_(Joining{}) {
  if (!kept || kept->epoch == Epoch{0}) return;
  generation_ = held_in_ = kept->generation;
  committed_ = kept->epoch;
  keeps_ = kept->takeable ? Keeps::takeable : Keeps::base;
  if (!kept->takeable) return;
  Suspecting suspecting;
  suspecting.cause = {"restarted", "this engine started with a kept checkpoint", ""};
  suspecting.lane_closed = true;
  state_ = std::move(suspecting);  // its time begins with the standby guest
}

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
  std::optional<Instant> first;
  const auto consider = [&first](const std::optional<Instant>& at) {
    if (at && *at != Instant::max()) first = first ? std::min(*first, *at) : *at;
  };
  std::visit(
      overloaded{[&](const Joining& state) {
                   if (can_dial()) consider(state.retry);
                 },
                 [&](const Suspecting& state) {
                   consider(state.until);
                   if (can_dial()) consider(state.redial);
                 },
                 [&](const Claiming& state) { consider(state.retry); },
                 [&](const GivingBack& state) { consider(state.retry); }, [](const auto&) {}},
      state_);
  if (lacks_standby()) consider(standby_retry_);
  consider(flush_retry_);
  return first;
}

std::optional<Held> Core::held() const {
  if (committed_ == Epoch{0}) return std::nullopt;
  return Held{held_in_, committed_};
}

std::optional<Session> Core::session() const {
  return std::visit(
      overloaded{[](const Receiving& state) { return std::optional<Session>(state.session); },
                 [](const Standby& state) { return std::optional<Session>(state.session); },
                 [](const HandingOver& state) { return std::optional<Session>(state.session); },
                 [](const Suspecting& state) { return state.session; },
                 [](const auto&) { return std::optional<Session>(); }},
      state_);
}

void Core::on(const Tick&, Instant now, Actions& actions) {
  if (std::holds_alternative<Ended>(state_) || std::holds_alternative<Live>(state_)) return;
  tick_standby(now, actions);
  if (auto* joining = std::get_if<Joining>(&state_)) {
    if (can_dial() && joining->retry && now >= *joining->retry) dial(actions);
  } else if (auto* suspecting = std::get_if<Suspecting>(&state_)) {
    if (now >= suspecting->until) {
      claim(suspecting->cause.text(), "silent for too long", actions);
    } else if (can_dial() && suspecting->redial && now >= *suspecting->redial) {
      dial(actions);
    }
  } else if (auto* claiming = std::get_if<Claiming>(&state_)) {
    if (!claiming->retry || now < *claiming->retry) return;
    claiming->retry.reset();
    actions.push_back(StartClaim{generation_});
  } else if (auto* giving = std::get_if<GivingBack>(&state_)) {
    if (!giving->retry || now < *giving->retry) return;
    giving->retry.reset();
    actions.push_back(StartClaim{generation_, For::peer});
  }
}

}  // namespace colo::secondary
