// A table in the guest's memory that is rewritten for ever, so that checkpoints have work to do,
// and that knows what each of its pages must hold, so that a page of a wrong checkpoint shows.
//
// Every page holds words made of its own index and of its round: how often it was written. Pages
// are visited in a scattered but fixed order, so the round of each page follows from one counter
// and needs no second table that could go wrong in the same way.
//
// Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace colo::demo {

class Table {
 public:
  static constexpr std::size_t words_per_page = 4096 / sizeof(std::uint64_t);
  // Aligned like the machine's own pages: a page of the table is one page that gets dirty.
  struct alignas(4096) Page {
    std::uint64_t words[words_per_page];
  };

  // REQUIRES: page_count is a power of two, so that the scattered order meets every page.
  explicit Table(std::size_t page_count);

  // Compares the next page with what it must hold, then writes its next round. Returns what was
  // wrong, if anything was.
  std::optional<std::string> rewrite_next();

  // For the tests, which need a page to be wrong.
  [[nodiscard]] std::uint64_t* page(std::size_t index) { return pages_[index].words; }
  [[nodiscard]] std::size_t next_index() const;

 private:
  std::size_t page_count_;
  std::uint64_t visits_ = 0;
  std::vector<Page> pages_;
};

}  // namespace colo::demo
