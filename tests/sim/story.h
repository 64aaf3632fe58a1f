// The history of the simulated guest. Every step of it is a point with the step before as its
// parent; so two guests that went on from one checkpoint are told apart, and whether something is
// part of a guest's past is a fact and not a guess.
#pragma once

#include <cstdint>
#include <vector>

namespace colo::sim {

using Point = std::uint32_t;  // 0: before the guest's first step

class Story {
 public:
  Point next(Point parent) {
    const auto made = static_cast<Point>(points_.size());
    // Straight on in the same branch, or a new one that leaves the parent's.
    const bool straight = parent + 1 == made && branches_.back().first <= parent;
    if (!straight) branches_.push_back({made, parent});
    points_.push_back(static_cast<std::uint32_t>(branches_.size() - 1));
    return made;
  }
  // True also where both are the same.
  [[nodiscard]] bool is_past_of(Point past, Point of) const {
    while (of > past) {
      const Branch& branch = branches_[points_[of]];
      if (branch.first <= past) return true;  // a branch is a run of points without a gap
      of = branch.parent;
    }
    return of == past;
  }

 private:
  struct Branch {
    Point first = 0;
    Point parent = 0;
  };
  std::vector<Branch> branches_{Branch{}};
  std::vector<std::uint32_t> points_{0};  // the branch of each
};

}  // namespace colo::sim
