// Durations, sizes, addresses and names as an operator writes them.
//
// Errors: each names the text and says how to write it. Threads: none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "app/config.h"
#include "base/result.h"
#include "base/types.h"

namespace colo::app {

// "1500us", "50ms", "1s", "2min": a whole number and a unit. Errors: "bad-duration".
[[nodiscard]] Result<Duration> parse_duration(std::string_view text);
// The shortest of these forms that loses nothing.
[[nodiscard]] std::string duration_text(Duration duration);

// "512B", "4KiB", "64MiB", "1GiB", "1TiB". Errors: "bad-size".
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);
[[nodiscard]] std::string size_text(std::uint64_t bytes);

// "10.77.1.1:7700", "[fd00::1]:7700". Errors: "bad-address".
[[nodiscard]] Result<Address> parse_address(std::string_view text);

// How many letters to change, add or drop to make one of the other.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

// Length first: no text can look like the end of another. For what both hosts hash and compare.
[[nodiscard]] std::string counted(std::string_view text);

}  // namespace colo::app
