#include "secondary/guest_memory.h"

#include <cstring>

#include "base/check.h"

namespace colo::secondary {

void GuestMemory::set(std::shared_ptr<guest::Guest> standby) {
  const std::lock_guard lock(mutex_);
  standby_.swap(standby);
  // The old one is destroyed by its last owner, outside the lock where possible.
}

Result<void> GuestMemory::write_page(PageId page, ByteView bytes) {
  COLO_CHECK(bytes.size() == page_bytes);
  const std::lock_guard lock(mutex_);
  if (!standby_) {
    return fail("no-standby", "the standby guest ended and its successor is not ready yet",
                "none needed: it is tried again");
  }
  const MutableBytes mapped = standby_->mapping(page.region);
  if (mapped.empty()) return standby_->write_page(page.region, page.page, bytes);
  std::memcpy(mapped.data() + page.page * page_bytes, bytes.data(), page_bytes);
  return {};
}

}  // namespace colo::secondary
