#include "tests/sim/reach.h"

#include <cstdio>

#include "tests/sim/names.h"

namespace colo::sim {

namespace {

constexpr std::array<const char*, mark_count> mark_names{
    "takeover: the guest runs",
    "claim unanswered",
    "claim lost by a primary",
    "claim lost by a secondary",
    "claim counted after its asker gave up",
    "frame released by an acknowledgement",
    "acknowledged before captured",
    "hold queue full",
    "cache full",
    "flush torn",
    "load failed",
    "resume failed",
    "capture failed",
    "captures given up",
    "engine noticed that it stood still",
    "both guests ran for a while",
    "host waits at its start",
    "booted anew by the operator",
    "no copy left when all healed",
    "operator needed",
    "operator went back to an older copy",
    "rejoined",
    "protected again after healing",
    "lane timed out",
    "lane reset by a rebooted host",
    "dial refused",
    "datagram overtaken",
    "session resumed",
    "first copy resumed",
    "kept checkpoint, takeable",
    "kept checkpoint, only a base",
    "primary became secondary",
    "hook failed",
    "given back, seen at the arbiter",
    "given back, told by a lost claim",
    "switchover done",
    "switchover cancelled",
    "guest went on while its claim was unanswered",
    "frame released by comparison",
    "a guest went its own way",
    "a replica ran",
    "a replica was lost",
    "a replica did not run",
    "a replica fell behind",
    "a replica hung",
    "a replica asked for a checkpoint",
    "a replica waited at its limit",
    "a replica was taken over",
    "a survivor of COLO was protected again",
    "mode changed",
    "kept checkpoint that was run",
    "news were dropped after a standstill",
    "a client's answer waited for the replica",
    "segment sent",
    "segment too old for a client",
};

}  // namespace

void Reach::state(const primary::State& state) {
  ++primary_[state.index()];
  const auto* syncing = std::get_if<primary::Syncing>(&state);
  const auto* guarded = std::get_if<primary::Protected>(&state);
  const primary::SessionState* session = nullptr;
  if (syncing != nullptr) session = &syncing->session;
  if (guarded != nullptr) session = &guarded->session;
  if (const auto* handing = std::get_if<primary::HandingOver>(&state)) {
    ++source_[static_cast<std::size_t>(handing->step)];
  }
  if (session == nullptr) return;
  ++phases_[static_cast<std::size_t>(session->phase)];
  if (!session->switchover_trouble.empty()) mark(Mark::switchover_cancelled);
  if (session->acknowledged_early) mark(Mark::acknowledged_early);
  if (session->failures >= 2) mark(Mark::capture_failed_thrice);
}

void Reach::state(const secondary::State& state) {
  ++secondary_[state.index()];
  if (const auto* takeover = std::get_if<secondary::TakingOver>(&state)) {
    ++takeover_[static_cast<std::size_t>(takeover->step)];
    if (takeover->switchover && takeover->step == secondary::Step::resuming) {
      mark(Mark::switched_over);
    }
  }
  if (const auto* handing = std::get_if<secondary::HandingOver>(&state)) {
    ++target_[static_cast<std::size_t>(handing->step)];
  }
}

void Reach::schedule(std::uint64_t steps, Duration time) {
  ++schedules_;
  steps_ += steps;
  simulated_seconds_ += std::chrono::duration<double>(time).count();
}

template <class Visit>
void Reach::for_each(Visit&& visit) const {
  for (std::size_t i = 0; i < fault_count; ++i) {
    visit("fault", name(static_cast<Fault>(i)), faults_[i]);
  }
  for (std::size_t i = 0; i < primary_.size(); ++i)
    visit("primary", primary_states[i], primary_[i]);
  for (std::size_t i = 0; i < phases.size(); ++i) {
    visit("session", phases[i], phases_[i]);
  }
  for (std::size_t i = 0; i < secondary_.size(); ++i) {
    visit("secondary", secondary_states[i], secondary_[i]);
  }
  for (std::size_t i = 0; i < takeover_steps.size(); ++i) {
    visit("takeover", takeover_steps[i], takeover_[i]);
  }
  for (std::size_t i = 0; i < source_steps.size(); ++i) {
    visit("handover", source_steps[i], source_[i]);
  }
  for (std::size_t i = 0; i < target_steps.size(); ++i) {
    visit("taking it", target_steps[i], target_[i]);
  }
  for (std::size_t i = 0; i < mark_count; ++i) visit("moment", mark_names[i], marks_[i]);
}

void Reach::add(const Reach& other) {
  const auto sum = [](auto& to, const auto& from) {
    for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
  };
  sum(faults_, other.faults_);
  sum(marks_, other.marks_);
  sum(primary_, other.primary_);
  sum(secondary_, other.secondary_);
  sum(phases_, other.phases_);
  sum(takeover_, other.takeover_);
  sum(source_, other.source_);
  sum(target_, other.target_);
  schedules_ += other.schedules_;
  steps_ += other.steps_;
  simulated_seconds_ += other.simulated_seconds_;
}

std::string Reach::table() const {
  std::string text;
  char line[160];
  for_each([&](const char* kind, const char* what, std::uint64_t count) {
    std::snprintf(line, sizeof line, "%-10s %-40s %14llu\n", kind, what,
                  static_cast<unsigned long long>(count));
    text += line;
  });
  std::snprintf(line, sizeof line, "%llu steps, %.0f simulated seconds\n",
                static_cast<unsigned long long>(steps_), simulated_seconds_);
  return text + line;
}

std::vector<std::string> Reach::missing() const {
  std::vector<std::string> all;
  for_each([&](const char* kind, const char* what, std::uint64_t count) {
    if (count == 0) all.push_back(std::string(kind) + ": " + what);
  });
  return all;
}

}  // namespace colo::sim
