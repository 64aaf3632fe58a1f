#include "drill/setting.h"

namespace colo::drill {

std::uint32_t interval_ms_of(const Drill& drill, demo::GuestKind guest, const std::string& mode) {
  const bool heavy = drill.load == Load::heavy;
  if (mode == "periodic") return heavy ? 200 : guest == demo::GuestKind::qemu ? 100 : 50;
  // The default, 10 s, would make long rounds; a replica must run for most of it.
  if (guest == demo::GuestKind::qemu) return heavy ? 1500 : 2000;
  return heavy ? 400 : 1000;
}

demo::Setting setting_of(const Drill& drill, demo::GuestKind guest, const std::string& mode) {
  demo::Setting setting;
  setting.guest = guest;
  setting.mode = mode;
  setting.log_level = "trace";
  const bool heavy = drill.load == Load::heavy;
  // Two guests write, and the intervals are longer.
  const bool replicas = mode != "periodic";
  const std::uint32_t heavy_pages = replicas ? 6'000 : 20'000;
  if (guest == demo::GuestKind::qemu) {
    setting.memory_mib = 192;
    setting.dirty_pages_per_second = heavy ? heavy_pages : 2'000;
  } else {
    setting.memory_mib = !heavy ? 8 : replicas ? 32 : 64;
    setting.dirty_pages_per_second = heavy ? heavy_pages : 500;
  }
  setting.delay_ms = interval_ms_of(drill, guest, "periodic");
  setting.more_config =
      "\n[heartbeat]\ninterval = \"100ms\"\nlost_after = \"1s\"\nhead_start = \"300ms\"\n";
  if (drill.grace_ms > 0) {
    setting.more_config += "grace = \"" + std::to_string(drill.grace_ms) + "ms\"\n";
  }
  if (replicas) {
    setting.more_config += "\n[colo]\nmax_interval = \"" +
                           std::to_string(interval_ms_of(drill, guest, mode)) + "ms\"\n";
  }
  return setting;
}

std::uint64_t first_copy_bytes_per_second(demo::GuestKind guest) {
  return guest == demo::GuestKind::qemu ? 20'000'000 : 3'000'000;
}

}  // namespace colo::drill
