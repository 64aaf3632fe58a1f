// Makes QEMU guests of one configuration, all on the same memory.
#pragma once

#include <memory>

#include "guest/config.h"

namespace colo::guest {

// Errors: what command_findings() of the configured command says first.
[[nodiscard]] Result<std::unique_ptr<GuestMaker>> make_qemu_maker(const GuestConfig& config);

}  // namespace colo::guest
