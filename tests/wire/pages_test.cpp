#include "wire/pages.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/wire/samples.h"
#include "wire/bytes.h"

namespace colo::wire {
namespace {

const MemoryLayout layout{{"ram", 131072, true}, {"vga.vram", 4096, false}};

Bytes body_of(const Bytes& frame) { return {frame.begin() + header_bytes, frame.end()}; }

// A prefix with these counts and as many bytes behind it as they ask for.
Bytes body_with(std::uint32_t region, std::uint32_t data, std::uint32_t zero, std::size_t rest) {
  Bytes body;
  ByteWriter out(body);
  out.integer(region);
  out.integer(data);
  out.integer(zero);
  out.integer(std::uint32_t{0});
  out.raw(Bytes(rest));
  return body;
}

TEST(Pages, ABatchComesBackAsItWas) {
  const Bytes body = body_of(samples::pages());
  const auto batch = decode_pages(body, layout);
  ASSERT_TRUE(batch) << batch.error().text();
  EXPECT_EQ(batch->region, 0U);
  EXPECT_EQ(batch->data, (std::vector<PageIndex>{5, 131071}));
  EXPECT_EQ(batch->zero, (std::vector<PageIndex>{9}));
  ASSERT_EQ(batch->contents.size(), 2 * page_bytes);
  EXPECT_TRUE(std::ranges::equal(batch->contents.first(page_bytes), samples::page_of(1)));
  EXPECT_TRUE(std::ranges::equal(batch->contents.subspan(page_bytes), samples::page_of(2)));
}

TEST(Pages, APageWithOneByteAtItsEndIsNoZeroPage) {
  Bytes page = samples::page_of(0);
  page.back() = std::byte{1};
  PagesFrame frame(1);
  frame.add_page(0, page);
  EXPECT_EQ(frame.data_pages(), 1U);
  EXPECT_EQ(frame.zero_pages(), 0U);
}

TEST(Pages, TheLargestBatchFitsAFrameAndComesBack) {
  PagesFrame frame(0);
  for (PageIndex page = 0; page + 1 < batch_zero_pages_max; ++page) {
    frame.add_page(1000 + page, samples::page_of(0));
  }
  for (PageIndex page = 0; page < batch_data_pages_max; ++page) {
    EXPECT_FALSE(frame.full());
    frame.add_page(page, samples::page_of(static_cast<unsigned char>(page % 255 + 1)));
  }
  EXPECT_TRUE(frame.full());
  const Bytes body = body_of(frame.finish(samples::numbers));
  EXPECT_LE(body.size(), body_bytes_max);
  const auto batch = decode_pages(body, layout);
  ASSERT_TRUE(batch) << batch.error().text();
  EXPECT_EQ(batch->data.size(), batch_data_pages_max);
  EXPECT_EQ(batch->zero.size(), batch_zero_pages_max - 1);
  EXPECT_EQ(batch->contents[255 * page_bytes], std::byte{1});
}

TEST(Pages, ABatchOfZeroPagesOnlyIsFullAtItsOwnBound) {
  PagesFrame frame(0);
  while (!frame.full()) frame.add_page(frame.zero_pages(), samples::page_of(0));
  EXPECT_EQ(frame.zero_pages(), batch_zero_pages_max);
  const Bytes finished = frame.finish(samples::numbers);
  EXPECT_EQ(finished.size(), header_bytes + 16 + 8 * batch_zero_pages_max);
  EXPECT_TRUE(decode_pages(body_of(finished), layout));
}

TEST(Pages, TheBuilderBeginsAnewAfterItsFrame) {
  PagesFrame frame(1);
  frame.add_page(1, samples::page_of(1));
  frame.add_page(2, samples::page_of(0));
  const Bytes first = frame.finish(samples::numbers);
  EXPECT_TRUE(frame.empty());
  frame.add_page(3, samples::page_of(3));
  const Bytes body = body_of(frame.finish(samples::numbers));
  const auto batch = decode_pages(body, layout);
  ASSERT_TRUE(batch);
  EXPECT_EQ(batch->region, 1U);
  EXPECT_EQ(batch->data, std::vector<PageIndex>{3});
  EXPECT_TRUE(batch->zero.empty());
}

TEST(Pages, AFullFrameTakesNoMoreMemoryThanTheLargestBody) {
  PagesFrame frame(0);
  for (PageIndex page = 0; page < batch_data_pages_max; ++page) {
    frame.add_page(page, samples::page_of(7));
  }
  const std::size_t contents = batch_data_pages_max * page_bytes;
  const Bytes finished = frame.finish(samples::numbers);
  EXPECT_EQ(finished.size(), header_bytes + 16 + contents + 8 * batch_data_pages_max);
  EXPECT_LE(finished.capacity(), header_bytes + body_bytes_max);
}

TEST(Pages, CountsPastTheirBoundsAreRefusedWhateverTheLength) {
  EXPECT_EQ(decode_pages(body_with(0, 0, 0, 0), layout).error().word, "bad-body");
  EXPECT_EQ(decode_pages(body_with(0, batch_data_pages_max + 1, 0,
                                   (batch_data_pages_max + 1) * (page_bytes + 8)),
                         layout)
                .error()
                .word,
            "bad-body");
  EXPECT_EQ(decode_pages(body_with(0, 0, batch_zero_pages_max + 1, (batch_zero_pages_max + 1) * 8),
                         layout)
                .error()
                .word,
            "bad-body");
  EXPECT_EQ(decode_pages(body_with(0, 0xffffffff, 0xffffffff, 64), layout).error().word,
            "bad-body");
  EXPECT_EQ(decode_pages(body_with(0, 0xffffffff, 1, 64), layout).error().word, "bad-body");
}

TEST(Pages, APageOrRegionOutsideTheLayoutIsNamed) {
  Bytes body = body_with(2, 0, 1, 8);
  EXPECT_EQ(decode_pages(body, layout).error().text(), "bad-page: region 2 of a guest that has 2");
  body = body_with(1, 0, 1, 8);
  put_little(body.data() + 16, std::uint64_t{4096});
  EXPECT_EQ(decode_pages(body, layout).error().text(),
            "bad-page: page 4096 of region 1 (vga.vram), which has 4096");
  put_little(body.data() + 16, std::uint64_t{4095});
  EXPECT_TRUE(decode_pages(body, layout));
  body = body_with(1, 1, 0, page_bytes + 8);
  put_little(body.data() + 16 + page_bytes, ~std::uint64_t{0});
  EXPECT_EQ(decode_pages(body, layout).error().word, "bad-page");
}

TEST(Pages, TheReservedFieldMustBeZero) {
  Bytes body = body_with(0, 0, 1, 8);
  EXPECT_TRUE(decode_pages(body, layout));
  body[12] = std::byte{1};
  EXPECT_EQ(decode_pages(body, layout).error().word, "bad-body");
}

std::uint64_t digest_of(const std::vector<std::uint64_t>& checksums) {
  PageDigest digest;
  for (const std::uint64_t checksum : checksums) digest.add(checksum);
  return digest.value();
}

TEST(Digest, ALostRepeatedReorderedOrAlteredFrameChangesIt) {
  const std::uint64_t whole = digest_of({1, 2, 3});
  EXPECT_EQ(digest_of({1, 2, 3}), whole);
  EXPECT_EQ(digest_of({}), 0U);
  for (const auto& other : std::vector<std::vector<std::uint64_t>>{{},
                                                                   {1, 2},
                                                                   {2, 3},
                                                                   {1, 3},
                                                                   {1, 2, 3, 3},
                                                                   {1, 1, 2, 3},
                                                                   {2, 1, 3},
                                                                   {1, 2, 4},
                                                                   {0, 1, 2, 3}}) {
    EXPECT_NE(digest_of(other), whole);
  }
}

}  // namespace
}  // namespace colo::wire
