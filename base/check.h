// Checks of our own invariants. They stay on in release: a wrong engine must stop, not guess.
// Never for what a peer, a guest or an operator sent; that is a Result.
#pragma once

namespace colo {
[[noreturn]] void check_failed(const char* expression, const char* file, int line);
}

#define COLO_CHECK(condition)                                               \
  do {                                                                      \
    if (!(condition)) ::colo::check_failed(#condition, __FILE__, __LINE__); \
  } while (false)
