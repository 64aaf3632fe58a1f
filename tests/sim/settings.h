// The configuration of one schedule, drawn from its seed.
#pragma once

#include "base/types.h"
#include "compare/comparator.h"
#include "compare/hold_queue.h"
#include "heartbeat/detector.h"
#include "primary/core.h"
#include "secondary/core.h"
#include "tests/sim/random.h"

namespace colo::sim {

// A planted bug: what an executor does wrong. The product has no hook for them.
enum class Mutation {
  none,
  release_before_commit,
  flush_while_staged,
  takeover_without_claim,
  forgotten_zero_page,
  acknowledge_before_verify,
  both_claims_won,
  resume_forgets_unacknowledged,
  base_taken_over_from,
  replica_writes_the_checkpoint,
  takeover_goes_back_to_the_checkpoint,
  acknowledgement_released_early,
};
inline constexpr std::array<const char*, 12> mutation_names{"none",
                                                            "release-before-commit",
                                                            "flush-while-staged",
                                                            "takeover-without-claim",
                                                            "forgotten-zero-page",
                                                            "acknowledge-before-verify",
                                                            "both-claims-won",
                                                            "resume-forgets-unacknowledged",
                                                            "base-taken-over-from",
                                                            "replica-writes-the-checkpoint",
                                                            "takeover-goes-back-to-the-checkpoint",
                                                            "acknowledgement-released-early"};

struct PathSettings {
  Duration delay{};
  Duration jitter{};
  unsigned loss = 0;       // per mille, of datagrams
  unsigned duplicate = 0;  // per mille, of datagrams
};

struct Settings {
  primary::CoreConfig primary;
  secondary::CoreConfig secondary;
  heartbeat::DetectorConfig detector;
  compare::HoldLimits hold;
  compare::ComparatorLimits compare;
  std::uint64_t staged_pages = 1024;
  Duration stream_timeout{};
  Duration handshake_timeout{};
  Duration arbiter_timeout{};
  Duration arbiter_latency{};
  std::size_t heartbeat_links = 1;
  std::array<PathSettings, 4> paths;  // [0]: both lanes, and the first heartbeat link if shared
  bool shared_path = false;
  std::array<std::int64_t, 2> clock_ppm{};  // how much faster than true time each host's clock runs
  Duration guest_step{};
  Duration client_step{};
  Duration guest_task{};    // what a command to the guest takes
  Duration capture_tail{};  // from the end of a standstill until the core hears of it
  Duration flush_takes{};
  Duration load_takes{};
  Duration standby_takes{};
  Duration hook_takes{};
  bool keeps_cache = false;          // in shared memory: it outlives the secondary's engine
  unsigned differs = 0;              // per mille, of what a guest is told: it goes its own way
  std::size_t inbox = 64;            // frames that may wait for a replica
  std::uint64_t diverged_limit = 0;  // pages that a replica may write
  Duration behind{};                 // how long a replica may hang
  Duration pause_max = std::chrono::milliseconds(500);
  Duration safety{};  // how long faults are put; then everything heals

  // After healing: within this, one side runs; and within as much again, the pair is protected.
  [[nodiscard]] Duration bound() const;
  // No longer than this does the owner's guest stand, unless its own host is hurt.
  [[nodiscard]] Duration pause_bound() const;
};

[[nodiscard]] Settings draw_settings(Random& random);

}  // namespace colo::sim
