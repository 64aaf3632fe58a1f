// A first copy sends what nobody touched as zero, without touching it.
#include <sys/mman.h>

#include "tests/pipeline/pipeline.h"

namespace colo::pipeline {
namespace {

// Half of the first region is untouched, and may not even be read.
class HalfUntouchedGuest final : public FaultyGuest {
 public:
  explicit HalfUntouchedGuest(std::unique_ptr<guest::Guest> inner)
      : FaultyGuest(std::move(inner)), pages_(identity().layout[0].pages) {
    const std::size_t bytes = pages_ * page_bytes;
    void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) return;
    memory_ = {static_cast<std::byte*>(at), bytes};
    for (PageIndex page = 0; page < pages_ / 2; ++page) memory_[page * page_bytes] = std::byte{1};
    EXPECT_EQ(::mprotect(memory_.data() + bytes / 2, bytes / 2, PROT_NONE), 0);
  }
  ~HalfUntouchedGuest() override { ::munmap(memory_.data(), memory_.size()); }

  MutableBytes mapping(RegionIndex region) override {
    return region == 0 ? memory_ : FaultyGuest::mapping(region);
  }
  Bitmap untouched(RegionIndex region) override {
    Bitmap pages = FaultyGuest::untouched(region);
    if (region == 0) pages.set_range(pages_ / 2, pages_ - pages_ / 2);
    return pages;
  }

 private:
  std::uint64_t pages_;
  MutableBytes memory_;
};

class KeptFrames final : public primary::FrameSink {
 public:
  Result<void> push(Bytes frame) override {
    frames.push_back(std::move(frame));
    return {};
  }
  std::vector<Bytes> frames;
};

TEST(Untouched, PagesGoAsZeroAndAreNotRead) {
  auto maker = guest::make_embedded_maker(small_guest());
  auto inner = maker->boot();
  ASSERT_TRUE(inner);
  HalfUntouchedGuest guest(std::move(*inner));
  const MemoryLayout& layout = guest.identity().layout;
  ASSERT_EQ(guest.mapping(0).size(), layout[0].pages * page_bytes);
  primary::Lineage lineage(layout);
  KeptFrames sink;
  primary::CaptureOptions options;
  options.now = [] { return Instant{}; };
  primary::Capturer capturer(guest, lineage, sink, {1}, options);
  const auto figures = capturer.pass({1}, true);
  ASSERT_TRUE(figures) << figures.error().text();
  EXPECT_EQ(figures->pages, guest.identity().memory_bytes() / page_bytes);
  Bitmap data(layout[0].pages);
  Bitmap zero(layout[0].pages);
  wire::FrameDecoder decoder;
  for (const Bytes& bytes : sink.frames) {
    decoder.feed(bytes);
    const auto frame = decoder.next();
    ASSERT_TRUE(frame && *frame);
    const auto batch = wire::decode_pages((*frame)->body, layout);
    ASSERT_TRUE(batch) << batch.error().text();
    if (batch->region != 0) continue;
    for (const PageIndex page : batch->data) data.set(page);
    for (const PageIndex page : batch->zero) zero.set(page);
  }
  EXPECT_EQ(data.count(), layout[0].pages / 2);
  EXPECT_EQ(zero.count(), layout[0].pages - layout[0].pages / 2);
  EXPECT_EQ(zero.next(0), layout[0].pages / 2);
}

}  // namespace
}  // namespace colo::pipeline
