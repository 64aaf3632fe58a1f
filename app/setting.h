// What `colo set FILE KEY=VALUE` can change in a running engine; until that engine ends.
//
// Threads: none. Errors: each says how to write it.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "app/config.h"
#include "base/result.h"

namespace colo::app {

struct DelaySetting {
  Duration delay;
};
struct ModeSetting {
  Mode mode;
};
struct PeerSetting {  // where this host dials the other
  Address replication;
};
struct PeerHeartbeatSetting {  // one for each link, in the order of the configuration
  std::vector<Address> links;
};
using Setting = std::variant<DelaySetting, ModeSetting, PeerSetting, PeerHeartbeatSetting>;

// "delay" "50ms"; "mode" "auto"; "peer" "10.0.0.2:7700"; "peer-heartbeat"
// "10.0.0.2:7701,10.1.0.2:7701". Errors: "unknown-key"; "bad-duration", "out-of-bounds",
// "unknown-mode", "bad-address".
[[nodiscard]] Result<Setting> parse_setting(const std::string& key, const std::string& value);

}  // namespace colo::app
