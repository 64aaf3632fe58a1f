#include "demo/reply_times.h"

#include <algorithm>

namespace colo::demo {

std::int64_t unix_now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

void ReplyTimes::add(Clock::time_point said) {
  const auto took = Clock::now() - said;
  // A clock that was set back must not put them out of order.
  all_.push_back({std::max(unix_now_ns(), all_.empty() ? 0 : all_.back().heard_unix_ns), took});
}

std::vector<ReplyTimes::One>::const_iterator ReplyTimes::since(std::int64_t unix_ns) const {
  return std::lower_bound(all_.begin(), all_.end(), unix_ns,
                          [](const One& one, std::int64_t ns) { return one.heard_unix_ns < ns; });
}

std::optional<std::int64_t> ReplyTimes::first_since(std::int64_t unix_ns) const {
  const auto found = since(unix_ns);
  if (found == all_.end()) return std::nullopt;
  return found->heard_unix_ns;
}

std::uint64_t ReplyTimes::count_since(std::int64_t unix_ns) const {
  return static_cast<std::uint64_t>(all_.end() - since(unix_ns));
}

std::optional<ReplyFigures> ReplyTimes::between(std::int64_t begin_unix_ns,
                                                std::int64_t end_unix_ns) const {
  std::vector<double> ms;
  for (auto one = since(begin_unix_ns); one != all_.end(); ++one) {
    if (one->heard_unix_ns >= end_unix_ns) break;
    if (one->heard_unix_ns - one->took.count() < begin_unix_ns) continue;
    ms.push_back(std::chrono::duration<double, std::milli>(one->took).count());
  }
  if (ms.empty()) return std::nullopt;
  std::sort(ms.begin(), ms.end());
  const auto at = [&](double share) {
    return ms[std::min(ms.size() - 1,
                       static_cast<std::size_t>(share * static_cast<double>(ms.size())))];
  };
  return ReplyFigures{ms.size(), at(0.5), at(0.99), ms.back()};
}

}  // namespace colo::demo
