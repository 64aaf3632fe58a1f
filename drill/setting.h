// The guest and the configuration that a drill's pair is started with.
#pragma once

#include "demo/setting.h"
#include "drill/drill.h"

namespace colo::drill {

// Without the programs and files that it needs.
[[nodiscard]] demo::Setting setting_of(const Drill& drill, demo::GuestKind guest,
                                       const std::string& mode);
// Between two checkpoints where nothing else asks for one.
[[nodiscard]] std::uint32_t interval_ms_of(const Drill& drill, demo::GuestKind guest,
                                           const std::string& mode);
// Of a link that makes the first copy of such a guest last some seconds.
[[nodiscard]] std::uint64_t first_copy_bytes_per_second(demo::GuestKind guest);

}  // namespace colo::drill
