#include "cache/record.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "base/bitmap.h"
#include "base/check.h"

namespace colo::cache {

namespace {

struct Fixed {
  std::uint64_t generation, committed, flushed, memory, identity;
  std::array<std::byte, 16> token;
  std::uint64_t regions, run_bytes, flows_bytes, device_bytes, pages;
};

struct FixedRegion {
  std::uint64_t pages;
  std::uint32_t name_bytes;
  std::uint8_t mapped, mirrored;
  std::array<std::uint8_t, 2> unused;
};

struct FixedPage {
  std::uint64_t page;
  std::uint32_t region, slot;
};
static_assert(sizeof(Slot) == sizeof(FixedPage::slot) && sizeof(FixedPage) == 16);

class Writer {
 public:
  explicit Writer(MutableBytes out) : out_(out) {}
  void bytes(const void* from, std::size_t count) {
    COLO_CHECK(count <= out_.size());
    if (count > 0) std::memcpy(out_.data(), from, count);
    out_ = out_.subspan(count);
  }
  template <class T>
  void value(const T& of) {
    bytes(&of, sizeof of);
  }
  [[nodiscard]] bool full() const { return out_.empty(); }

 private:
  MutableBytes out_;
};

class Reader {
 public:
  explicit Reader(ByteView in) : in_(in) {}
  [[nodiscard]] bool bytes(void* to, std::size_t count) {
    if (count > in_.size()) return false;
    if (count > 0) std::memcpy(to, in_.data(), count);
    in_ = in_.subspan(count);
    return true;
  }
  template <class T>
  [[nodiscard]] bool value(T& of) {
    return bytes(&of, sizeof of);
  }
  [[nodiscard]] std::size_t left() const { return in_.size(); }

 private:
  ByteView in_;
};

tl::unexpected<Error> bad(const std::string& what) { return fail("bad-record", what); }

Result<void> read_regions(Reader& in, std::uint64_t count, std::uint64_t pages_left, Kept& kept) {
  for (std::uint64_t i = 0; i < count; ++i) {
    FixedRegion fixed{};
    if (!in.value(fixed) || fixed.name_bytes > in.left()) return bad("a region is cut short");
    if (fixed.pages > pages_left) return bad("it has more pages than any guest of its size");
    pages_left -= fixed.pages;
    RegionLayout region{std::string(fixed.name_bytes, ' '), fixed.pages, fixed.mapped != 0};
    if (!in.bytes(region.name.data(), region.name.size())) return bad("a name is cut short");
    kept.layout.push_back(std::move(region));
    kept.mirrored.push_back(fixed.mirrored != 0);
  }
  return {};
}

Result<void> read_pages(Reader& in, std::uint64_t count, Kept& kept) {
  if (in.left() / sizeof(FixedPage) < count) return bad("its list of pages is cut short");
  std::unordered_set<Slot> slots;
  std::vector<std::vector<bool>> named;
  for (const RegionLayout& region : kept.layout) named.emplace_back(region.pages);
  kept.pages.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    FixedPage fixed{};
    if (!in.value(fixed)) return bad("its list of pages is cut short");
    if (fixed.region >= named.size() || fixed.page >= named[fixed.region].size() ||
        fixed.slot == no_page) {
      return bad("it names a page that does not exist");
    }
    if (named[fixed.region][fixed.page] ||
        (has_bytes(fixed.slot) && !slots.insert(fixed.slot).second)) {
      return bad("it names a page or its memory twice");
    }
    named[fixed.region][fixed.page] = true;
    kept.pages.push_back({{fixed.region, fixed.page}, fixed.slot});
  }
  return {};
}

}  // namespace

std::size_t record_bytes_max(const MemoryLayout& layout) {
  std::uint64_t bytes = sizeof(Fixed) + page_bytes + kept_device_bytes_max + kept_flows_bytes_max;
  for (const RegionLayout& region : layout) {
    bytes += sizeof(FixedRegion) + region.name.size() + region.pages * sizeof(FixedPage);
  }
  return bytes;
}

std::size_t encoded_bytes(const Kept& kept) {
  std::size_t bytes = sizeof(Fixed) + kept.origin.primary_run.size() + kept.origin.flows.size() +
                      kept.device_state->size() + kept.pages.size() * sizeof(FixedPage);
  for (const RegionLayout& region : kept.layout) bytes += sizeof(FixedRegion) + region.name.size();
  return bytes;
}

void encode(const Kept& kept, MutableBytes out) {
  Writer to(out);
  const Origin& origin = kept.origin;
  to.value(Fixed{origin.generation.value, kept.committed.value, kept.flushed.value, origin.memory,
                 origin.identity, origin.token, kept.layout.size(), origin.primary_run.size(),
                 origin.flows.size(), kept.device_state->size(), kept.pages.size()});
  for (std::size_t i = 0; i < kept.layout.size(); ++i) {
    const RegionLayout& region = kept.layout[i];
    to.value(FixedRegion{region.pages,
                         static_cast<std::uint32_t>(region.name.size()),
                         static_cast<std::uint8_t>(region.mapped),
                         static_cast<std::uint8_t>(kept.mirrored[i]),
                         {}});
    to.bytes(region.name.data(), region.name.size());
  }
  to.bytes(origin.primary_run.data(), origin.primary_run.size());
  to.bytes(origin.flows.data(), origin.flows.size());
  to.bytes(kept.device_state->data(), kept.device_state->size());
  for (const Kept::Page& page : kept.pages) {
    to.value(FixedPage{page.page.page, page.page.region, page.slot});
  }
  COLO_CHECK(to.full());
}

Result<Kept> decode_record(ByteView body, std::uint64_t pages_max) {
  Reader in(body);
  Fixed fixed{};
  if (!in.value(fixed)) return bad("it is cut short");
  Kept kept;
  kept.origin.generation = {fixed.generation};
  kept.origin.token = fixed.token;
  kept.origin.memory = fixed.memory;
  kept.origin.identity = fixed.identity;
  kept.committed = {fixed.committed};
  kept.flushed = {fixed.flushed};
  if (kept.committed == Epoch{} || kept.flushed > kept.committed)
    return bad("its epochs are wrong");
  if (auto read = read_regions(in, fixed.regions, pages_max, kept); !read)
    return fail(read.error());
  if (fixed.run_bytes > in.left()) return bad("it is cut short");
  kept.origin.primary_run.resize(fixed.run_bytes);
  if (!in.bytes(kept.origin.primary_run.data(), fixed.run_bytes)) return bad("it is cut short");
  if (fixed.flows_bytes > in.left()) return bad("its table of connections is cut short");
  kept.origin.flows.resize(fixed.flows_bytes);
  if (!in.bytes(kept.origin.flows.data(), fixed.flows_bytes)) return bad("it is cut short");
  if (fixed.device_bytes > in.left()) return bad("its device state is cut short");
  Bytes device_state(fixed.device_bytes);
  if (!in.bytes(device_state.data(), device_state.size())) return bad("it is cut short");
  kept.device_state = std::make_shared<const Bytes>(std::move(device_state));
  if (auto read = read_pages(in, fixed.pages, kept); !read) return fail(read.error());
  if (in.left() != 0) return bad("something follows it");
  return kept;
}

}  // namespace colo::cache
