// What the schedules have reached: faults put, states entered, moments met. Reach is a promise: a
// simulator that never reaches a state says nothing about it.
// Threads: none; one per worker, added up at the end.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "primary/core.h"
#include "secondary/core.h"
#include "tests/sim/faults.h"

namespace colo::sim {

enum class Mark : std::uint8_t {
  takeover_ran,
  claim_unanswered,
  claim_lost_by_primary,
  claim_lost_by_secondary,
  claim_late,  // it counted after the asker had given up
  frame_released_after_hold,
  acknowledged_early,
  hold_full,
  cache_full,
  torn_flush,
  load_failed,
  resume_failed,
  capture_failed,
  capture_failed_thrice,
  engine_stalled,
  both_guests_ran,
  host_waits,
  booted_anew,
  guest_lost,
  operator_needed,
  went_back,
  rejoined,
  protected_again,
  lane_timed_out,
  reset_by_reboot,
  dial_refused,
  datagram_overtaken,
  resumed,
  resumed_first_copy,
  kept_takeable,
  kept_as_base,
  became_secondary,
  hook_failed,
  given_back_seen,
  given_back_by_answer,
  switched_over,
  switchover_cancelled,
  guest_resumed_unanswered,
  frame_released_by_comparison,
  guest_differs,
  replica_ran,
  replica_lost,
  replica_failed,
  replica_behind,
  replica_hung,
  replica_asked,
  replica_at_its_limit,
  replica_taken_over,
  replica_protected,
  mode_changed,
  kept_but_ran,
  host_stood_still,
  answer_waits,
  segment_sent,
  segment_too_old,
  count
};
inline constexpr std::size_t mark_count = static_cast<std::size_t>(Mark::count);

class Reach {
 public:
  void fault(Fault kind) { ++faults_[static_cast<std::size_t>(kind)]; }
  void mark(Mark mark) { ++marks_[static_cast<std::size_t>(mark)]; }
  void state(const primary::State& state);
  void state(const secondary::State& state);
  void schedule(std::uint64_t steps, Duration time);
  void add(const Reach& other);

  [[nodiscard]] std::string table() const;
  // What was never reached.
  [[nodiscard]] std::vector<std::string> missing() const;

 private:
  static constexpr std::size_t steps_max = 8;  // of a takeover, a switchover, or a session
  template <class Visit>
  void for_each(Visit&& visit) const;

  std::array<std::uint64_t, fault_count> faults_{};
  std::array<std::uint64_t, mark_count> marks_{};
  std::array<std::uint64_t, std::variant_size_v<primary::State>> primary_{};
  std::array<std::uint64_t, std::variant_size_v<secondary::State>> secondary_{};
  std::array<std::uint64_t, steps_max> phases_{};
  std::array<std::uint64_t, steps_max> takeover_{};
  std::array<std::uint64_t, steps_max> source_{};
  std::array<std::uint64_t, steps_max> target_{};
  std::uint64_t schedules_ = 0;
  std::uint64_t steps_ = 0;
  double simulated_seconds_ = 0;
};

}  // namespace colo::sim
