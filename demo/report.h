// What a round showed, as text and as JSON, and what several rounds showed together.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "demo/client.h"
#include "demo/engine_status.h"
#include "demo/reply_times.h"
#include "demo/visitor.h"

namespace colo::demo {

struct TakeoverTimes {  // since the fault; empty: did not happen
  std::optional<double> detected_ms, claimed_ms, resumed_ms, first_reply_ms;
};

struct Check {
  std::string what;
  bool held = false;
  std::string detail;  // shown where it did not hold
};

// Of the same run: before the secondary's engine was started, and from protection to the fault.
struct PhaseTimes {
  std::optional<ReplyFigures> unprotected, guarded;
};

struct RoundReport {
  std::string fault;
  EngineStatus before;                    // the last of the first primary before the fault
  std::optional<ReplicaFigures> replica;  // of the secondary, at the same time
  PhaseTimes reply_times, visit_times;
  std::optional<VisitFigures> visits;  // empty: the guest has no connections
  TakeoverTimes takeover;
  ClientFigures client;
  std::vector<std::string> owners;  // in the order of the generations
  std::vector<Check> checks;

  void check(std::string what, bool held, std::string detail = "");
  [[nodiscard]] bool passed() const;
};

[[nodiscard]] nlohmann::ordered_json to_json(const RoundReport& report);
// One round: its shape. More: the last one's shape, with rounds and summary.
// REQUIRES: at least one report.
[[nodiscard]] nlohmann::ordered_json to_json(const std::vector<RoundReport>& reports);

[[nodiscard]] std::string to_text(const RoundReport& report);
// Medians and worst values; empty for a single round.
[[nodiscard]] std::string summary_text(const std::vector<RoundReport>& reports);

}  // namespace colo::demo
