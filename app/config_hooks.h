// The part of the configuration that names hooks. Threads: none.
#pragma once

#include "app/config.h"
#include "app/config_reader.h"

namespace colo::app {

void read_hooks(TableReader& top, Config& config, Problems& problems);

}  // namespace colo::app
