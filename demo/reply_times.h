// How long replies took, and which of them fell into a phase of the round.
//
// Units: CLOCK_REALTIME in nanoseconds for when; the durations are of a clock that nobody sets.
// Threads: one at a time.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace colo::demo {

struct ReplyFigures {
  std::size_t replies = 0;
  double p50_ms = 0, p99_ms = 0, max_ms = 0;
};

class ReplyTimes {
 public:
  using Clock = std::chrono::steady_clock;

  // A reply that came just now to what was said at `said`.
  void add(Clock::time_point said);

  // The first at or after this time.
  [[nodiscard]] std::optional<std::int64_t> first_since(std::int64_t unix_ns) const;
  [[nodiscard]] std::uint64_t count_since(std::int64_t unix_ns) const;
  // Of what was both said and answered in a phase: what a fault at its end kept waiting is no reply
  // of that phase. Empty: there is none.
  [[nodiscard]] std::optional<ReplyFigures> between(std::int64_t begin_unix_ns,
                                                    std::int64_t end_unix_ns) const;

 private:
  struct One {
    std::int64_t heard_unix_ns;
    std::chrono::nanoseconds took;
  };
  [[nodiscard]] std::vector<One>::const_iterator since(std::int64_t unix_ns) const;
  std::vector<One> all_;  // heard_unix_ns rises
};

// CLOCK_REALTIME, as the engines' status has it.
[[nodiscard]] std::int64_t unix_now_ns();

}  // namespace colo::demo
