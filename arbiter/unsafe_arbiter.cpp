#include "arbiter/unsafe_arbiter.h"

#include <limits>

#include "heartbeat/ownership_file.h"

namespace colo::arbiter {

using heartbeat::ClaimAnswer;
using heartbeat::ClaimLost;
using heartbeat::ClaimWon;
using heartbeat::Ownership;

Result<ClaimAnswer> UnsafeArbiter::claim(const heartbeat::Claim& claim) {
  if (auto names = heartbeat::check_names(claim.owner, claim.run); !names) {
    return fail(names.error());
  }
  if (claim.from.value == std::numeric_limits<std::uint64_t>::max()) {
    return fail("bad-claim", "no generation comes after " + std::to_string(claim.from.value));
  }
  if (!claim.owner.empty() && claim.owner != host_) {
    return fail("no-give-back", "without an arbiter " + claim.owner + " cannot learn that it owns",
                "retry here, or start the guest anew there");
  }
  const Ownership wanted{claim.from.next(), claim.owner, claim.run};
  if (!history_.empty() && history_.back().generation > claim.from) {
    if (history_.back() == wanted) return ClaimWon{wanted.generation};
    return ClaimLost{history_.back()};
  }
  history_.push_back(wanted);
  return ClaimWon{wanted.generation};
}

Result<Ownership> UnsafeArbiter::current() {
  return history_.empty() ? Ownership{} : history_.back();
}

Result<std::vector<Ownership>> UnsafeArbiter::history() { return history_; }

}  // namespace colo::arbiter
