#include "base/bitmap.h"

namespace colo {

void Bitmap::set_range(PageIndex first, std::uint64_t count) {
  COLO_CHECK(first <= pages_ && count <= pages_ - first);
  PageIndex page = first;
  const PageIndex end = first + count;
  while (page < end && page % 64 != 0) set(page++);
  for (; end - page >= 64; page += 64) words_[page / 64] = ~std::uint64_t{0};
  while (page < end) set(page++);
}

std::uint64_t Bitmap::count() const {
  std::uint64_t total = 0;
  for (const std::uint64_t word : words_) total += static_cast<std::uint64_t>(std::popcount(word));
  return total;
}

bool Bitmap::any() const {
  return std::any_of(words_.begin(), words_.end(), [](std::uint64_t word) { return word != 0; });
}

PageIndex Bitmap::next(PageIndex from) const {
  if (from >= pages_) return pages_;
  std::size_t i = from / 64;
  std::uint64_t word = words_[i] & (~std::uint64_t{0} << (from % 64));
  while (word == 0 && ++i < words_.size()) word = words_[i];
  if (word == 0) return pages_;
  return static_cast<PageIndex>(i) * 64 + static_cast<PageIndex>(std::countr_zero(word));
}

void Bitmap::unite(const Bitmap& other) {
  COLO_CHECK(other.pages_ == pages_);
  for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
}

}  // namespace colo
