#include "tests/sim/arbiter.h"

#include <memory>

#include "tests/sim/world.h"

namespace colo::sim {

Duration SimArbiter::latency() {
  const Duration usual = world_.settings.arbiter_latency;
  const Duration most = slow_ ? world_.settings.arbiter_timeout * 3 : usual * 2;
  return world_.arbiter_random.between(usual / 2, most);
}

heartbeat::ClaimAnswer SimArbiter::decide(std::size_t host, const heartbeat::Claim& claim) {
  const heartbeat::Ownership current = owner();
  const heartbeat::Ownership wanted{claim.from.next(), claim.owner, claim.run};
  const bool both = world_.mutation == Mutation::both_claims_won;
  if (current.generation == claim.from) {
    owners_.push_back(wanted);
    world_.granted(wanted, host);
    return heartbeat::ClaimWon{wanted.generation};
  }
  if (current == wanted || both) return heartbeat::ClaimWon{wanted.generation};
  return heartbeat::ClaimLost{current};
}

template <class Answer>
void SimArbiter::unanswered(std::size_t host, const Answer& answered, bool slowly) {
  const Duration after = slowly ? world_.settings.arbiter_timeout : world_.settings.arbiter_latency;
  world_.queue.after(after, static_cast<int>(host), [this, answered] {
    world_.reach.mark(Mark::claim_unanswered);
    (*answered)(fail("arbiter-unreachable", "the arbiter does not answer"));
  });
}

void SimArbiter::claim(std::size_t host, heartbeat::Claim claim, Claimed callback) {
  const auto answered = std::make_shared<Claimed>(std::move(callback));
  const auto asked = std::make_shared<heartbeat::Claim>(std::move(claim));
  if (down_[host] > 0) {
    unanswered(host, answered, world_.arbiter_random.chance(500));
    return;
  }
  if (late_ > 0) {  // the request is on its way for longer than its asker waits
    --late_;
    const Duration timeout = world_.settings.arbiter_timeout;
    unanswered(host, answered, true);
    world_.queue.after(timeout + world_.arbiter_random.between(Duration{}, timeout), no_process,
                       [this, host, asked] {
                         decide(host, *asked);
                         world_.reach.mark(Mark::claim_late);
                       });
    return;
  }
  const Duration request = latency();
  const Duration answer = latency();
  const Duration timeout = world_.settings.arbiter_timeout;
  const bool lost = lost_answers_ > 0;
  if (lost) --lost_answers_;
  const bool too_late = request + answer > timeout;
  if (lost || too_late) unanswered(host, answered, true);
  const std::uint32_t life = world_.queue.life(static_cast<int>(host));
  // A request that is sent counts, whatever becomes of its asker.
  world_.queue.after(request, no_process, [=, this] {
    const auto result = decide(host, *asked);
    if (too_late) world_.reach.mark(Mark::claim_late);
    if (lost || too_late || life != world_.queue.life(static_cast<int>(host))) return;
    world_.queue.after(answer, static_cast<int>(host), [answered, result] { (*answered)(result); });
  });
}

void SimArbiter::current(std::size_t host, Read callback) {
  const auto answered = std::make_shared<Read>(std::move(callback));
  const Duration answer = latency();
  if (down_[host] > 0 || answer > world_.settings.arbiter_timeout) {
    unanswered(host, answered, true);
    return;
  }
  // As it was when the request came: what is answered may be old.
  world_.queue.after(answer, static_cast<int>(host),
                     [answered, seen = owner()] { (*answered)(seen); });
}

std::string SimArbiter::last_run_of(const std::string& host) const {
  for (auto one = owners_.rbegin(); one != owners_.rend(); ++one) {
    if (one->owner == host) return one->run;
  }
  return {};
}

void SimArbiter::heal() {
  down_[0] = down_[1] = 0;
  slow_ = false;
  lost_answers_ = 0;
  late_ = 0;
}

}  // namespace colo::sim
