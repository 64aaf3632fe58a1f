// An arbiter in a directory on storage that both hosts share. Generation N is a file
// `generation.N`; whoever creates it owns it. link(2) of a finished temporary file onto that name
// is atomic on local file systems and on NFS (open(2), O_EXCL, gives the reason), so a file is
// there whole or not at all. Files are never removed: a claimant that is generations behind must
// still find the name taken.
#pragma once

#include <filesystem>
#include <memory>

#include "heartbeat/arbiter.h"

namespace colo::heartbeat {

class DirectoryArbiter final : public Arbiter {
 public:
  explicit DirectoryArbiter(std::filesystem::path directory) : directory_(std::move(directory)) {}

  Result<ClaimAnswer> claim(const Claim& claim) override;
  Result<Ownership> current() override;
  Result<std::vector<Ownership>> history() override;

 private:
  std::filesystem::path directory_;
};

}  // namespace colo::heartbeat
