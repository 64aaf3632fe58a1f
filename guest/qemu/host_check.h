// What of this host speaks against protecting a QEMU guest. Asks by trying: on our own memory, and
// by running `QEMU --version`; no guest is started.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "guest/config.h"

namespace colo::guest {

[[nodiscard]] std::vector<Finding> host_findings(const GuestConfig& config);

// "QEMU emulator version 7.2.22 (Debian ...)": {7, 2}. Nothing if it is no such text.
struct QemuVersion {
  int major = 0;
  int minor = 0;
};
[[nodiscard]] std::optional<QemuVersion> parse_version(std::string_view text);

}  // namespace colo::guest
