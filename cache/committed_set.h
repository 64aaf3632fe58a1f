// What the cache knows of committed checkpoints: which pages a flush must write, and their content.
//
// Per region two bitmaps (received, diverged) whose union a flush restores, and a third, `pending`:
// what the flush that runs now has still to write. A page leaves `pending` before it is written;
// a commit or a divergence that hits it meanwhile puts it back, so it is written again.
// `received` and `diverged` are forgotten only when nothing is pending: the flush has ended.
//
// Content: a region that is not mirrored holds the pages received since the last flush; a mirrored
// one holds every page that was ever committed.
// Threads: none; callers serialize.
#pragma once

#include <optional>
#include <vector>

#include "base/bitmap.h"
#include "base/result.h"
#include "base/types.h"
#include "cache/page_pool.h"
#include "cache/store.h"

namespace colo::cache {

class CommittedSet {
 public:
  CommittedSet(const MemoryLayout& layout, const std::vector<bool>& mirrored);

  // Owns the slot from now on; the newer page wins.
  void accept(PagePool& pool, PageId page, Slot slot);
  void mark_diverged(PageId first, std::uint64_t pages);

  struct Picked {
    PageId page;
    Slot slot;
  };
  // Begins a flush from its start: everything received or diverged is pending.
  void restart();
  // Takes up to `most` pending pages into `picked` (cleared first). Empty: nothing is pending.
  Result<void> pick(std::size_t most, std::vector<Picked>& picked);
  // REQUIRES: nothing pending. Every received and diverged page was written.
  void forget(PagePool& pool);

  // What has to be kept to begin a flush, or the next one of a new process, from its start.
  void list(std::vector<Kept::Page>& pages) const;

  [[nodiscard]] bool any() const { return received_ + diverged_ > 0; }
  [[nodiscard]] std::uint64_t received_pages() const { return received_; }
  [[nodiscard]] std::uint64_t diverged_pages() const { return diverged_; }
  [[nodiscard]] std::uint64_t zero_pages() const { return zero_; }

 private:
  struct Region {
    std::string name;
    bool mirrored;
    std::vector<Slot> slots;  // by page
    Bitmap received, diverged, pending;
  };

  std::vector<Region> regions_;
  std::size_t region_cursor_ = 0;  // no page before the two cursors is pending
  PageIndex page_cursor_ = 0;
  std::uint64_t received_ = 0;
  std::uint64_t diverged_ = 0;
  std::uint64_t zero_ = 0;  // of the received
};

}  // namespace colo::cache
