// The parts of the configuration that name things of both hosts: network cards and hosts.
// Threads: none.
#pragma once

#include <cstdint>

#include "app/config.h"
#include "app/config_reader.h"

namespace colo::app {

void read_nics(TableReader& top, Config& config, Problems& problems);

// REQUIRES: name, run_directory, first_primary and nics were read.
// first_primary_line: of the key `first_primary`, 0 if it is missing.
void read_hosts(TableReader& top, Config& config, std::uint32_t first_primary_line,
                Problems& problems);

}  // namespace colo::app
