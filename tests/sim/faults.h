// The catalogue of faults and operator commands, and the plan of one schedule: what is put, where,
// when and for how long. Drawn from the seed alone, so that a mask leaves faults out without
// changing the others.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/types.h"
#include "tests/sim/judge.h"
#include "tests/sim/random.h"
#include "tests/sim/settings.h"

namespace colo::sim {

enum class Fault : std::uint8_t {
  // processes
  engine_crash,
  host_power_loss,
  engine_freeze,
  host_freeze,
  guest_dies,
  guest_shuts_down,
  standby_dies,
  replica_dies,
  replica_hangs,
  // network
  cut,
  one_way_cut,
  cut_lanes,
  cut_heartbeats,
  blip,
  lossy,
  slow_link,
  reset_lanes,
  // guest, memory, device state
  capture_fails,
  pause_fails,
  scan_fails,
  resume_fails,
  boot_fails,
  flush_fails,
  flush_slow,
  load_fails,
  state_never_loads,
  run_fails,
  standby_fails,
  hook_fails,
  // arbiter
  arbiter_down,
  arbiter_down_here,
  arbiter_slow,
  arbiter_answer_lost,
  arbiter_late,
  // operator
  ask_takeover,
  ask_stop,
  ask_checkpoint,
  set_delay,
  ask_switchover,
  ask_give_back,
  set_mode,
  count
};
inline constexpr std::size_t fault_count = static_cast<std::size_t>(Fault::count);
[[nodiscard]] const char* name(Fault fault);

// When a fault strikes: at a time, or with the n-th action that the host's engine executes, so that
// steps which take no time are hit as well.
struct Strike {
  Fault fault = Fault::cut;
  std::size_t host = 0;
  Duration at{};             // since the start
  std::uint32_t action = 0;  // 0: by time
  Duration lasts{};          // then it is undone; never later than healing
  int times = 1;             // of what fails
};

[[nodiscard]] std::vector<Strike> draw_plan(Random& random, const Settings& settings);
[[nodiscard]] std::string describe(const Strike& strike);

}  // namespace colo::sim
