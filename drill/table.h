// Several records as text: a line for each round, a table over all, one closing line.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace colo::drill {

// "passed   kill-host-primary  taken-over  in stream: detected 12 ms, ..."
[[nodiscard]] std::string round_line(const nlohmann::ordered_json& record);
// A line for each drill, with medians and worst values of its rounds; how often each phase was met;
// then "N takeovers, 0 lost, 0 wrong" and the verdicts.
[[nodiscard]] std::string summary_text(const std::vector<nlohmann::ordered_json>& records);
[[nodiscard]] nlohmann::ordered_json summary(const std::vector<nlohmann::ordered_json>& records);

}  // namespace colo::drill
