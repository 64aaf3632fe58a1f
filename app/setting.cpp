#include "app/setting.h"

#include <algorithm>

#include "app/config_reader.h"
#include "app/units.h"

namespace colo::app {
namespace {

Result<std::vector<Address>> parse_addresses(const std::string& text) {
  std::vector<Address> all;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    const auto one = parse_address(std::string_view(text).substr(begin, end - begin));
    if (!one) return fail(one.error());
    all.push_back(*one);
    begin = end + 1;
  }
  return all;
}

}  // namespace

Result<Setting> parse_setting(const std::string& key, const std::string& value) {
  if (key == "delay") {
    return parse_delay(value).map([](Duration delay) { return Setting{DelaySetting{delay}}; });
  }
  if (key == "mode") {
    return parse_mode(value).map([](Mode mode) { return Setting{ModeSetting{mode}}; });
  }
  if (key == "peer") {
    return parse_address(value).map(
        [](const Address& address) { return Setting{PeerSetting{address}}; });
  }
  if (key == "peer-heartbeat") {
    return parse_addresses(value).map(
        [](std::vector<Address> links) { return Setting{PeerHeartbeatSetting{std::move(links)}}; });
  }
  return fail("unknown-key", "\"" + key + "\" cannot be set while the guest runs",
              nearest_hint(key, {"delay", "mode", "peer", "peer-heartbeat"}));
}

}  // namespace colo::app
