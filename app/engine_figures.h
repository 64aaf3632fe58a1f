// Keeps the last figures of checkpoints for status. Threads: none.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <vector>

namespace colo::app {

template <class Value>
class Recent {
 public:
  // Enough for a p99 that means something, small enough to sort for a status.
  static constexpr std::size_t kept = 10'000;

  void add(Value value) {
    values_.push_back(value);
    if (values_.size() > kept) values_.pop_front();
    max_ = std::max(max_, value);
  }
  [[nodiscard]] bool empty() const { return values_.empty(); }
  [[nodiscard]] Value max() const { return max_; }  // of all, not only of those kept
  // REQUIRES: not empty. share: 0.5 for the median.
  [[nodiscard]] Value quantile(double share) const {
    std::vector<Value> sorted(values_.begin(), values_.end());
    const auto at = std::min(sorted.size() - 1,
                             static_cast<std::size_t>(share * static_cast<double>(sorted.size())));
    std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(at),
                     sorted.end());
    return sorted[at];
  }

 private:
  std::deque<Value> values_;
  Value max_{};
};

}  // namespace colo::app
