// `colo drill`: plays drills and reports.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace colo::drill {

struct Request {
  std::vector<std::string> names;  // empty: all that fit the guest
  bool embedded = false;
  std::string mode = "periodic";
  bool list = false;
  std::uint32_t rounds = 1;
  std::uint32_t jobs = 0;  // 0: as many as are sound
  std::uint64_t seed = 0;  // 0: a fresh one
  std::filesystem::path json_file, keep_logs, image;
};

// Adds the verb's options to its part of the command line.
void add_options(CLI::App& verb, Request& request);

// `colo` is the engine's program. Returns the exit status: 0 nothing failed, 1 something did, 2 bad
// usage, 130 interrupted.
[[nodiscard]] int run(const Request& request, const std::filesystem::path& colo);

}  // namespace colo::drill
