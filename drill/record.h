// What one round of a drill showed: the line of the report.
//
// Units: times in milliseconds after the fault; empty where there was none.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "demo/client.h"
#include "demo/engine_status.h"
#include "drill/drill.h"
#include "drill/history.h"

namespace colo::drill {

enum class Verdict {
  passed,
  failed,
  not_run,  // the fault could not be put as the drill names it
};
[[nodiscard]] const char* word(Verdict verdict);

struct Check {
  std::string what;
  bool held = false;
  std::string detail;
};

struct Times {
  std::optional<double> detected, claimed, resumed, first_reply, healed, protected_again;
};

struct Record {
  std::string drill;
  demo::GuestKind guest = demo::GuestKind::qemu;
  std::string mode = "periodic";
  std::uint32_t round = 1, attempt = 1;
  std::uint64_t seed = 0;
  std::vector<std::string> faults;
  std::optional<std::int64_t> fault_unix_ns;
  Times times;
  demo::ClientFigures client;
  double slowest_status_ms = 0;  // of both engines' answers behind the fault
  std::vector<Owner> owners;
  std::vector<std::string> speakers;  // hosts in the order in which they were heard
  std::string phase;                  // in which the fault fell
  std::set<Outcome> allowed;
  std::optional<Outcome> outcome;
  std::optional<bool> protected_again;  // empty: not asked for
  std::string not_run;                  // why, or empty
  bool missed = false;                  // the moment was: another attempt may meet it
  std::vector<Check> checks;

  void check(std::string what, bool held, std::string detail = "");
  [[nodiscard]] Verdict verdict() const;
};

// Takes the times of the first claim since the first deed (`struck`: with a switchover it may come
// before the fault that is counted from) out of the owner's status; a later claim is the way back.
// Returns since when its guest may be heard (CLOCK_REALTIME), if that is news.
std::optional<std::int64_t> note_times(const demo::EngineStatus& owner, std::int64_t struck_unix_ns,
                                       std::int64_t fault_unix_ns, Times& times);

[[nodiscard]] nlohmann::ordered_json to_json(const Record& record);

}  // namespace colo::drill
