#include "tests/sim/settings.h"

namespace colo::sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr Duration ms(int count) { return milliseconds(count); }

void draw_cores(Random& random, Settings& settings) {
  auto& primary = settings.primary;
  primary.delay = ms(random.pick(std::array{10, 40, 100, 150, 250, 400}));
  primary.claim_retry = ms(random.pick(std::array{100, 250, 500}));
  primary.answer_timeout = ms(random.pick(std::array{250, 600, 1000, 2000}));
  primary.setback_first = ms(random.pick(std::array{100, 400, 1000}));
  primary.setback_max = ms(random.pick(std::array{800, 2000}));
  primary.grace = ms(random.pick(std::array{0, 0, 300, 1000, 2500}));
  primary.claim_patience = ms(random.pick(std::array{200, 1000}));
  primary.capture_retry = ms(random.pick(std::array{50, 200}));
  primary.capture_attempts = static_cast<std::uint32_t>(random.between(1, 3));
  primary.residual_pages = static_cast<std::uint64_t>(random.between(0, 4));
  primary.passes_first = static_cast<std::uint32_t>(random.between(1, 4));
  primary.passes_max = static_cast<std::uint32_t>(random.between(1, 3));
  auto& secondary = settings.secondary;
  secondary.grace = primary.grace;
  secondary.head_start = ms(random.pick(std::array{0, 100, 300}));
  secondary.claim_retry = ms(random.pick(std::array{100, 250, 500}));
  secondary.join_retry = ms(random.pick(std::array{50, 200, 500}));
  secondary.standby_retry = ms(random.pick(std::array{100, 500}));
  secondary.flush_retry = ms(random.pick(std::array{20, 100}));
  secondary.load_attempts = static_cast<std::uint32_t>(random.between(1, 3));
}

void draw_colo(Random& random, Settings& settings) {
  using primary::Mode;
  auto& primary = settings.primary;
  primary.mode = random.pick(
      std::array{Mode::periodic, Mode::periodic, Mode::colo, Mode::colo, Mode::automatic});
  primary.min_interval = ms(random.pick(std::array{5, 20, 100}));
  primary.max_interval = ms(random.pick(std::array{150, 500, 3000}));
  primary.short_lives = static_cast<std::uint32_t>(random.between(1, 4));
  primary.hold_first = ms(random.pick(std::array{100, 500}));
  primary.hold_max = ms(random.pick(std::array{500, 2000}));
  settings.secondary.replica_attempts = static_cast<std::uint32_t>(random.between(1, 2));
  settings.compare.silence = ms(random.pick(std::array{30, 100, 300}));
  if (random.chance(100)) settings.compare.held_per_flow = settings.compare.held = {4, 4096};
  if (random.chance(100)) settings.compare.surplus_per_flow = settings.compare.surplus = {4, 4096};
  settings.differs = random.pick(std::array{0U, 0U, 3U, 20U, 200U});
  settings.inbox = random.chance(800) ? 64 : 6;
  settings.diverged_limit = random.pick(std::array<std::uint64_t, 4>{4, 8, 100, 100});
  settings.behind = ms(random.pick(std::array{100, 500}));
}

void draw_network(Random& random, Settings& settings) {
  settings.heartbeat_links = static_cast<std::size_t>(random.between(1, 3));
  settings.shared_path = random.chance(500);
  for (auto& path : settings.paths) {
    path.delay = std::chrono::microseconds(random.pick(std::array{50, 500, 2000, 10000}));
    path.jitter = random.chance(500) ? path.delay / 2 : path.delay * 3;
    path.loss = random.chance(300) ? 100 : 0;
    path.duplicate = random.chance(300) ? 100 : 0;
  }
  settings.stream_timeout = settings.primary.answer_timeout;
  settings.handshake_timeout = ms(random.pick(std::array{300, 1000}));
  settings.arbiter_timeout = ms(random.pick(std::array{100, 500, 1500}));
  settings.arbiter_latency = ms(random.pick(std::array{1, 5, 40}));
}

}  // namespace

Duration Settings::bound() const {
  return 4 *
         (detector.lost_after + secondary.head_start + primary.grace + primary.answer_timeout +
          handshake_timeout + arbiter_timeout + primary.setback_max + standby_takes + seconds(2));
}

Duration Settings::pause_bound() const {
  return 3 * (primary.answer_timeout + primary.claim_patience + arbiter_timeout +
              primary.claim_retry + hook_takes + guest_task * 4 + milliseconds(500));
}

Settings draw_settings(Random& random) {
  Settings settings;
  draw_cores(random, settings);
  draw_network(random, settings);
  settings.detector.interval = ms(random.pick(std::array{50, 100, 200}));
  settings.detector.lost_after = settings.detector.interval * random.between(3, 6);
  if (random.chance(200)) settings.hold.packets = static_cast<std::size_t>(random.between(2, 8));
  if (random.chance(100)) {
    settings.staged_pages = static_cast<std::uint64_t>(random.between(2, 12));
  }
  for (auto& ppm : settings.clock_ppm) {
    ppm = random.pick(std::array<std::int64_t, 6>{0, 0, 100, -100, 100'000, -100'000});
  }
  settings.guest_step = ms(random.pick(std::array{10, 25, 60}));
  settings.guest_task = std::chrono::microseconds(random.pick(std::array{200, 2000, 15000}));
  settings.capture_tail = std::chrono::microseconds(random.pick(std::array{100, 1000, 30000}));
  settings.flush_takes = ms(random.pick(std::array{1, 6, 60}));
  settings.load_takes = ms(random.pick(std::array{5, 40}));
  settings.standby_takes = ms(random.pick(std::array{5, 30, 200}));
  settings.secondary.lost_after = settings.detector.lost_after;
  settings.hook_takes = ms(random.pick(std::array{0, 3, 80}));
  settings.keeps_cache = random.chance(500);
  draw_colo(random, settings);
  settings.client_step = ms(random.pick(std::array{20, 60, 200}));
  settings.safety = random.between(Duration(milliseconds(800)), Duration(milliseconds(5000)));
  return settings;
}

}  // namespace colo::sim
