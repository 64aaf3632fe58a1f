// A set of positions, kept as ranges [from, to): sorted, apart from each other.
// Role: bookkeeping of sequence space; a stream in order is one range. Threads: none. Errors: none.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace colo::compare {

class Ranges {
 public:
  void add(std::uint64_t from, std::uint64_t to) {
    if (from >= to) return;
    // The ranges that touch the new one are replaced by their union.
    auto first =
        std::lower_bound(ranges_.begin(), ranges_.end(), from,
                         [](const Range& range, std::uint64_t at) { return range.to < at; });
    auto last = first;
    for (; last != ranges_.end() && last->from <= to; ++last) {
      from = std::min(from, last->from);
      to = std::max(to, last->to);
    }
    if (first == last) {
      ranges_.insert(first, {from, to});
      return;
    }
    *first = {from, to};
    ranges_.erase(first + 1, last);
  }

  // Where the range ends that holds `at`.
  [[nodiscard]] std::optional<std::uint64_t> end_of(std::uint64_t at) const {
    const auto range = behind(at);
    if (range == ranges_.end() || range->from > at) return std::nullopt;
    return range->to;
  }

  // Where the first range behind `at` begins. REQUIRES: none holds it.
  [[nodiscard]] std::uint64_t next_from(std::uint64_t at) const {
    const auto range = behind(at);
    return range == ranges_.end() ? std::numeric_limits<std::uint64_t>::max() : range->from;
  }

  [[nodiscard]] std::size_t count() const { return ranges_.size(); }

 private:
  struct Range {
    std::uint64_t from, to;
  };

  [[nodiscard]] std::vector<Range>::const_iterator behind(std::uint64_t at) const {
    return std::upper_bound(ranges_.begin(), ranges_.end(), at,
                            [](std::uint64_t one, const Range& range) { return one < range.to; });
  }

  std::vector<Range> ranges_;
};

}  // namespace colo::compare
