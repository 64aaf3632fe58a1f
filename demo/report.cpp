#include "demo/report.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>

namespace colo::demo {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json failures_of(const RoundReport& report) {
  Json failures = Json::array();
  for (const Check& check : report.checks) {
    if (!check.held) failures.push_back(check.what + ": " + check.detail);
  }
  return failures;
}

// The values that rounds are compared by.
struct Measure {
  const char* name;
  std::optional<double> (*of)(const RoundReport&);
};

std::optional<double> number(const std::optional<std::uint64_t>& value) {
  if (!value) return std::nullopt;
  return static_cast<double>(*value);
}

template <double ReplyFigures::*share>
std::optional<double> of(const std::optional<ReplyFigures>& figures) {
  if (!figures) return std::nullopt;
  return (*figures).*share;
}
constexpr auto p50 = of<&ReplyFigures::p50_ms>;
constexpr auto p99 = of<&ReplyFigures::p99_ms>;

// What protection adds, within one run.
std::optional<double> added(const PhaseTimes& times,
                            std::optional<double> (*share)(const std::optional<ReplyFigures>&)) {
  if (!times.guarded || !times.unprotected) return std::nullopt;
  return *share(times.guarded) - *share(times.unprotected);
}

constexpr std::array<Measure, 13> measures{{
    {"pause_p50_ms", [](const RoundReport& r) { return r.before.pause_p50_ms; }},
    {"pause_p99_ms", [](const RoundReport& r) { return r.before.pause_p99_ms; }},
    {"pause_max_ms", [](const RoundReport& r) { return r.before.pause_max_ms; }},
    {"dirty_pages_p50", [](const RoundReport& r) { return number(r.before.dirty_p50_pages); }},
    {"detected_ms", [](const RoundReport& r) { return r.takeover.detected_ms; }},
    {"claimed_ms", [](const RoundReport& r) { return r.takeover.claimed_ms; }},
    {"resumed_ms", [](const RoundReport& r) { return r.takeover.resumed_ms; }},
    {"first_reply_ms", [](const RoundReport& r) { return r.takeover.first_reply_ms; }},
    {"reply_p50_ms", [](const RoundReport& r) { return p50(r.reply_times.guarded); }},
    {"reply_p99_ms", [](const RoundReport& r) { return p99(r.reply_times.guarded); }},
    {"added_p50_ms", [](const RoundReport& r) { return added(r.reply_times, p50); }},
    {"added_p99_ms", [](const RoundReport& r) { return added(r.reply_times, p99); }},
    {"longest_gap_ms", [](const RoundReport& r) { return std::optional(r.client.longest_gap_ms); }},
}};

Json to_json(const std::optional<ReplyFigures>& figures) {
  if (!figures) return nullptr;
  return {{"p50", figures->p50_ms},
          {"p99", figures->p99_ms},
          {"max", figures->max_ms},
          {"replies", figures->replies}};
}

Json to_json(const std::optional<CompareFigures>& compare) {
  if (!compare) return nullptr;
  return {{"equal", compare->equal},
          {"different", compare->different},
          {"held_packets", compare->held_packets},
          {"oldest_ms", or_null(compare->oldest_ms)}};
}

Json to_json(const std::optional<ReplicaFigures>& replica) {
  if (!replica) return nullptr;
  return {{"running", replica->running},
          {"epoch", replica->epoch},
          {"diverged_pages", replica->diverged_pages},
          {"preimage_bytes", replica->preimage_bytes},
          {"limit_bytes", replica->limit_bytes}};
}

Json visits_of(const RoundReport& report) {
  if (!report.visits) return nullptr;
  const VisitFigures& visits = *report.visits;
  return {{"connections", visits.connections},
          {"resets", visits.resets},
          {"acknowledged", visits.acknowledged},
          {"lost", visits.lost},
          {"wrong", visits.wrong},
          {"visit_ms", to_json(report.visit_times.guarded)},
          {"unprotected_visit_ms", to_json(report.visit_times.unprotected)}};
}

std::string format_number(const Json& value) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f", value.get<double>());
  return text.data();
}

