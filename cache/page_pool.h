// Memory for page bytes, in slabs that are recycled: in steady state no page costs an allocation.
//
// Role: hands out slots of page_bytes each. A slot that is given back while a reader outside the
//   lock may still look at it (a flush batch) is kept apart until that reader is done.
// Threads: none; callers serialize. The bytes of a slot keep their address for its life.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

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
  std::vector<std::unique_ptr<std::byte[]>> slabs_;
  std::vector<Slot> free_;
  std::vector<Slot> still_read_;
  bool reading_ = false;
};

}  // namespace colo::cache
