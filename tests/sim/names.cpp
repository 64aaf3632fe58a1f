#include "tests/sim/names.h"

namespace colo::sim {

namespace {

constexpr Names<primary::Event> primary_events{"claim answered", "claim unanswered",
                                               "guest runs",     "guest failed",
                                               "guest ended",    "bulk attached",
                                               "pass ended",     "standstill ended",
                                               "captured",       "capture failed",
                                               "acknowledged",   "peer lost",
                                               "peer loaded",    "peer load failed",
                                               "peer took over", "peer runs",
                                               "ownership read", "ownership unread",
                                               "acquired",       "acquire failed",
                                               "hold full",      "tick",
                                               "peer asks",      "checkpoint asked",
                                               "delay set",      "switchover asked",
                                               "takeover asked", "stop asked",
                                               "compare asked",  "replica runs",
                                               "replica lost",   "peer asks for a checkpoint",
                                               "mode set"};
constexpr Names<secondary::Event> secondary_events{
    "joined",           "join failed",     "staged complete",
    "flushed",          "flush failed",    "peer gone",
    "peer suspected",   "peer heard",      "claim answered",
    "claim unanswered", "loaded",          "load failed",
    "acquired",         "acquire failed",  "released",
    "guest runs",       "handover asked",  "go asked",
    "cancel asked",     "peer runs",       "peer keeps its guest",
    "standby ready",    "standby failed",  "tick",
    "takeover asked",   "give-back asked", "stop asked",
    "mode told",        "replica runs",    "replica failed",
    "replica ended"};
constexpr Names<primary::Action> primary_actions{
    "StartClaim",       "ReadOwnership",   "BootGuest",      "AcceptPeer",     "RefusePeer",
    "SendPass",         "Capture",         "CaptureAndStay", "Release",        "ReleaseAll",
    "DropHeld",         "PauseGuest",      "ResumeGuest",    "EndGuest",       "AcquireResources",
    "ReleaseResources", "EndSession",      "TellGuestEnded", "TellHandover",   "TellGo",
    "TellCancel",       "BecomeSecondary", "Exit",           "StartComparing", "StopComparing",
    "TellMode"};
constexpr Names<secondary::Action> secondary_actions{"Join",
                                                     "StopJoin",
                                                     "Commit",
                                                     "Acknowledge",
                                                     "StartFlush",
                                                     "StartClaim",
                                                     "EndSession",
                                                     "Forget",
                                                     "PrepareStandby",
                                                     "Load",
                                                     "AcquireResources",
                                                     "ReleaseResources",
                                                     "Run",
                                                     "TellLoaded",
                                                     "TellLoadFailed",
                                                     "TellTookOver",
                                                     "EndGuest",
                                                     "Exit",
                                                     "RunReplica",
                                                     "EndReplica",
                                                     "HoldReplica",
                                                     "TellReplicaRuns",
                                                     "TellReplicaLost"};

// What a number of it is, where there is one that tells more.
template <class T>
std::string detail(const T& of) {
  std::string text;
  const auto number = [&text](const char* what, std::uint64_t value) {
    text += std::string(" ") + what + std::to_string(value);
  };
  if constexpr (requires { of.from.value; }) number("from ", of.from.value);
  if constexpr (requires { of.for_whom; }) {
    if (of.for_whom == heartbeat::For::nobody) text += " for nobody";
    if (of.for_whom == heartbeat::For::peer) text += " for the peer";
  }
  if constexpr (requires { of.generation.value; }) number("g", of.generation.value);
  if constexpr (requires { of.epoch.value; }) number("", of.epoch.value);
  if constexpr (requires { of.up_to.value; }) number("", of.up_to.value);
  if constexpr (requires { of.base->value; }) {
    if (of.base) number("base ", of.base->value);
  }
  if constexpr (requires { of.held->epoch.value; }) {
    if (of.held) number("holds ", of.held->epoch.value);
  }
  if constexpr (requires { of.pages + 1U; }) number("pages ", of.pages);
  if constexpr (requires { of.certain; }) text += of.certain ? " (certain)" : "";
  if constexpr (requires { of.lane_closed; }) text += of.lane_closed ? " (lane closed)" : "";
  if constexpr (requires { of.error.reason; }) text += " (" + of.error.reason + ")";
  if constexpr (requires { of.ownership.owner; }) {
    text += " " + of.ownership.owner + (of.ours ? ", this run" : "");
    number("g", of.ownership.generation.value);
  }
  if constexpr (requires { of.answer; }) {
    const auto* won = std::get_if<heartbeat::ClaimWon>(&of.answer);
    text += won != nullptr ? ": won"
                           : ": lost to " + std::get<heartbeat::ClaimLost>(of.answer).current.owner;
  }
  return text;
}

template <class Variant, std::size_t N>
std::string named(const Variant& variant, const std::array<const char*, N>& names) {
  return names[variant.index()] +
         std::visit([](const auto& known) { return detail(known); }, variant);
}

template <std::size_t N, class Step>
std::string with(const char* state, const std::array<const char*, N>& steps, Step step) {
  return std::string(state) + "/" + steps[static_cast<std::size_t>(step)];
}

}  // namespace

std::string name_of(const primary::State& state) {
  const char* name = primary_states[state.index()];
  if (const auto* handing = std::get_if<primary::HandingOver>(&state)) {
    return with(name, source_steps, handing->step);
  }
  if (const auto* syncing = std::get_if<primary::Syncing>(&state)) {
    return with(name, phases, syncing->session.phase);
  }
  if (const auto* guarded = std::get_if<primary::Protected>(&state)) {
    return with(name, phases, guarded->session.phase);
  }
  return name;
}

std::string name_of(const secondary::State& state) {
  const char* name = secondary_states[state.index()];
  if (const auto* takeover = std::get_if<secondary::TakingOver>(&state)) {
    return with(name, takeover_steps, takeover->step);
  }
  if (const auto* handing = std::get_if<secondary::HandingOver>(&state)) {
    return with(name, target_steps, handing->step);
  }
  return name;
}

std::string name_of(const primary::Event& event) { return named(event, primary_events); }
std::string name_of(const secondary::Event& event) { return named(event, secondary_events); }
std::string name_of(const primary::Action& action) { return named(action, primary_actions); }
std::string name_of(const secondary::Action& action) { return named(action, secondary_actions); }

}  // namespace colo::sim
