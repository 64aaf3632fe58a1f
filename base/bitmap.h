// A bitmap over the pages of one region.
// Units: pages. Threads: none; callers serialize. The size is fixed at construction.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "base/types.h"

namespace colo {

class Bitmap {
 public:
  Bitmap() = default;
  explicit Bitmap(std::uint64_t pages) : pages_(pages), words_((pages + 63) / 64) {}

  [[nodiscard]] std::uint64_t size() const { return pages_; }

  [[nodiscard]] bool test(PageIndex page) const {
    COLO_CHECK(page < pages_);
    return (words_[page / 64] >> (page % 64)) & 1U;
  }
  // True if the bit was clear.
  bool set(PageIndex page) {
    COLO_CHECK(page < pages_);
    const std::uint64_t mask = std::uint64_t{1} << (page % 64);
    const bool was_clear = (words_[page / 64] & mask) == 0;
    words_[page / 64] |= mask;
    return was_clear;
  }
  void clear(PageIndex page) {
    COLO_CHECK(page < pages_);
    words_[page / 64] &= ~(std::uint64_t{1} << (page % 64));
  }
  void set_range(PageIndex first, std::uint64_t count);
  void clear_all() { std::fill(words_.begin(), words_.end(), 0); }
  [[nodiscard]] std::uint64_t count() const;
  [[nodiscard]] bool any() const;
  // The first set bit at or after `from`; size() if there is none.
  [[nodiscard]] PageIndex next(PageIndex from) const;
  // REQUIRES: the same size.
  void unite(const Bitmap& other);

  // Calls visit(PageIndex) for each set bit, ascending.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::size_t i = 0; i < words_.size(); ++i) {
      for (std::uint64_t word = words_[i]; word != 0; word &= word - 1) {
        visit(static_cast<PageIndex>(i) * 64 + static_cast<PageIndex>(std::countr_zero(word)));
      }
    }
  }

 private:
  std::uint64_t pages_ = 0;
  std::vector<std::uint64_t> words_;
};

}  // namespace colo
