#include "cache/committed_set.h"

#include <utility>

#include "base/check.h"

namespace colo::cache {

CommittedSet::CommittedSet(const MemoryLayout& layout, const std::vector<bool>& mirrored) {
  COLO_CHECK(mirrored.size() == layout.size());
  for (std::size_t i = 0; i < layout.size(); ++i) {
    const std::uint64_t pages = layout[i].pages;
    regions_.push_back({layout[i].name, mirrored[i], std::vector<Slot>(pages, no_page),
                        Bitmap(pages), Bitmap(pages), Bitmap(pages)});
  }
}

void CommittedSet::accept(PagePool& pool, PageId page, Slot slot) {
  Region& region = regions_[page.region];
  const Slot before = std::exchange(region.slots[page.page], slot);
  pool.free(before);
  if (region.received.set(page.page)) {
    ++received_;
  } else if (before == zero_page) {
    --zero_;
  }
  if (slot == zero_page) ++zero_;
  region.pending.set(page.page);
  region_cursor_ = 0;
  page_cursor_ = 0;
}

void CommittedSet::mark_diverged(PageId first, std::uint64_t pages) {
  COLO_CHECK(first.region < regions_.size());
  Region& region = regions_[first.region];
  const std::uint64_t before = region.diverged.count();
  region.diverged.set_range(first.page, pages);
  diverged_ += region.diverged.count() - before;
  region.pending.set_range(first.page, pages);
  region_cursor_ = 0;
  page_cursor_ = 0;
}

void CommittedSet::restart() {
  for (Region& region : regions_) {
    region.pending.unite(region.received);
    region.pending.unite(region.diverged);
  }
  region_cursor_ = 0;
  page_cursor_ = 0;
}

Result<void> CommittedSet::pick(std::size_t most, std::vector<Picked>& picked) {
  picked.clear();
  while (region_cursor_ < regions_.size() && picked.size() < most) {
    Region& region = regions_[region_cursor_];
    const PageIndex page = region.pending.next(page_cursor_);
    if (page == region.pending.size()) {
      ++region_cursor_;
      page_cursor_ = 0;
      continue;
    }
    const Slot slot = region.slots[page];
    if (slot == no_page) {
      return fail("page-lost",
                  "page " + std::to_string(page) + " of region " + region.name +
                      " was changed by this side's guest, and the cache has no committed content "
                      "of it to restore",
                  "copy the whole memory again: end the session and start a new one");
    }
    region.pending.clear(page);
    page_cursor_ = page + 1;
    picked.push_back({PageId{static_cast<RegionIndex>(region_cursor_), page}, slot});
  }
  return {};
}

void CommittedSet::forget(PagePool& pool) {
  for (Region& region : regions_) {
    COLO_CHECK(!region.pending.any());
    if (!region.mirrored) {
      region.received.for_each(
          [&](PageIndex page) { pool.free(std::exchange(region.slots[page], no_page)); });
    }
    region.received.clear_all();
    region.diverged.clear_all();
  }
  received_ = 0;
  diverged_ = 0;
  zero_ = 0;
}

void CommittedSet::list(std::vector<Kept::Page>& pages) const {
  pages.clear();
  for (std::size_t i = 0; i < regions_.size(); ++i) {
    const Region& region = regions_[i];
    const auto add = [&](PageIndex page) {
      if (region.slots[page] == no_page) return;
      pages.push_back({{static_cast<RegionIndex>(i), page}, region.slots[page]});
    };
    if (region.mirrored) {
      for (PageIndex page = 0; page < region.slots.size(); ++page) add(page);
    } else {
      region.received.for_each(add);
    }
  }
}

}  // namespace colo::cache
