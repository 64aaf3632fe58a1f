#include "cache/page_pool.h"

#include "base/check.h"

namespace colo::cache {

Result<void> PagePool::share(SharedSlab slab, const std::vector<Slot>& in_use) {
  COLO_CHECK(slabs_.empty());
  std::vector<bool> used;
  for (const Slot slot : in_use) {
    if (!has_bytes(slot)) continue;
    const std::size_t number = slot - zero_page - 1;
    if (used.size() <= number) used.resize((number / slab_pages + 1) * slab_pages);
    used[number] = true;
  }
  for (std::size_t i = 0; i < used.size() / slab_pages; ++i) {
    const auto at = slab(i);
    if (!at) return fail(at.error());
    slabs_.push_back({*at, nullptr});
  }
  for (std::size_t i = used.size(); i > 0; --i) {
    if (!used[i - 1]) free_.push_back(static_cast<Slot>(zero_page + i));
  }
  shared_slab_ = std::move(slab);
  return {};
}

void PagePool::add_slab() {
  const std::size_t first = slabs_.size() * slab_pages + zero_page + 1;
  Slab slab{nullptr, nullptr};
  if (shared_slab_) {
    if (auto at = shared_slab_(slabs_.size())) {
      slab.at = *at;
    } else {
      trouble_ = at.error();
      shared_slab_ = nullptr;
    }
  }
  if (slab.at == nullptr) {
    slab.own.reset(new std::byte[slab_pages * page_bytes]);
    slab.at = slab.own.get();
  }
  slabs_.push_back(std::move(slab));
  // Descending, so that slots are handed out in the order of their addresses.
  for (std::size_t i = slab_pages; i > 0; --i) free_.push_back(static_cast<Slot>(first + i - 1));
}

Slot PagePool::allocate() {
  if (free_.empty()) add_slab();
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
  return {slabs_[number / slab_pages].at + number % slab_pages * page_bytes, page_bytes};
}

void PagePool::end_reading() {
  reading_ = false;
  free_.insert(free_.end(), still_read_.begin(), still_read_.end());
  still_read_.clear();
}

}  // namespace colo::cache
