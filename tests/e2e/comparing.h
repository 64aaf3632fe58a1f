// What the tests of COLO mode ask of a pair.
#pragma once

#include "tests/e2e/pair_fixture.h"

namespace colo::e2e {

// Nothing but a difference, or the test, causes a checkpoint.
inline Settings comparing() {
  Settings settings;
  settings.mode = "colo";
  settings.more = "\n[colo]\nmax_interval = \"300s\"\nsilence = \"2s\"\nbehind = \"10s\"\n";
  return settings;
}

inline testing::AssertionResult compares(const Pair& pair, const std::string& primary) {
  return pair.shows(primary, "that it compares", [](const app::Status& status) {
    return status.state == State::protected_ && status.effective_mode &&
           status.effective_mode->mode == "colo";
  });
}

inline std::uint64_t equal(const app::Status& status) {
  return status.compare ? status.compare->equal : 0;
}

inline std::uint64_t checkpoints(const app::Status& status, const std::string& reason) {
  if (!status.checkpoints) return 0;
  for (const auto& [name, count] : status.checkpoints->by_reason) {
    if (name == reason) return count;
  }
  return 0;
}

inline testing::AssertionResult releases_by_comparing(const Pair& pair,
                                                      const std::string& primary) {
  const std::uint64_t before = equal(pair.status(primary));
  return pair.shows(primary, "that equal frames leave",
                    [&](const app::Status& status) { return equal(status) >= before + 10; });
}

}  // namespace colo::e2e
