// Keeps the committed checkpoint in memory that outlives the process, so that an engine that dies
// and is started again still has it: page slots and a commit record in one shared mapping.
//
// Crash-consistent against the death of the process at any instruction (SIGKILL, a fault): the
// kernel keeps what was written, in program order. Not against a loss of power or of the kernel:
// the memory is gone then, and with it the file.
//
// There are two places for a record. A new one is written whole into the place of the older, with a
// checksum over all of it, and its sequence number last; then the other is struck out. So at every
// instant the newest valid record is the last that was finished. Slots that a valid record names
// are not written again before a newer one is valid: its user sees to that. A record is checked
// when it is read; page contents have no checksum of their own here (a frame's was checked when it
// arrived, and a process that dies changes no other byte).
//
// Threads: none; callers serialize. Errors: "store-full", what the arena says; on reading
// "nothing-kept", "store-damaged", "store-version".
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "cache/page_pool.h"

namespace colo::cache {

// A shared mapping, as large as it may ever get, of which memory stands behind a part only.
class Arena {
 public:
  virtual ~Arena() = default;
  // The same for the arena's life; starts at a page's border.
  [[nodiscard]] virtual MutableBytes bytes() = 0;
  // Memory stands behind this part from now on. REQUIRES: whole pages. Until then nobody touches
  // it: the kernel ends a process that writes where no memory is left.
  virtual Result<void> back(std::size_t first, std::size_t bytes) = 0;
};

// Where a checkpoint comes from. The cache stores it and understands none of it.
struct Origin {
  Generation generation;              // of the session that brought it
  std::array<std::byte, 16> token{};  // names the lineage
  std::string primary_run;
  std::uint64_t memory = 0;    // which memory file its flushed pages are in
  std::uint64_t identity = 0;  // a hash of what guest it is of
  // Its rewritten connections: without this table they would break in the guest that is loaded.
  Bytes flows;
};

// What a record says.
struct Kept {
  struct Page {
    PageId page;
    Slot slot = no_page;
  };
  Origin origin;
  Epoch committed, flushed;
  MemoryLayout layout;
  std::vector<bool> mirrored;
  std::shared_ptr<const Bytes> device_state;
  std::vector<Page> pages;  // committed and not flushed, and all of mirrored regions
};

class Store {
 public:
  // How large an arena has to be; all of it address space, little of it memory.
  [[nodiscard]] static std::size_t arena_bytes(const MemoryLayout& layout,
                                               std::uint64_t staged_pages);
  // Nothing is kept in it at first, whatever was before. REQUIRES: arena_bytes() of room.
  [[nodiscard]] static Result<std::unique_ptr<Store>> create(std::unique_ptr<Arena> arena,
                                                             const MemoryLayout& layout);
  // What a process that is gone kept. Believes nothing that it did not check.
  struct Reopened;
  [[nodiscard]] static Result<Reopened> reopen(std::unique_ptr<Arena> arena);

  // The checkpoint that is kept from now on. After an error the one before is.
  Result<void> write(const Kept& kept);
  // Nothing is kept any more.
  void strike_out();

  // Memory for PagePool::slab_pages pages.
  Result<std::byte*> slab(std::size_t index);

 private:
  Store(std::unique_ptr<Arena> arena, std::size_t record_bytes);
  [[nodiscard]] MutableBytes record(std::size_t place);
  [[nodiscard]] Result<Kept> read(std::size_t place);
  [[nodiscard]] std::size_t slabs_at() const;
  [[nodiscard]] std::size_t slabs() const;

  std::unique_ptr<Arena> arena_;
  std::size_t record_bytes_;  // room of each place
  std::uint64_t sequence_ = 0;
  std::size_t newest_ = 0;
  std::array<std::size_t, 2> backed_{};
};

struct Store::Reopened {
  std::unique_ptr<Store> store;
  Kept kept;
};

}  // namespace colo::cache
