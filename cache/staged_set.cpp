#include "cache/staged_set.h"

namespace colo::cache {

StagedSet::StagedSet(const MemoryLayout& layout) {
  for (const RegionLayout& region : layout) {
    regions_.push_back({std::vector<Slot>(region.pages, no_page), Bitmap(region.pages)});
  }
}

void StagedSet::put(PagePool& pool, PageId page, Slot slot) {
  Region& region = regions_[page.region];
  const Slot before = std::exchange(region.slots[page.page], slot);
  region.present.set(page.page);
  if (has_bytes(before)) --byte_pages_;
  if (before == zero_page) --zero_pages_;
  if (has_bytes(slot)) ++byte_pages_;
  if (slot == zero_page) ++zero_pages_;
  if (before != slot) pool.free(before);
}

void StagedSet::forget(PagePool& pool, PageId page) {
  Region& region = regions_[page.region];
  const Slot before = std::exchange(region.slots[page.page], no_page);
  region.present.clear(page.page);
  if (has_bytes(before)) --byte_pages_;
  if (before == zero_page) --zero_pages_;
  pool.free(before);
}

void StagedSet::discard(PagePool& pool) {
  for_each_and_forget([&pool](PageId, Slot slot) { pool.free(slot); });
  reset();
}

void StagedSet::reset() {
  epoch_ = Epoch{};
  device_state_.reset();
  byte_pages_ = 0;
  zero_pages_ = 0;
  written_through_ = 0;
}

}  // namespace colo::cache
