#include "app/engine_trace.h"

#include <spdlog/spdlog.h>

#include "base/overloaded.h"

namespace colo::app {
namespace {

void tell(const char* step) { spdlog::trace("step: {}", step); }
void tell(const char* step, Epoch epoch) { spdlog::trace("step: {} {}", step, epoch.value); }

constexpr auto no_step = [](const auto&) {};

}  // namespace

void trace_step(const primary::Event& event) {
  if (!spdlog::should_log(spdlog::level::trace)) return;
  std::visit(overloaded{[](const primary::StandstillEnded& e) { tell("sending", e.epoch); },
                        [](const primary::Captured& e) { tell("awaiting", e.epoch); },
                        [](const primary::CommitAcknowledged& e) { tell("acknowledged", e.epoch); },
                        no_step},
             event);
}

void trace_step(const primary::Action& action) {
  if (!spdlog::should_log(spdlog::level::trace)) return;
  std::visit(overloaded{[](const primary::SendPass& a) { tell("pass", a.epoch); },
                        [](const primary::Capture& a) { tell("standstill", a.epoch); }, no_step},
             action);
}

void trace_step(const secondary::Event& event) {
  if (!spdlog::should_log(spdlog::level::trace)) return;
  std::visit(overloaded{[](const secondary::StagedComplete& e) { tell("staged", e.epoch); },
                        [](const secondary::Flushed& e) { tell("flushed", e.epoch); },
                        [](const secondary::Loaded&) { tell("loaded"); },
                        [](const secondary::ReplicaRuns&) { tell("replica-runs"); },
                        [](const secondary::GuestRuns&) { tell("running"); }, no_step},
             event);
}

void trace_step(const secondary::Action& action) {
  if (!spdlog::should_log(spdlog::level::trace)) return;
  std::visit(overloaded{[](const secondary::Commit& a) { tell("committed", a.epoch); },
                        [](const secondary::StartFlush&) { tell("flushing"); },
                        [](const secondary::Load&) { tell("loading"); },
                        [](const secondary::RunReplica& a) { tell("starting", a.epoch); }, no_step},
             action);
}

}  // namespace colo::app
