// Where the secondary's pages go: the memory of its standby guest. The standby may be replaced
// while a flush runs; the flush then fails with a reason and is begun again.
//
// Threads: any; one lock per page, so that replacing never waits for a whole flush.
// Errors: "no-standby"; those of the guest.
#pragma once

#include <memory>
#include <mutex>

#include "cache/cache.h"
#include "guest/guest.h"

namespace colo::secondary {

class GuestMemory final : public cache::FlushTarget {
 public:
  // Null: there is none for now.
  void set(std::shared_ptr<guest::Guest> standby);
  Result<void> write_page(PageId page, ByteView bytes) override;

 private:
  std::mutex mutex_;
  std::shared_ptr<guest::Guest> standby_;
};

}  // namespace colo::secondary
