// What an engine may do when it starts, from the ownership at the arbiter alone. A started engine
// has no memory of what it was: only the arbiter says who may touch the guest.
#pragma once

#include <string>

#include "heartbeat/arbiter.h"

namespace colo::heartbeat {

enum class Start {
  claim,  // nobody owns the guest and this host is the first primary: claim, then boot
  join,   // the other host owns it, or will: become its secondary
  wait,   // an earlier run of this host owned it. Its memory is gone, and the peer may hold a
          // complete checkpoint: booting now could lose what clients were told. Wait for the
          // peer's takeover or for the operator's word.
};

[[nodiscard]] Start decide_start(const Ownership& current, const std::string& host,
                                 const std::string& first_primary);

}  // namespace colo::heartbeat
