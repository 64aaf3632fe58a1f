// What a round must show to pass, beyond its end: rules over a report, each of which adds a check.
//
// Threads: none.
#pragma once

#include <cstdint>
#include <string>

#include "demo/report.h"

namespace colo::demo {

inline constexpr std::uint64_t replies_wanted = 20;  // of each conversation
inline constexpr std::uint64_t visits_wanted = 3;    // the same

// The long connection; so many replies were heard behind the fault.
void check_client(RoundReport& report, std::uint64_t replies_behind);
// The new connections; so many were made behind the fault. Nothing where there were none at all.
void check_visits(RoundReport& report, std::uint64_t visits_behind);
// What the engines said just before the fault, and `mode` was asked for. In COLO mode that a
// replica happens to be replaced in that moment is no fault: what counts is how much was compared.
void check_protection(RoundReport& report, const std::string& mode);

}  // namespace colo::demo
