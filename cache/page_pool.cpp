#include "cache/page_pool.h"

#include "base/check.h"

namespace colo::cache {

Slot PagePool::allocate() {
  if (free_.empty()) {
    const std::size_t first = slabs_.size() * slab_pages + zero_page + 1;
    slabs_.push_back(std::unique_ptr<std::byte[]>(new std::byte[slab_pages * page_bytes]));
    // Descending, so that slots are handed out in the order of their addresses.
    for (std::size_t i = slab_pages; i > 0; --i) free_.push_back(static_cast<Slot>(first + i - 1));
  }
  const Slot slot = free_.back();
  free_.pop_back();
  return slot;
}

void PagePool::free(Slot slot) {
  if (!has_bytes(slot)) return;
  (reading_ ? still_read_ : free_).push_back(slot);
}

MutableBytes PagePool::bytes(Slot slot) {
  COLO_CHECK(has_bytes(slot));
  const std::size_t number = slot - zero_page - 1;
  COLO_CHECK(number / slab_pages < slabs_.size());
  return {slabs_[number / slab_pages].get() + number % slab_pages * page_bytes, page_bytes};
}

void PagePool::end_reading() {
  reading_ = false;
  free_.insert(free_.end(), still_read_.begin(), still_read_.end());
  still_read_.clear();
}

}  // namespace colo::cache
