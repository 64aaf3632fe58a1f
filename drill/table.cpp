#include "drill/table.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

namespace colo::drill {
namespace {

using Json = nlohmann::ordered_json;

std::string padded(std::string text, std::size_t width, bool right = false) {
  if (text.size() >= width) return text;
  const std::string space(width - text.size(), ' ');
  return right ? space + text : text + space;
}

std::string ms(const Json& value) {
  if (value.is_null()) return "-";
  std::array<char, 32> text{};
  const double number = value.get<double>();
  std::snprintf(text.data(), text.size(), number < 100 ? "%.1f" : "%.0f", number);
  return text.data();
}

std::string text_of(const Json& value) { return value.is_null() ? "-" : value.get<std::string>(); }

bool is(const Json& record, const char* key, const char* word) {
  return record.at(key).is_string() && record.at(key) == word;
}

// The guest went on on the other host.
bool took_over(const Json& record) {
  return is(record, "outcome", "taken-over") || is(record, "outcome", "moved");
}

std::vector<double> sorted_values(const std::vector<Json>& records, const char* part,
                                  const char* key) {
  std::vector<double> values;
  for (const Json& record : records) {
    const Json& value = record.at(part).at(key);
    if (!value.is_null()) values.push_back(value.get<double>());
  }
  std::sort(values.begin(), values.end());
  return values;
}

// "12.1 (30.0)": median and worst; one value alone stands alone.
std::string spread(const std::vector<Json>& records, const char* part, const char* key) {
  const std::vector<double> values = sorted_values(records, part, key);
  if (values.empty()) return "-";
  const std::string middle = ms(values[values.size() / 2]);
  return values.size() == 1 ? middle : middle + " (" + ms(values.back()) + ")";
}

std::string outcomes(const std::vector<Json>& records) {
  std::map<std::string, std::size_t> counts;
  for (const Json& record : records) counts[text_of(record.at("outcome"))] += 1;
  std::string text;
  for (const auto& [outcome, count] : counts) {
    text += (text.empty() ? "" : ", ") + outcome;
    if (counts.size() > 1) text += " " + std::to_string(count);
  }
  return text;
}

std::string verdicts(const std::vector<Json>& records) {
  std::string text;
  for (const char* word : {"passed", "failed", "not-run"}) {
    const auto count = std::count_if(records.begin(), records.end(), [&](const Json& record) {
      return is(record, "verdict", word);
    });
    if (count == 0) continue;
    text += (text.empty() ? "" : ", ") + std::string(word);
    if (records.size() > 1) text += " " + std::to_string(count);
  }
  return text;
}

constexpr std::array<std::size_t, 8> widths{44, 12, 15, 15, 15, 15, 15, 15};

std::string row(const std::array<std::string, 8>& cells, const std::string& last) {
  std::string text = " ";
  for (std::size_t i = 0; i < cells.size(); ++i) {
    text += " " + padded(cells[i], widths[i], i > 1);
  }
  return text + "  " + last + "\n";
}

}  // namespace

std::string round_line(const Json& record) {
  const Json& times = record.at("times_ms");
  std::string text = padded(record.at("verdict"), 8) + padded(record.at("name"), 44) +
                     padded(text_of(record.at("outcome")), 12);
  if (!record.at("phase").is_null()) text += "in " + record.at("phase").get<std::string>() + "; ";
  text += "detected " + ms(times.at("detected")) + ", claimed " + ms(times.at("claimed")) +
          ", resumed " + ms(times.at("resumed")) + ", first reply " + ms(times.at("first_reply")) +
          ", gap " + ms(record.at("client").at("longest_gap_ms")) + ", protected again " +
          ms(times.at("protected_again")) + " ms";
  if (record.contains("reason")) text += "; " + record.at("reason").get<std::string>();
  text += "\n";
  if (record.contains("failures")) {
    for (const Json& failure : record.at("failures")) {
      text += "  FAILED  " + failure.get<std::string>() + "\n";
    }
  }
  return text;
}

Json summary(const std::vector<Json>& records) {
  std::uint64_t takeovers = 0, acknowledged = 0, lost = 0, wrong = 0;
  std::map<std::string, std::uint64_t> verdict, phases;
  for (const Json& record : records) {
    takeovers += took_over(record) ? 1 : 0;
    acknowledged += record.at("client").at("acknowledged").get<std::uint64_t>();
    lost += record.at("client").at("lost").get<std::uint64_t>();
    wrong += record.at("client").at("wrong").get<std::uint64_t>();
    verdict[record.at("verdict").get<std::string>()] += 1;
    if (!record.at("phase").is_null()) phases[record.at("phase").get<std::string>()] += 1;
  }
  Json all;
  all["rounds"] = records.size();
  for (const char* word : {"passed", "failed", "not-run"}) all[word] = verdict[word];
  all["takeovers"] = takeovers;
  all["acknowledged"] = acknowledged;
  all["lost"] = lost;
  all["wrong"] = wrong;
  all["faults_by_phase"] = phases;
  return all;
}

std::string summary_text(const std::vector<Json>& records) {
  std::vector<std::string> names;  // as they were first seen
  std::map<std::string, std::vector<Json>> by_name;
  for (const Json& record : records) {
    const std::string name = record.at("name");
    if (by_name[name].empty()) names.push_back(name);
    by_name[name].push_back(record);
  }
  std::string text = "\n  times in ms after the fault, median (worst)\n";
  text += row({"drill", "outcome", "detected", "claimed", "resumed", "first reply", "longest gap",
               "protected again"},
              "verdict");
  for (const std::string& name : names) {
    const std::vector<Json>& rounds = by_name[name];
    text +=
        row({name, outcomes(rounds), spread(rounds, "times_ms", "detected"),
             spread(rounds, "times_ms", "claimed"), spread(rounds, "times_ms", "resumed"),
             spread(rounds, "times_ms", "first_reply"), spread(rounds, "client", "longest_gap_ms"),
             spread(rounds, "times_ms", "protected_again")},
            verdicts(rounds));
  }
  const Json all = summary(records);
  text += "\n  faults by phase:";
  for (const auto& [phase, count] : all.at("faults_by_phase").items()) {
    text += " " + phase + " " + count.dump();
  }
  text += "\n  " + all.at("rounds").dump() + " rounds: " + all.at("passed").dump() + " passed, " +
          all.at("failed").dump() + " failed, " + all.at("not-run").dump() + " not run; " +
          all.at("acknowledged").dump() + " entries acknowledged\n";
  return text + "  " + all.at("takeovers").dump() + " takeovers, " + all.at("lost").dump() +
         " lost, " + all.at("wrong").dump() + " wrong\n";
}

}  // namespace colo::drill
