#include <string>

#include "wire/messages.h"

namespace colo::wire {

namespace {

std::string differs(const std::string& what, const std::string& ours, const std::string& theirs) {
  const auto shown = [](const std::string& value) { return value.empty() ? "(none)" : value; };
  return what + " differs: " + shown(ours) + " here, " + shown(theirs) + " there";
}

std::string described(const RegionLayout& region) {
  return region.name + " of " + std::to_string(region.pages) + " pages" +
         (region.mapped ? "" : " (not mapped)");
}

std::string hexadecimal(std::uint64_t value) {
  std::string digits(16, '0');
  for (std::size_t i = digits.size(); i-- > 0; value >>= 4)
    digits[i] = "0123456789abcdef"[value & 15];
  return digits;
}

}  // namespace

std::string difference(const Agreement& ours, const Agreement& theirs) {
  if (ours.guest_name != theirs.guest_name) {
    return differs("guest name", ours.guest_name, theirs.guest_name);
  }
  if (ours.machine != theirs.machine) {
    return differs("machine type", ours.machine, theirs.machine);
  }
  if (ours.guest_version != theirs.guest_version) {
    return differs("guest version", ours.guest_version, theirs.guest_version);
  }
  if (ours.accelerator != theirs.accelerator) {
    return differs("accelerator", ours.accelerator, theirs.accelerator);
  }
  if (ours.layout.size() != theirs.layout.size()) {
    return differs("number of memory regions", std::to_string(ours.layout.size()),
                   std::to_string(theirs.layout.size()));
  }
  for (std::size_t i = 0; i < ours.layout.size(); ++i) {
    if (ours.layout[i] == theirs.layout[i]) continue;
    return differs("memory region " + std::to_string(i), described(ours.layout[i]),
                   described(theirs.layout[i]));
  }
  if (ours.config_hash != theirs.config_hash) {
    return differs("configuration hash", hexadecimal(ours.config_hash),
                   hexadecimal(theirs.config_hash));
  }
  return {};
}

}  // namespace colo::wire
