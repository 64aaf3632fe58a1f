// How a frame is begun and sealed; shared by the encoders of this room.
#pragma once

#include "base/types.h"
#include "wire/header.h"
#include "wire/messages.h"

namespace colo::wire {

// REQUIRES: frame holds header_bytes of room, then the whole body of at most body_bytes_max.
// Fills the header in, both checksums included.
void seal(Bytes& frame, Kind kind, FrameNumbers numbers);

}  // namespace colo::wire
