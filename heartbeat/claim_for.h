// In whose name a claim is made. Threads: none.
#pragma once

namespace colo::heartbeat {

enum class For {
  me,
  nobody,  // the guest ended on purpose, or the operator stopped it
  peer,    // giving back: the peer's run that we took the guest from; nobody else can resume it
};

}  // namespace colo::heartbeat
