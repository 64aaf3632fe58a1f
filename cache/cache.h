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
// A second commit before the flush of the first has ended merges: the newer page wins. A flush that
// runs meanwhile goes on until the target is exactly the newest committed checkpoint; it never
// ends, and never counts an epoch as flushed, with part of one.
//
// The first copy would double the guest's memory if it were staged like the others. So until
// something was committed, pages may go straight to the target: see write_through().
//
// With a store (cache/store.h) the committed checkpoint outlives the process: a record of it is
// valid before commit() returns, and again when a flush has ended. What is staged does not.
//
// Threads: one stager thread calls put_*/discard_staged/commit; one flush thread calls flush(). The
//   cache locks for itself between the two; a flush never blocks the stager for longer than one
//   batch. committed(), device_state(), flush_needed(), figures(), mark_diverged(): any thread.
// Units: pages. Bounded: limits.staged_pages pages with bytes (a zero page takes none) are staged;
//   past that put_page fails with word "cache-full". Committed pages that await a flush are bounded
//   by the size of the guest.
// Errors: what a peer may have caused is a Result ("epoch-out-of-order", "page-out-of-range",
//   "page-size", "cache-full", "no-device-state"); after each the cache is as it was before.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "base/bitmap.h"
#include "base/result.h"
#include "base/types.h"
#include "cache/store.h"

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
  Epoch staged, committed, flushed;  // staged is 0 while nothing arrives
  std::uint64_t staged_pages = 0, received_pages = 0, diverged_pages = 0;
  std::uint64_t zero_pages = 0;             // of those staged and received
  std::uint64_t written_through_pages = 0;  // of the epoch that arrives, before the first commit
  std::uint64_t bytes = 0;                  // what the cache holds in memory now
};

class Cache {
 public:
  // mirrored: per region, true where the cache must be able to restore pages it did not receive
  // since the last flush (regions that live in a guest process and vanish with it): it then keeps
  // their committed content for good. Other regions: the guest memory itself is that content.
  // store: REQUIRES a fresh one for this layout.
  Cache(MemoryLayout layout, std::vector<bool> mirrored, CacheLimits limits,
        std::unique_ptr<Store> store = nullptr);
  ~Cache();
  // What a process that is gone committed. The flush of it may have to be finished
  // (flush_needed()), and the memory of regions that lived in a guest's process is gone: they count
  // as diverged. Errors: those of Store::reopen().
  [[nodiscard]] static Result<std::unique_ptr<Cache>> reopen(std::unique_ptr<Arena> arena,
                                                             CacheLimits limits);

  // Until the first commit, pages of regions that are not mirrored go straight to this target and
  // are not staged: nothing is takeable yet, so L2 has nothing to protect, and the commit finds
  // nothing left to flush for them. If that epoch is given up (discard_staged), the target's
  // content is garbage and committed() still 0: the next try must send every page, the zero ones
  // too; unless it ended by end_session(), which keeps what arrived. REQUIRES: before the first
  // put; the target outlives the first commit and is written by the stager thread.
  void write_through(FlushTarget* target);

  // --- staged --------------------------------------------------------------------------------
  Result<void> put_page(Epoch epoch, PageId page, ByteView bytes);
  Result<void> put_zero(Epoch epoch, PageId page);
  Result<void> put_device_state(Epoch epoch, Bytes state);
  void discard_staged();
  // No more of this checkpoint will arrive in this session. Forgets it; but of a first copy every
  // page that arrived is kept, for the next session to go on from. (Pages are put one by one and
  // whole, so a frame that was half put leaves whole pages.)
  void end_session();
  // The pages of a first copy that are kept, in at most `most` ranges. What is not named is
  // forgotten: whoever reads the answer may count on it that all others have to be sent again.
  [[nodiscard]] std::vector<PageRange> held_pages(std::size_t most);
  // The staged checkpoint is complete. REQUIRES of the caller: it verified count, digest and
  // device state. Fails, changing nothing, if epoch is not the staged one or not committed + 1.
  Result<void> commit(Epoch epoch);

  // --- committed -----------------------------------------------------------------------------
  [[nodiscard]] Epoch committed() const;
  [[nodiscard]] std::shared_ptr<const Bytes> device_state() const;  // of committed(); null if none

  [[nodiscard]] const MemoryLayout& layout() const;

  // --- store ---------------------------------------------------------------------------------
  // Of the checkpoints that are committed from now on.
  void set_origin(Origin origin);
  [[nodiscard]] Origin origin() const;  // of committed()
  // Nothing of this cache can be found by a later process any more. For the moment before the
  // flushed memory becomes another's: a guest that runs on it, a new first copy.
  void strike_out();
  // Why nothing is kept although there was a store: the cache goes on without.
  [[nodiscard]] std::optional<Error> store_trouble() const;

  // --- flush ---------------------------------------------------------------------------------
  void mark_diverged(PageId first, std::uint64_t pages);
  // Writes received and diverged pages of the committed checkpoint to the target. On an error
  // nothing is forgotten; call again. Word "page-lost" names a diverged page that is neither
  // received nor mirrored: it cannot be restored, and is never guessed. Word "nothing-committed":
  // there is no checkpoint yet.
  Result<void> flush(FlushTarget& target);
  [[nodiscard]] bool flush_needed() const;

  [[nodiscard]] CacheFigures figures() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace colo::cache
