// A copy of a guest's memory that is brought up to date with what its scans name.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <numeric>
#include <vector>

#include "guest/guest.h"

namespace colo::guest::test {

// All of a region.
inline Bytes read_whole(Guest& guest, RegionIndex region) {
  std::vector<PageIndex> pages(guest.identity().layout[region].pages);
  std::iota(pages.begin(), pages.end(), PageIndex{0});
  Bytes bytes(pages.size() * page_bytes);
  const auto read = guest.read_pages(region, pages, bytes);
  EXPECT_TRUE(read) << read.error().text();
  return bytes;
}

class Replica {
 public:
  explicit Replica(const MemoryLayout& layout) : layout_(layout) {
    for (const RegionLayout& region : layout) content_.emplace_back(region.pages * page_bytes);
  }

  // Scans and copies what was dirty; the number of pages. leave_untouched: pages that nobody has
  // touched are not read; they are zero, as they are in a fresh replica.
  Result<std::uint64_t> follow(Guest& guest, bool leave_untouched = false) {
    DirtyPages dirty = no_pages(layout_);
    if (auto scanned = guest.scan(dirty); !scanned) return fail(scanned.error());
    for (RegionIndex region = 0; leave_untouched && region < dirty.size(); ++region) {
      guest.untouched(region).for_each([&](PageIndex page) { dirty[region].clear(page); });
    }
    return copy(guest, dirty);
  }

  Result<std::uint64_t> copy(Guest& guest, const DirtyPages& dirty) {
    std::uint64_t copied = 0;
    for (RegionIndex region = 0; region < dirty.size(); ++region) {
      std::vector<PageIndex> pages;
      dirty[region].for_each([&pages](PageIndex page) { pages.push_back(page); });
      Bytes bytes(pages.size() * page_bytes);
      if (auto read = guest.read_pages(region, pages, bytes); !read) return fail(read.error());
      for (std::size_t i = 0; i < pages.size(); ++i) {
        std::memcpy(content_[region].data() + pages[i] * page_bytes, bytes.data() + i * page_bytes,
                    page_bytes);
      }
      copied += pages.size();
    }
    return copied;
  }

  // Pages whose content is another than the guest's. REQUIRES: a paused guest.
  [[nodiscard]] std::uint64_t differences(Guest& guest) const {
    std::uint64_t different = 0;
    for (RegionIndex region = 0; region < layout_.size(); ++region) {
      const Bytes bytes = read_whole(guest, region);
      for (std::size_t at = 0; at < bytes.size(); at += page_bytes) {
        if (std::memcmp(bytes.data() + at, content_[region].data() + at, page_bytes) != 0) {
          ++different;
        }
      }
    }
    return different;
  }

  // Puts the copy into a standby's memory.
  Result<void> place(Guest& standby) const {
    for (RegionIndex region = 0; region < layout_.size(); ++region) {
      for (PageIndex page = 0; page < layout_[region].pages; ++page) {
        const ByteView bytes(content_[region].data() + page * page_bytes, page_bytes);
        if (auto written = standby.write_page(region, page, bytes); !written) return written;
      }
    }
    return {};
  }

  [[nodiscard]] ByteView content(RegionIndex region) const { return content_[region]; }

 private:
  MemoryLayout layout_;
  std::vector<Bytes> content_;
};

}  // namespace colo::guest::test
