#include "drill/record.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace colo::drill {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json owners_of(const Record& record) {
  Json owners = Json::array();
  for (const Owner& owner : record.owners) {
    Json since = nullptr;
    if (record.fault_unix_ns) {
      since = static_cast<double>(owner.since_ns - *record.fault_unix_ns) / 1e6;
    }
    owners.push_back({{"generation", owner.generation}, {"owner", owner.host}, {"ms", since}});
  }
  return owners;
}

}  // namespace

const char* word(Verdict verdict) {
  switch (verdict) {
    case Verdict::passed:
      return "passed";
    case Verdict::failed:
      return "failed";
    case Verdict::not_run:
      return "not-run";
  }
  return "";
}

void Record::check(std::string what, bool held, std::string detail) {
  checks.push_back({std::move(what), held, std::move(detail)});
}

Verdict Record::verdict() const {
  const bool held =
      std::all_of(checks.begin(), checks.end(), [](const Check& check) { return check.held; });
  // What went wrong counts, wherever the fault fell.
  if (!held) return Verdict::failed;
  return checks.empty() || !not_run.empty() ? Verdict::not_run : Verdict::passed;
}

std::optional<std::int64_t> note_times(const demo::EngineStatus& owner, std::int64_t struck_unix_ns,
                                       std::int64_t fault_unix_ns, Times& times) {
  if (times.resumed || !owner.detected_unix_ns || *owner.detected_unix_ns < struck_unix_ns)
    return std::nullopt;
  const auto since = [&](std::int64_t unix_ns) {
    return static_cast<double>(unix_ns - fault_unix_ns) / 1e6;
  };
  const double detected = since(*owner.detected_unix_ns);
  if (times.claimed && times.detected != detected) return std::nullopt;
  times.detected = detected;
  if (!owner.claimed_unix_ns) return std::nullopt;
  times.claimed = since(*owner.claimed_unix_ns);
  if (!owner.resumed_unix_ns) return owner.claimed_unix_ns;
  times.resumed = since(*owner.resumed_unix_ns);
  return owner.resumed_unix_ns;
}

Json to_json(const Record& record) {
  Json json;
  json["name"] = record.drill;
  json["guest"] = demo::word(record.guest);
  json["mode"] = record.mode;
  json["round"] = record.round;
  json["attempt"] = record.attempt;
  json["seed"] = record.seed;
  json["faults"] = record.faults;
  json["phase"] = record.phase.empty() ? Json(nullptr) : Json(record.phase);
  const Times& times = record.times;
  json["times_ms"] = {{"fault", record.fault_unix_ns ? Json(0) : Json(nullptr)},
                      {"detected", or_null(times.detected)},
                      {"claimed", or_null(times.claimed)},
                      {"resumed", or_null(times.resumed)},
                      {"first_reply", or_null(times.first_reply)},
                      {"healed", or_null(times.healed)},
                      {"protected_again", or_null(times.protected_again)}};
  const demo::ClientFigures& client = record.client;
  json["client"] = {{"longest_gap_ms", client.longest_gap_ms},
                    {"acknowledged", client.acknowledged},
                    {"lost", client.lost},
                    {"wrong", client.wrong},
                    {"resets", client.resets}};
  json["slowest_status_ms"] = record.slowest_status_ms;
  json["owners"] = owners_of(record);
  json["speakers"] = record.speakers;
  Json allowed = Json::array();
  for (const Outcome outcome : record.allowed) allowed.push_back(word(outcome));
  json["allowed"] = std::move(allowed);
  json["outcome"] = record.outcome ? Json(word(*record.outcome)) : Json(nullptr);
  json["protected_again"] = or_null(record.protected_again);
  json["verdict"] = word(record.verdict());
  if (!record.not_run.empty()) json["reason"] = record.not_run;
  json["missed"] = record.missed;
  Json failures = Json::array();
  for (const Check& check : record.checks) {
    if (!check.held) failures.push_back(check.what + ": " + check.detail);
  }
  if (!failures.empty()) json["failures"] = std::move(failures);
  return json;
}

}  // namespace colo::drill
