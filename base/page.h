// What is true of any page's bytes.
#pragma once

#include "base/types.h"

namespace colo {

// REQUIRES: page.size() == page_bytes.
[[nodiscard]] bool is_zero_page(ByteView page);

}  // namespace colo
