#include "guest/guest.h"

namespace colo::guest {

DirtyPages no_pages(const MemoryLayout& layout) {
  DirtyPages pages;
  pages.reserve(layout.size());
  for (const RegionLayout& region : layout) pages.emplace_back(region.pages);
  return pages;
}

DirtyPages all_pages(const MemoryLayout& layout) {
  DirtyPages pages = no_pages(layout);
  for (Bitmap& bitmap : pages) bitmap.set_range(0, bitmap.size());
  return pages;
}

}  // namespace colo::guest
