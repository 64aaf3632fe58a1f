// A guest's memory for cache tests, and pages whose content is one number.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <optional>
#include <vector>

#include "cache/cache.h"

namespace colo::cache::testing {

inline const MemoryLayout small_layout = {{"ram", 300, true}, {"video", 40, false}};
inline const std::vector<bool> video_mirrored = {false, true};

// All bytes derive from the number, so that a torn page shows. 0: the zero page.
inline Bytes page_of(std::uint32_t content) {
  Bytes page(page_bytes);
  for (std::size_t i = 0; i + 4 <= page_bytes; i += 4) {
    std::memcpy(page.data() + i, &content, sizeof content);
  }
  return page;
}

inline std::uint32_t content_of(ByteView page) {
  std::uint32_t content = 0;
  std::memcpy(&content, page.data(), sizeof content);
  return std::memcmp(page.data(), page.data() + 4, page_bytes - 4) == 0 ? content : 0xDEADBEEF;
}

// What a page holds that no checkpoint ever wrote.
inline constexpr std::uint32_t garbage = 0x6A6A6A6A;

class MemoryTarget final : public FlushTarget {
 public:
  Result<void> write_page(PageId page, ByteView bytes) override {
    ++writes;
    if (fails_after && writes > *fails_after) return fail("write-failed", "cut off by the test");
    pages[page] = content_of(bytes);
    return {};
  }
  [[nodiscard]] std::uint32_t at(PageId page) const {
    const auto found = pages.find(page);
    return found == pages.end() ? garbage : found->second;
  }

  std::map<PageId, std::uint32_t> pages;
  std::uint64_t writes = 0;
  std::optional<std::uint64_t> fails_after;
};

}  // namespace colo::cache::testing
