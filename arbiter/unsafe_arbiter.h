// No arbiter: every claim of this host is won, and the other host's claims are won there. Under a
// partition both sides let the guest speak: law L4 is lost, and with it what L1 promised for what
// the losing side would have said. For trying things out, with `unsafe = true` only.
//
// It remembers nothing beyond this process: a restarted first primary boots the guest anew,
// whatever the other host does.
// Threads: as heartbeat::Arbiter.
#pragma once

#include <vector>

#include "heartbeat/arbiter.h"

namespace colo::arbiter {

class UnsafeArbiter final : public heartbeat::Arbiter {
 public:
  explicit UnsafeArbiter(std::string host) : host_(std::move(host)) {}

  // Errors: "no-give-back": the other host would never learn of it; "bad-claim".
  Result<heartbeat::ClaimAnswer> claim(const heartbeat::Claim& claim) override;
  Result<heartbeat::Ownership> current() override;
  Result<std::vector<heartbeat::Ownership>> history() override;

 private:
  const std::string host_;
  std::vector<heartbeat::Ownership> history_;
};

}  // namespace colo::arbiter
