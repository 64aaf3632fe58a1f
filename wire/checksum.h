// The checksums of the wire. Integrity, not security: TLS keeps strangers out.
#pragma once

#include <cstdint>

#include "base/types.h"

namespace colo::wire {

[[nodiscard]] std::uint64_t checksum64(ByteView bytes);

}  // namespace colo::wire
