// Memory for page bytes, in slabs that are recycled: in steady state no page costs an allocation.
//
// Role: hands out slots of page_bytes each. A slot that is given back while a reader outside the
//   lock may still look at it (a flush batch) is kept apart until that reader is done.
// With a store, slabs are in its shared memory. If that has no memory left, slabs are our own
// again:
//   the store is of no further use, and its owner has to say so.
// Threads: none; callers serialize. The bytes of a slot keep their address for its life.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace colo::cache {

// What a page of a set is: absent, known to be zero, or bytes in the pool.
using Slot = std::uint32_t;
inline constexpr Slot no_page = 0;
inline constexpr Slot zero_page = 1;
[[nodiscard]] constexpr bool has_bytes(Slot slot) { return slot > zero_page; }

class PagePool {
 public:
  static constexpr std::size_t slab_pages = 256;  // 1 MiB
  // Memory for slab `index` in the store.
  using SharedSlab = std::function<Result<std::byte*>(std::size_t index)>;

  // REQUIRES: nothing was allocated. `in_use`: slots that a kept record names.
  Result<void> share(SharedSlab slab, const std::vector<Slot>& in_use);
  // Why slabs are not shared any more, if they were; once.
  [[nodiscard]] std::optional<Error> take_trouble() { return std::exchange(trouble_, {}); }

  // The bytes of a new slot are undefined.
  [[nodiscard]] Slot allocate();
  // Takes any slot; those without bytes cost nothing.
  void free(Slot slot);
  [[nodiscard]] MutableBytes bytes(Slot slot);

  // Between the two, freed slots are not handed out again.
  void begin_reading() { reading_ = true; }
  void end_reading();

  // What the slabs take, used or free.
  [[nodiscard]] std::uint64_t memory_bytes() const {
    return slabs_.size() * slab_pages * page_bytes;
  }

 private:
  void add_slab();

  struct Slab {
    std::byte* at;
    std::unique_ptr<std::byte[]> own;  // null: in the store
  };
  std::vector<Slab> slabs_;
  SharedSlab shared_slab_;
  std::optional<Error> trouble_;
  std::vector<Slot> free_;
  std::vector<Slot> still_read_;
  bool reading_ = false;
};

}  // namespace colo::cache
