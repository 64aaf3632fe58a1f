// `colo check`: what is missing on this host, before a guest depends on it.
//
// Looks and tries (opens a tap, binds an address, reads the key) and undoes what it tried; the
// guest is not started. `colo run` refuses with the same findings.
// Threads: none. Blocks for as long as the shared storage does.
#pragma once

#include <string>
#include <vector>

#include "app/config.h"
#include "guest/config.h"

namespace colo::app {

// Every finding of this host. REQUIRES: `host` is one of the two.
// engine_runs: this host's engine is running, so what it holds (ports, taps) is not tried.
[[nodiscard]] std::vector<guest::Finding> check_host(const Config& config, const std::string& host,
                                                     bool engine_runs);

// "missing  key-missing: reason -> remedy"
[[nodiscard]] std::string finding_text(const guest::Finding& finding);
[[nodiscard]] bool any_fatal(const std::vector<guest::Finding>& findings);

}  // namespace colo::app
