#include "app/mode.h"

#include <array>

namespace colo::app {

const char* word(Mode mode) {
  switch (mode) {
    case Mode::periodic:
      return "periodic";
    case Mode::colo:
      return "colo";
    case Mode::automatic:
      return "auto";
  }
  return "periodic";
}

Result<Mode> parse_mode(std::string_view text) {
  for (const Mode mode : std::array{Mode::periodic, Mode::colo, Mode::automatic}) {
    if (text == word(mode)) return mode;
  }
  return fail("unknown-mode", "there is no mode \"" + std::string(text) + "\"",
              R"(write "periodic", "colo" or "auto")");
}

}  // namespace colo::app
