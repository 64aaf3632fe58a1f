#include "demo/ledger/table.h"

namespace colo::demo {
namespace {

// Odd, so that its multiples modulo a power of two meet every page once; large, so that pages
// visited one after the other do not lie side by side.
constexpr std::uint64_t stride = 7919;

// Odd constants with well-mixed bits: two pages, or two rounds of one page, share no word in
// the same place.
constexpr std::uint64_t index_factor = 0x9e3779b97f4a7c15ULL;
constexpr std::uint64_t round_factor = 0xc2b2ae3d27d4eb4fULL;
constexpr std::uint64_t word_factor = 0x165667b19e3779f9ULL;

std::uint64_t first_word(std::uint64_t index, std::uint64_t round) {
  return index * index_factor + round * round_factor;
}

void fill(std::uint64_t* words, std::uint64_t index, std::uint64_t round) {
  std::uint64_t word = first_word(index, round);
  for (std::size_t i = 0; i < Table::words_per_page; ++i, word += word_factor) words[i] = word;
}

}  // namespace

Table::Table(std::size_t page_count) : page_count_(page_count), pages_(page_count) {
  for (std::size_t index = 0; index < page_count_; ++index) fill(page(index), index, 0);
}

std::size_t Table::next_index() const {
  return static_cast<std::size_t>((visits_ * stride) % page_count_);
}

std::optional<std::string> Table::rewrite_next() {
  const std::size_t index = next_index();
  const std::uint64_t round = visits_ / page_count_;
  std::uint64_t* const words = page(index);
  std::optional<std::string> wrong;
  std::uint64_t expected = first_word(index, round);
  for (std::size_t i = 0; i < words_per_page; ++i, expected += word_factor) {
    if (words[i] == expected) continue;
    wrong = "page " + std::to_string(index) + " of the table, round " + std::to_string(round) +
            ", word " + std::to_string(i) + " holds " + std::to_string(words[i]) + ", not " +
            std::to_string(expected);
    break;
  }
  fill(words, index, round + 1);
  visits_ += 1;
  return wrong;
}

}  // namespace colo::demo
