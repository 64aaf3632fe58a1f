// States, events and actions of both cores as words, for the trace and the table of what was
// reached.
#pragma once

#include <array>
#include <string>
#include <variant>

#include "primary/core.h"
#include "secondary/core.h"

namespace colo::sim {

template <class Variant>
using Names = std::array<const char*, std::variant_size_v<Variant>>;

inline constexpr Names<primary::State> primary_states{
    "Starting", "Solo", "Syncing", "Protected", "Reconnecting", "HandingOver",
    "Claiming", "Lost", "Left",    "Ending",    "Ended"};
inline constexpr Names<secondary::State> secondary_states{
    "Joining",  "Receiving",  "Standby",    "Suspecting", "HandingOver",
    "Claiming", "TakingOver", "GivingBack", "Live",       "Ended"};
inline constexpr std::array<const char*, 5> phases{"attaching", "idle", "passing", "capturing",
                                                   "awaiting"};
inline constexpr std::array<const char*, 6> takeover_steps{"flushing",  "preparing", "loading",
                                                           "acquiring", "resuming",  "failed"};
inline constexpr std::array<const char*, 4> source_steps{"passing", "saving", "loading",
                                                         "claiming"};
inline constexpr std::array<const char*, 4> target_steps{"preparing", "flushing", "loading",
                                                         "loaded"};

[[nodiscard]] std::string name_of(const primary::State& state);
[[nodiscard]] std::string name_of(const secondary::State& state);
[[nodiscard]] std::string name_of(const primary::Event& event);
[[nodiscard]] std::string name_of(const secondary::Event& event);
[[nodiscard]] std::string name_of(const primary::Action& action);
[[nodiscard]] std::string name_of(const secondary::Action& action);

}  // namespace colo::sim
