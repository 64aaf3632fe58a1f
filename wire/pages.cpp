#include "wire/pages.h"

#include <array>
#include <string>

#include "base/check.h"
#include "base/page.h"
#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/frame.h"

namespace colo::wire {

namespace {

constexpr std::size_t index_bytes = sizeof(std::uint64_t);

void append_indices(Bytes& frame, const std::vector<PageIndex>& pages) {
  std::size_t at = frame.size();
  frame.resize(at + pages.size() * index_bytes);
  for (const PageIndex page : pages) {
    put_little(frame.data() + at, page);
    at += index_bytes;
  }
}

Result<std::vector<PageIndex>> read_indices(ByteView table, RegionIndex region,
                                            const RegionLayout& layout) {
  std::vector<PageIndex> pages;
  pages.reserve(table.size() / index_bytes);
  for (; !table.empty(); table = table.subspan(index_bytes)) {
    const auto page = get_little<std::uint64_t>(table.data());
    if (page >= layout.pages) {
      return fail("bad-page", "page " + std::to_string(page) + " of region " +
                                  std::to_string(region) + " (" + layout.name + "), which has " +
                                  std::to_string(layout.pages));
    }
    pages.push_back(page);
  }
  return pages;
}

}  // namespace

void PagesFrame::add_page(PageIndex page, ByteView bytes) {
  COLO_CHECK(!full());
  if (is_zero_page(bytes)) {
    zero_.push_back(page);
    return;
  }
  if (frame_.empty()) {
    // The worst case at once: untouched memory costs nothing, growing would copy the pages again.
    frame_.reserve(header_bytes + batch_prefix_bytes +
                   batch_data_pages_max * (page_bytes + index_bytes) +
                   batch_zero_pages_max * index_bytes);
    frame_.resize(header_bytes + batch_prefix_bytes);
  }
  data_.push_back(page);
  frame_.insert(frame_.end(), bytes.begin(), bytes.end());
}

bool PagesFrame::full() const {
  return data_.size() == batch_data_pages_max || zero_.size() == batch_zero_pages_max;
}

Bytes PagesFrame::finish(FrameNumbers numbers) {
  COLO_CHECK(!empty());
  if (frame_.empty()) {
    frame_.reserve(header_bytes + batch_prefix_bytes + zero_.size() * index_bytes);
    frame_.resize(header_bytes + batch_prefix_bytes);
  }
  std::byte* prefix = frame_.data() + header_bytes;
  put_little(prefix, region_);
  put_little(prefix + 4, static_cast<std::uint32_t>(data_.size()));
  put_little(prefix + 8, static_cast<std::uint32_t>(zero_.size()));
  put_little(prefix + 12, std::uint32_t{0});
  append_indices(frame_, data_);
  append_indices(frame_, zero_);
  seal(frame_, Kind::pages, numbers);
  data_.clear();
  zero_.clear();
  Bytes finished;
  finished.swap(frame_);
  return finished;
}

void PageDigest::add(std::uint64_t body_checksum) {
  std::array<std::byte, 16> link;
  put_little(link.data(), value_);
  put_little(link.data() + 8, body_checksum);
  value_ = checksum64(link);
}

Result<PagesBatch> decode_pages(ByteView body, const MemoryLayout& layout) {
  ByteReader reader("pages", body);
  PagesBatch batch;
  batch.region = reader.integer<std::uint32_t>("region");
  const auto data_pages = reader.integer<std::uint32_t>("data count");
  const auto zero_pages = reader.integer<std::uint32_t>("zero count");
  if (reader.integer<std::uint32_t>("reserved") != 0) reader.refuse("reserved", "not 0");
  if (data_pages > batch_data_pages_max || zero_pages > batch_zero_pages_max ||
      data_pages + zero_pages == 0) {
    reader.refuse("counts", std::to_string(data_pages) + " data and " + std::to_string(zero_pages) +
                                " zero pages, from 1 in all to " +
                                std::to_string(batch_data_pages_max) + " and " +
                                std::to_string(batch_zero_pages_max));
  }
  // From here on the counts are bounded: the products below cannot overflow.
  if (reader.good()) batch.contents = reader.take(data_pages * page_bytes, "contents");
  const ByteView data_table =
      reader.good() ? reader.take(data_pages * index_bytes, "data indices") : ByteView{};
  const ByteView zero_table =
      reader.good() ? reader.take(zero_pages * index_bytes, "zero indices") : ByteView{};
  if (auto whole = reader.finish(); !whole) return fail(whole.error());
  if (batch.region >= layout.size()) {
    return fail("bad-page", "region " + std::to_string(batch.region) + " of a guest that has " +
                                std::to_string(layout.size()));
  }
  auto data = read_indices(data_table, batch.region, layout[batch.region]);
  if (!data) return fail(data.error());
  auto zero = read_indices(zero_table, batch.region, layout[batch.region]);
  if (!zero) return fail(zero.error());
  batch.data = std::move(*data);
  batch.zero = std::move(*zero);
  return batch;
}

}  // namespace colo::wire
