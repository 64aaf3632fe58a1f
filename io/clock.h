// The engine's steady clock, as the Instant that the pure rooms take as an argument.
// Threads: any.
#pragma once

#include <chrono>

#include "base/types.h"

namespace colo::io {

[[nodiscard]] inline Instant steady_now() {
  return Instant(
      std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now().time_since_epoch()));
}

}  // namespace colo::io
