// What a Cache holds; shared by its files and by nobody else.
// Threads: `mutex` guards everything but the bytes of slots that a flush batch has picked.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "cache/cache.h"
#include "cache/committed_set.h"
#include "cache/page_pool.h"
#include "cache/staged_set.h"

namespace colo::cache {

struct Cache::State {
  State(MemoryLayout of, std::vector<bool> mirrored_regions, CacheLimits limits_of,
        std::unique_ptr<Store> kept_in)
      : layout(std::move(of)),
        mirrored(std::move(mirrored_regions)),
        limits(limits_of),
        store(std::move(kept_in)),
        staged(layout),
        committed(layout, mirrored) {
    for (const RegionLayout& region : layout) through_pages.emplace_back(region.pages);
  }

  // Holds for any put: the page exists, and the epoch is the one that may arrive.
  [[nodiscard]] Result<void> accepts(Epoch epoch) const;
  [[nodiscard]] Result<void> accepts(Epoch epoch, PageId page) const;
  // True where a page goes straight to the target.
  [[nodiscard]] bool goes_through(PageId page) const {
    return through != nullptr && committed_epoch == Epoch{} && !mirrored[page.region];
  }

  // The committed checkpoint as it is now can be found by a later process, or nothing can. Comes in
  // the same hold of the lock as the change of what is committed: no slot that was given back there
  // is handed out, and so written, while the last record still names it.
  void keep();
  [[nodiscard]] Result<void> share_pool(const std::vector<Kept::Page>& kept);
  void stop_keeping();

  const MemoryLayout layout;
  const std::vector<bool> mirrored;
  const CacheLimits limits;

  mutable std::mutex mutex;
  std::unique_ptr<Store> store;  // before the pool, whose slabs may be in it; null: none
  bool keeps = false;
  std::optional<Error> store_trouble;

  Origin origin, next_origin;
  std::vector<Kept::Page> listed;  // kept for its capacity
  PagePool pool;
  StagedSet staged;
  CommittedSet committed;
  FlushTarget* through = nullptr;
  std::vector<Bitmap> through_pages;  // written to it, until the first commit
  [[nodiscard]] Result<void> write_through_page(std::unique_lock<std::mutex>& lock, Epoch epoch,
                                                PageId page, ByteView bytes);
  Epoch committed_epoch;
  Epoch flushed_epoch;
  std::shared_ptr<const Bytes> device_state;
  bool flushing = false;
  std::vector<CommittedSet::Picked> batch;  // of the flush thread; kept for its capacity
};

}  // namespace colo::cache
