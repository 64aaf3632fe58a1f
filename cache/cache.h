// The COLO cache: what the secondary knows of the primary's memory beyond the guest memory that
// it has flushed already. Two checkpoints stand apart in it: the *staged* one that is arriving
// and the *committed* one that is complete. Dual dirty bitmap (COLO, SoCC 2013; QEMU
// docs/COLO-FT.txt): `received` are pages of committed checkpoints since the last flush,
// `diverged` are pages that the secondary's own guest (or a fresh process of it) holds otherwise;
// a flush restores their union.
//
// L2: staged pages never reach the target; commit() moves a whole checkpoint or nothing.
// L3: a committed checkpoint stays takeable while the next is staged, and until its flush has
//   ended; a flush that was cut off anywhere is begun again from its start, with the same result.
//
// A second commit before the flush of the first has ended merges: the newer page wins.
//
// Threads: one stager thread calls put_*/discard_staged/commit; one flush thread calls flush(). The
//   cache locks for itself between the two; a flush never blocks the stager for longer than one batch.
// Units: pages. Bounded: staged_limit pages; past it put_page fails with word "cache-full".
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/bitmap.h"
#include "base/result.h"
#include "base/types.h"

namespace colo::cache {

// Where a flush writes: the guest's memory. May fail or be cut off at any page.
class FlushTarget {
 public:
  virtual ~FlushTarget() = default;
  virtual Result<void> write_page(PageId page, ByteView bytes) = 0;
};

struct CacheLimits {
  std::uint64_t staged_pages = 1ULL << 18;  // 1 GiB
};

struct CacheFigures {
  Epoch staged, committed, flushed;
  std::uint64_t staged_pages = 0, received_pages = 0, diverged_pages = 0, zero_pages = 0;
  std::uint64_t bytes = 0;  // what the cache holds in memory now
};

class Cache {
 public:
  // mirrored: per region, true where the cache must be able to restore pages it did not receive
  // since the last flush (regions that live in a guest process and vanish with it): it then keeps
  // their committed content for good. Other regions: the guest memory itself is that content.
  Cache(MemoryLayout layout, std::vector<bool> mirrored, CacheLimits limits);
  ~Cache();

  // --- staged --------------------------------------------------------------------------------
  Result<void> put_page(Epoch epoch, PageId page, ByteView bytes);
  Result<void> put_zero(Epoch epoch, PageId page);
  Result<void> put_device_state(Epoch epoch, Bytes state);
  void discard_staged();
  // The staged checkpoint is complete. REQUIRES of the caller: it verified count, digest and
  // device state. Fails, changing nothing, if epoch is not the staged one or not committed + 1.
  Result<void> commit(Epoch epoch);

  // --- committed -----------------------------------------------------------------------------
  [[nodiscard]] Epoch committed() const;
  [[nodiscard]] std::shared_ptr<const Bytes> device_state() const;  // of committed(); null if none

  // --- flush ---------------------------------------------------------------------------------
  void mark_diverged(PageId first, std::uint64_t pages);
  // Writes received and diverged pages of the committed checkpoint to the target. On an error
  // nothing is forgotten; call again. Word "page-lost" names a diverged page that is neither
  // received nor mirrored: it cannot be restored, and is never guessed.
  Result<void> flush(FlushTarget& target);
  [[nodiscard]] bool flush_needed() const;

  [[nodiscard]] CacheFigures figures() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace colo::cache