Json summary(const std::vector<RoundReport>& reports) {
  Json all;
  std::uint64_t passed = 0, acknowledged = 0, lost = 0, wrong = 0, resets = 0, visits = 0;
  for (const RoundReport& report : reports) {
    passed += report.passed() ? 1 : 0;
    acknowledged += report.client.acknowledged;
    lost += report.client.lost;
    wrong += report.client.wrong;
    resets += report.client.resets;
    if (!report.visits) continue;
    visits += report.visits->connections;
    acknowledged += report.visits->acknowledged;
    lost += report.visits->lost;
    wrong += report.visits->wrong;
    resets += report.visits->resets;
  }
  all["rounds"] = reports.size();
  all["passed"] = passed;
  all["acknowledged"] = acknowledged;
  all["lost"] = lost;
  all["wrong"] = wrong;
  all["resets"] = resets;
  all["visits"] = visits;
  for (const Measure& measure : measures) {
    std::vector<double> values;
    for (const RoundReport& report : reports) {
      if (const auto value = measure.of(report)) values.push_back(*value);
    }
    Json line = nullptr;
    if (!values.empty()) {
      std::sort(values.begin(), values.end());
      const std::size_t half = values.size() / 2;
      const double median =
          values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
      line = {{"median", median}, {"worst", values.back()}};
    }
    all[measure.name] = std::move(line);
  }
  return all;
}

}  // namespace

void RoundReport::check(std::string what, bool held, std::string detail) {
  checks.push_back({std::move(what), held, std::move(detail)});
}

bool RoundReport::passed() const {
  return !checks.empty() &&
         std::all_of(checks.begin(), checks.end(), [](const Check& check) { return check.held; });
}

Json to_json(const RoundReport& report) {
  const EngineStatus& before = report.before;
  Json json;
  json["guest"] = {{"kind", before.guest_kind},
                   {"version", before.guest_version},
                   {"accelerator", before.guest_accelerator},
                   {"memory_bytes", before.guest_memory_bytes}};
  json["mode"] = before.mode;
  json["effective_mode"] =
      before.effective_mode.empty() ? Json(nullptr) : Json(before.effective_mode);
  json["delay_ms"] = before.delay_ms;
  json["fault"] = report.fault;
  json["checkpoints"] = {
      {"committed", before.checkpoints_committed},
      {"by_reason", before.checkpoints_by_reason},
      {"pause_ms",
       {{"p50", or_null(before.pause_p50_ms)},
        {"p99", or_null(before.pause_p99_ms)},
        {"max", or_null(before.pause_max_ms)}}},
      {"dirty_pages",
       {{"p50", or_null(before.dirty_p50_pages)}, {"max", or_null(before.dirty_max_pages)}}}};
  json["compare"] = to_json(before.compare);
  json["replica"] = to_json(report.replica);
  json["takeover"] = {{"detected_ms", or_null(report.takeover.detected_ms)},
                      {"claimed_ms", or_null(report.takeover.claimed_ms)},
                      {"resumed_ms", or_null(report.takeover.resumed_ms)},
                      {"first_reply_ms", or_null(report.takeover.first_reply_ms)}};
  json["client"] = {{"connections", report.client.connections},
                    {"resets", report.client.resets},
                    {"acknowledged", report.client.acknowledged},
                    {"lost", report.client.lost},
                    {"wrong", report.client.wrong},
                    {"longest_gap_ms", report.client.longest_gap_ms},
                    {"reply_ms", to_json(report.reply_times.guarded)},
                    {"unprotected_reply_ms", to_json(report.reply_times.unprotected)}};
  json["visits"] = visits_of(report);
  json["owners"] = report.owners;
  json["verdict"] = report.passed() ? "passed" : "failed";
  if (!report.passed()) json["failures"] = failures_of(report);
  return json;
}

Json to_json(const std::vector<RoundReport>& reports) {
  Json json = to_json(reports.back());
  if (reports.size() == 1) return json;
  Json rounds = Json::array();
  bool all_passed = true;
  for (const RoundReport& report : reports) {
    rounds.push_back(to_json(report));
    all_passed = all_passed && report.passed();
  }
  json["verdict"] = all_passed ? "passed" : "failed";
  json["rounds"] = std::move(rounds);
  json["summary"] = summary(reports);
  return json;
}

std::string summary_text(const std::vector<RoundReport>& reports) {
  if (reports.size() < 2) return "";
  std::string text;
  const auto sums = summary(reports);
  for (const auto& [name, value] : sums.items()) {
    text += "  " + name + std::string(name.size() < 18 ? 18 - name.size() : 1, ' ');
    if (value.is_object()) {
      text +=
          "median " + format_number(value["median"]) + ", worst " + format_number(value["worst"]);
    } else {
      text += value.is_null() ? "-" : value.dump();
    }
    text += "\n";
  }
  return text;
}

}  // namespace colo::demo
