// An arbiter without anything shared: who claims first powers the other host off, and has won when
// the power is verified to be off. What cannot run cannot speak (law L4).
//
// - A claim for this host runs the agent with action=off and then action=status. Won: off said 0
// and
//   status said off. Everything else, a timeout too, is unanswered. The same claim of the same run
//   is won again without shooting again.
// - No claim is ever answered "lost to the other host": who would be told is off. So a claim for
// the
//   other host (giving back) is an error, "no-give-back".
// - A claim for nobody is recorded and answered "lost, nobody owns it": the guest ends here and
// what
//   was held is dropped. The peer is not shot for it, so nothing proves that it does not run on.
// - current() is what this host knows, its record, which proves nothing about the other host. So
// the
//   first primary is never told that it may boot: it waits until it hears the peer run, or until
//   the operator says `takeover`, which is a claim like any other.
// - The operator may say that the peer is off, or does not run the guest, by making the file
//   confirm_file(). It counts once, in place of the agent, for the next claim.
//
// See docs/decisions/0020-fence-arbiter.md. Threads: as heartbeat::Arbiter.
#pragma once

#include <filesystem>

#include "arbiter/fence_record.h"
#include "arbiter/fence_text.h"
#include "arbiter/settings.h"
#include "heartbeat/arbiter.h"

namespace colo::arbiter {

// Of this host: "<state_directory>/<guest>.<host>" and ".peer-is-off" behind it.
[[nodiscard]] std::filesystem::path record_file(const FenceSettings& settings, const Asker& asker);
[[nodiscard]] std::filesystem::path confirm_file(const FenceSettings& settings, const Asker& asker);

// The power of the peer, asked of the agent. Errors: those of a claim.
[[nodiscard]] Result<fence::Power> ask_power(const FenceSettings& settings, const Asker& asker);

class FenceArbiter final : public heartbeat::Arbiter {
 public:
  // Forgets a confirmation that was made before: the operator's word is about now.
  FenceArbiter(FenceSettings settings, Asker asker);

  Result<heartbeat::ClaimAnswer> claim(const heartbeat::Claim& claim) override;
  Result<heartbeat::Ownership> current() override;
  Result<std::vector<heartbeat::Ownership>> history() override;

 private:
  // Once it succeeded the peer is off, or the operator vouches for it.
  Result<void> power_off();

  const FenceSettings settings_;
  const Asker asker_;
  const FenceRecord record_;
};

}  // namespace colo::arbiter
