// Any bytes as the body of a pages batch, against a small layout.
#include <algorithm>
#include <cstdint>

#include "tests/fuzz/require.h"
#include "wire/bytes.h"
#include "wire/pages.h"

namespace {

using namespace colo;
using namespace colo::wire;

// Written again field by field as docs/wire_format.md has it, apart from the builder, which
// recognises zero pages and so cannot repeat every batch.
Bytes written_again(const PagesBatch& batch) {
  Bytes body;
  ByteWriter out(body);
  out.integer(batch.region);
  out.integer(static_cast<std::uint32_t>(batch.data.size()));
  out.integer(static_cast<std::uint32_t>(batch.zero.size()));
  out.integer(std::uint32_t{0});
  out.raw(batch.contents);
  for (const PageIndex page : batch.data) out.integer(page);
  for (const PageIndex page : batch.zero) out.integer(page);
  return body;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const MemoryLayout layout{{"ram", 131072, true}, {"vga.vram", 16, false}};
  const ByteView body = std::as_bytes(std::span(data, size));
  const auto batch = decode_pages(body, layout);
  if (!batch) {
    FUZZ_REQUIRE(batch.error().word == "bad-body" || batch.error().word == "bad-page");
    return 0;
  }
  FUZZ_REQUIRE(batch->region < layout.size());
  FUZZ_REQUIRE(batch->contents.size() == batch->data.size() * page_bytes);
  for (const PageIndex page : batch->data) FUZZ_REQUIRE(page < layout[batch->region].pages);
  for (const PageIndex page : batch->zero) FUZZ_REQUIRE(page < layout[batch->region].pages);
  FUZZ_REQUIRE(std::ranges::equal(written_again(*batch), body));
  return 0;
}
