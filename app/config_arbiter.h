// The table [arbiter] of the configuration. Threads: none.
#pragma once

#include <ostream>

#include "app/config.h"
#include "app/config_reader.h"

namespace colo::app {

// REQUIRES: hosts were read: a fence agent needs a target for each.
void read_arbiter(TableReader& top, Config& config, Problems& problems);

// Its lines of Config::canonical(): what both hosts must agree on. Paths to secrets and to this
// host's own record may differ, and how long one waits too.
void render_arbiter(std::ostream& out, const Config& config);

}  // namespace colo::app
