#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace colo {

void check_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "colo: invariant broken at %s:%d: %s\n", file, line, expression);
  std::abort();
}

}  // namespace colo
