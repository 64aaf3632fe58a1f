#include "guest/config.h"
#include "guest/qemu/command_line.h"
#include "guest/qemu/host_check.h"

namespace colo::guest {

std::vector<Finding> check_guest(const GuestConfig& config, bool own_copies) {
  if (config.kind == "embedded") return {};
  if (config.kind != "qemu") {
    return {{true, "guest-kind-unknown", "'" + config.kind + "' is no kind of guest",
             "set it to qemu or embedded"}};
  }
  std::vector<Finding> findings = command_findings(config);
  if (own_copies) {
    for (Finding& finding : own_copies_findings(config)) findings.push_back(std::move(finding));
  }
  for (Finding& finding : host_findings(config)) findings.push_back(std::move(finding));
  return findings;
}

}  // namespace colo::guest
