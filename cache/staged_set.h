// The checkpoint that is arriving: pages and device state of one epoch, apart from all others.
// Role: last put of a page wins; nothing here is takeable. Threads: none; callers serialize.
#pragma once

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/bitmap.h"
#include "base/types.h"
#include "cache/page_pool.h"

namespace colo::cache {

class StagedSet {
 public:
  explicit StagedSet(const MemoryLayout& layout);

  // 0 while nothing arrives.
  [[nodiscard]] Epoch epoch() const { return epoch_; }
  void begin(Epoch epoch) { epoch_ = epoch; }

  [[nodiscard]] Slot at(PageId page) const { return regions_[page.region].slots[page.page]; }
  // The slot that the page had before is given back to the pool.
  void put(PagePool& pool, PageId page, Slot slot);
  void put_device_state(Bytes state) { device_state_ = std::move(state); }
  [[nodiscard]] bool has_device_state() const { return device_state_.has_value(); }
  void count_written_through() { ++written_through_; }

  // Gives every page and its slot to visit(PageId, Slot), which owns the slot from then on, and
  // hands out the device state. The set is empty after it. REQUIRES: has_device_state().
  template <class Visit>
  [[nodiscard]] std::shared_ptr<const Bytes> move_out(Visit&& visit) {
    for_each_and_forget(std::forward<Visit>(visit));
    auto state = std::make_shared<const Bytes>(std::move(*device_state_));
    reset();
    return state;
  }
  void discard(PagePool& pool);
  void drop_device_state() { device_state_.reset(); }
  [[nodiscard]] const Bitmap& present(RegionIndex region) const { return regions_[region].present; }
  // The page counts as never put.
  void forget(PagePool& pool, PageId page);

  [[nodiscard]] std::uint64_t pages() const { return byte_pages_ + zero_pages_; }
  [[nodiscard]] std::uint64_t byte_pages() const { return byte_pages_; }
  [[nodiscard]] std::uint64_t zero_pages() const { return zero_pages_; }
  [[nodiscard]] std::uint64_t written_through() const { return written_through_; }

 private:
  struct Region {
    std::vector<Slot> slots;  // by page
    Bitmap present;
  };

  template <class Visit>
  void for_each_and_forget(Visit&& visit) {
    for (std::size_t i = 0; i < regions_.size(); ++i) {
      Region& region = regions_[i];
      region.present.for_each([&](PageIndex page) {
        visit(PageId{static_cast<RegionIndex>(i), page},
              std::exchange(region.slots[page], no_page));
      });
      region.present.clear_all();
    }
  }
  void reset();

  std::vector<Region> regions_;
  Epoch epoch_;
  std::optional<Bytes> device_state_;
  std::uint64_t byte_pages_ = 0;
  std::uint64_t zero_pages_ = 0;
  std::uint64_t written_through_ = 0;
};

}  // namespace colo::cache
