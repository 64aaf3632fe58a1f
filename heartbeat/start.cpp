#include "heartbeat/start.h"

namespace colo::heartbeat {

Start decide_start(const Ownership& current, const std::string& host,
                   const std::string& first_primary) {
  if (current.owner.empty()) return host == first_primary ? Start::claim : Start::join;
  return current.owner == host ? Start::wait : Start::join;
}

}  // namespace colo::heartbeat
