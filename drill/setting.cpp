#include "drill/setting.h"

namespace colo::drill {

demo::Setting setting_of(const Drill& drill, demo::GuestKind guest) {
  demo::Setting setting;
  setting.guest = guest;
  setting.log_level = "trace";
  const bool heavy = drill.load == Load::heavy;
  if (guest == demo::GuestKind::qemu) {
    setting.memory_mib = 192;
    setting.delay_ms = heavy ? 200 : 100;
    setting.dirty_pages_per_second = heavy ? 20'000 : 2'000;
  } else {
    setting.memory_mib = heavy ? 64 : 8;
    setting.delay_ms = heavy ? 200 : 50;
    setting.dirty_pages_per_second = heavy ? 20'000 : 500;
  }
  setting.more_config =
      "\n[heartbeat]\ninterval = \"100ms\"\nlost_after = \"1s\"\nhead_start = \"300ms\"\n";
  if (drill.grace_ms > 0) {
    setting.more_config += "grace = \"" + std::to_string(drill.grace_ms) + "ms\"\n";
  }
  return setting;
}

std::uint64_t first_copy_bytes_per_second(demo::GuestKind guest) {
  return guest == demo::GuestKind::qemu ? 20'000'000 : 3'000'000;
}

}  // namespace colo::drill
