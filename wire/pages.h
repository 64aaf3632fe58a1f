// Batches of pages, the frames that carry nearly all bytes.
//
// Body: region u32, data count u32, zero count u32, reserved u32 (0); 4096 bytes per data page;
// then the data pages' indices in the same order (u64 each, ascending not required), then the zero
// pages' indices. Zero pages travel as an index only. The tables stand last so that the sender
// copies a page straight to its final place while it does not yet know how many will follow
// (docs/decisions/0010-tables-behind-the-pages.md).
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "wire/messages.h"

namespace colo::wire {

// 1 MiB of contents: large enough that a frame's cost vanishes, small enough to be verified and
// staged while the next one arrives.
inline constexpr std::uint32_t batch_data_pages_max = 256;
// 32 KiB of indices: a mostly empty guest's first copy stays short.
inline constexpr std::uint32_t batch_zero_pages_max = 4096;
inline constexpr std::size_t batch_prefix_bytes = 16;
static_assert(batch_prefix_bytes + batch_data_pages_max * (page_bytes + sizeof(std::uint64_t)) +
                      batch_zero_pages_max * sizeof(std::uint64_t) <=
                  body_bytes_max,
              "the largest batch fits a frame");

// Builds one pages frame. Pages are copied once, into the frame, which is allocated once.
// Ownership: the frame's bytes are the caller's after finish().
class PagesFrame {
 public:
  explicit PagesFrame(RegionIndex region) : region_(region) {}
  // A zero page is recognised and sent as such.
  // REQUIRES: !full(); bytes.size() == page_bytes; no page twice in one frame.
  void add_page(PageIndex page, ByteView bytes);
  [[nodiscard]] bool full() const;
  [[nodiscard]] bool empty() const { return data_.empty() && zero_.empty(); }
  [[nodiscard]] std::uint64_t data_pages() const { return data_.size(); }
  [[nodiscard]] std::uint64_t zero_pages() const { return zero_.size(); }
  // The finished frame. The builder is empty afterwards, for the same region. REQUIRES: !empty().
  [[nodiscard]] Bytes finish(FrameNumbers numbers);

 private:
  RegionIndex region_;
  std::vector<PageIndex> data_;
  std::vector<PageIndex> zero_;
  Bytes frame_;  // header and prefix left open, then the contents
};

// The digest of an epoch, a chain over the body checksums of its pages frames in order: 0 at the
// start, then XXH3-64 of (digest so far, checksum). A lost, repeated, reordered or altered frame
// changes it.
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
