// Batches of pages, the frames that carry nearly all bytes.
//
// Body: region u32, data count u32, zero count u32, reserved u32 (0); the data pages' indices
// (u64 each, ascending not required), the zero pages' indices; then 4096 bytes per data page in
// the order of the indices. Zero pages travel as an index only.
#pragma once

#include <functional>

#include "base/result.h"
#include "base/types.h"
#include "wire/messages.h"

namespace colo::wire {

inline constexpr std::uint32_t batch_data_pages_max = 256;
inline constexpr std::uint32_t batch_zero_pages_max = 4096;

// Builds one pages frame. Pages are copied once, into the frame.
class PagesFrame {
 public:
  PagesFrame(RegionIndex region) : region_(region) {}
  void add_page(PageIndex page, ByteView bytes);  // a zero page is recognised and sent as such
  [[nodiscard]] bool full() const;
  [[nodiscard]] bool empty() const { return data_.empty() && zero_.empty(); }
  [[nodiscard]] std::uint64_t data_pages() const { return data_.size(); }
  [[nodiscard]] std::uint64_t zero_pages() const { return zero_.size(); }
  // The finished frame. The builder is empty afterwards.
  [[nodiscard]] Bytes finish(FrameNumbers numbers);

 private:
  RegionIndex region_;
  std::vector<PageIndex> data_;
  std::vector<PageIndex> zero_;
  Bytes contents_;
};

// The digest of an epoch: XXH3 over the body checksums of its pages frames in order. A lost,
// repeated, reordered or altered frame changes it.
class PageDigest {
 public:
  void add(std::uint64_t body_checksum);
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  std::uint64_t value_ = 0;
};

struct PagesBatch {
  RegionIndex region = 0;
  std::vector<PageIndex> data;
  std::vector<PageIndex> zero;
  ByteView contents;  // page_bytes per entry of data; points into the decoded body
};

// Errors: "bad-body" (counts, length), "bad-page" (region or page outside the layout: names it).
[[nodiscard]] Result<PagesBatch> decode_pages(ByteView body, const MemoryLayout& layout);

}  // namespace colo::wire
