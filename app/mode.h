// How a guest is protected: what its output waits for.
//
// Threads: none. Errors: each says what may be written.
#pragma once

#include <string_view>

#include "base/result.h"

namespace colo::app {

enum class Mode {
  periodic,   // output waits for the next checkpoint
  colo,       // the secondary's guest runs too; what both say leaves at once
  automatic,  // colo, and periodic for a time where the guests differ too often
};
// As an operator writes it: "periodic", "colo", "auto".
[[nodiscard]] const char* word(Mode mode);
// Errors: "unknown-mode".
[[nodiscard]] Result<Mode> parse_mode(std::string_view text);

}  // namespace colo::app
