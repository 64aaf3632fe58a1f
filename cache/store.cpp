#include "cache/store.h"

#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <cstring>

#include "base/check.h"
#include "cache/record.h"

namespace colo::cache {

namespace {

constexpr std::uint64_t arena_magic = 0x316f747365766b63;  // "ckvesto1", in any editor
constexpr std::uint64_t record_magic = 0x64726f6365726b63;
constexpr std::uint64_t version = 2;
constexpr std::size_t slab_bytes = PagePool::slab_pages * page_bytes;

struct ArenaHead {
  std::uint64_t magic;
  std::uint64_t version;
  std::uint64_t record_bytes;
};

struct RecordHead {
  std::uint64_t sequence;  // 0: struck out, or being written
  std::uint64_t magic;
  std::uint64_t bytes;  // of the body behind it
  std::uint64_t checksum;
};

std::size_t whole_pages(std::size_t bytes) {
  return (bytes + page_bytes - 1) / page_bytes * page_bytes;
}

RecordHead head_of(ByteView record) {
  RecordHead head{};
  std::memcpy(&head, record.data(), sizeof head);
  return head;
}

// What decides. What was written before it is there when it is, and what is written after it is not
// there before: the fences are for the compiler, a process that dies loses no order of its stores.
void set_sequence(MutableBytes record, std::uint64_t value) {
  auto* at = reinterpret_cast<std::uint64_t*>(record.data());
  std::atomic_thread_fence(std::memory_order_seq_cst);
  std::atomic_ref<std::uint64_t>(*at).store(value, std::memory_order_seq_cst);
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

// Over everything but the sequence and the checksum itself.
std::uint64_t checksum_of(const RecordHead& head, ByteView body) {
  return XXH3_64bits_withSeed(body.data(), body.size(), head.magic ^ head.bytes ^ version);
}

tl::unexpected<Error> damaged(const std::string& what) {
  return fail("store-damaged", "the kept checkpoint cannot be used: " + what,
              "none needed: the memory is copied again");
}

}  // namespace

std::size_t Store::arena_bytes(const MemoryLayout& layout, std::uint64_t staged_pages) {
  std::uint64_t pages = 0;
  for (const RegionLayout& region : layout) pages += region.pages;
  // Staged; committed; and those that were replaced while a batch of a flush reads them.
  const std::uint64_t slots = staged_pages + 2 * pages + PagePool::slab_pages;
  const std::uint64_t slabs = (slots + PagePool::slab_pages - 1) / PagePool::slab_pages;
  return page_bytes + 2 * whole_pages(sizeof(RecordHead) + record_bytes_max(layout)) +
         slabs * slab_bytes;
}

Store::Store(std::unique_ptr<Arena> arena, std::size_t record_bytes)
    : arena_(std::move(arena)), record_bytes_(record_bytes) {}

Result<std::unique_ptr<Store>> Store::create(std::unique_ptr<Arena> arena,
                                             const MemoryLayout& layout) {
  const std::size_t record_bytes = whole_pages(sizeof(RecordHead) + record_bytes_max(layout));
  COLO_CHECK(arena->bytes().size() >= page_bytes + 2 * record_bytes);
  if (auto backed = arena->back(0, page_bytes); !backed) return fail(backed.error());
  ArenaHead head{0, version, record_bytes};
  // Unreadable until both places are struck out.
  std::memcpy(arena->bytes().data(), &head, sizeof head);
  std::unique_ptr<Store> store(new Store(std::move(arena), record_bytes));
  for (std::size_t place = 0; place < 2; ++place) {
    const auto at =
        static_cast<std::size_t>(store->record(place).data() - store->arena_->bytes().data());
    if (auto backed = store->arena_->back(at, page_bytes); !backed) return fail(backed.error());
    store->backed_[place] = page_bytes;
    set_sequence(store->record(place), 0);
  }
  set_sequence(store->arena_->bytes(), arena_magic);
  return store;
}

MutableBytes Store::record(std::size_t place) {
  return arena_->bytes().subspan(page_bytes + place * record_bytes_, record_bytes_);
}

std::size_t Store::slabs_at() const { return page_bytes + 2 * record_bytes_; }

std::size_t Store::slabs() const { return (arena_->bytes().size() - slabs_at()) / slab_bytes; }

Result<std::byte*> Store::slab(std::size_t index) {
  if (index >= slabs()) {
    return fail("store-full",
                "the shared memory of the kept checkpoint has room for " + std::to_string(slabs()) +
                    " MiB of pages only",
                "lower limits.staged, or raise the memory of the guest's hosts");
  }
  const std::size_t at = slabs_at() + index * slab_bytes;
  if (auto backed = arena_->back(at, slab_bytes); !backed) return fail(backed.error());
  return arena_->bytes().data() + at;
}

Result<void> Store::write(const Kept& kept) {
  const std::size_t place = 1 - newest_;
  const MutableBytes room = record(place);
  const std::size_t body_bytes = encoded_bytes(kept);
  const std::size_t bytes = whole_pages(sizeof(RecordHead) + body_bytes);
  if (bytes > room.size()) {
    return fail("store-full",
                "the record of checkpoint " + std::to_string(kept.committed.value) +
                    " is larger than its place in shared memory",
                "look for a device with an unusually large state");
  }
  if (bytes > backed_[place]) {
    const auto at = static_cast<std::size_t>(room.data() - arena_->bytes().data());
    if (auto backed = arena_->back(at, bytes); !backed) return backed;
    backed_[place] = bytes;
  }
  set_sequence(room, 0);
  const MutableBytes body = room.subspan(sizeof(RecordHead), body_bytes);
  encode(kept, body);
  RecordHead head{0, record_magic, body_bytes, 0};
  head.checksum = checksum_of(head, body);
  std::memcpy(room.data(), &head, sizeof head);
  set_sequence(room, ++sequence_);
  // The other one names slots that are free from here on.
  set_sequence(record(newest_), 0);
  newest_ = place;
  return {};
}

void Store::strike_out() {
  // The older first: it must never be the only one.
  set_sequence(record(1 - newest_), 0);
  set_sequence(record(newest_), 0);
}

Result<Kept> Store::read(std::size_t place) {
  const ByteView room = record(place);
  const RecordHead head = head_of(room);
  if (head.magic != record_magic || head.bytes > room.size() - sizeof head) {
    return damaged("its record has no head");
  }
  const ByteView body = room.subspan(sizeof head, head.bytes);
  if (checksum_of(head, body) != head.checksum) return damaged("its record's checksum is wrong");
  auto kept = decode_record(body, record_bytes_ / sizeof(std::uint64_t));
  if (!kept) return damaged(kept.error().reason);
  const std::uint64_t slots = slabs() * PagePool::slab_pages + zero_page + 1;
  for (const Kept::Page& page : kept->pages) {
    if (page.slot >= slots) return damaged("it names memory that it does not have");
  }
  return kept;
}

Result<Store::Reopened> Store::reopen(std::unique_ptr<Arena> arena) {
  const MutableBytes all = arena->bytes();
  ArenaHead head{};
  if (all.size() >= page_bytes) std::memcpy(&head, all.data(), sizeof head);
  if (head.magic != arena_magic) return fail("nothing-kept", "no checkpoint was kept here");
  if (head.version != version) {
    return fail("store-version", "the checkpoint was kept by another version of colo",
                "none needed: the memory is copied again");
  }
  const bool fits = head.record_bytes >= page_bytes && head.record_bytes % page_bytes == 0 &&
                    head.record_bytes <= (all.size() - page_bytes) / 2;
  if (!fits) return damaged("its sizes are wrong");
  std::unique_ptr<Store> store(new Store(std::move(arena), head.record_bytes));
  const std::uint64_t first = head_of(store->record(0)).sequence;
  const std::uint64_t second = head_of(store->record(1)).sequence;
  if (first == 0 && second == 0) return fail("nothing-kept", "no checkpoint is complete here");
  store->newest_ = first > second ? 0 : 1;
  store->sequence_ = std::max(first, second);
  // Never the other one if this is damaged: its slots may hold other pages by now.
  auto kept = store->read(store->newest_);
  if (!kept) return fail(kept.error());
  return Reopened{std::move(store), std::move(*kept)};
}

}  // namespace colo::cache
