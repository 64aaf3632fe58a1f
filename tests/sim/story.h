// The history of the simulated guest. Every step of it is a point with the step before as its
// parent; so two guests that went on from one checkpoint are told apart, and whether something is
// part of a guest's past is a fact and not a guess. Two guests at one point that are told the same
// next come to one point again: they are equal, whenever each of them gets there.
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
    told_.push_back({});
    return made;
  }
  // What a guest at `parent` becomes that is told `what`. Of several things that were told there
  // only the first is known again; a guest that was told another goes a way of its own.
  Point child(Point parent, std::uint64_t what) {
    const Told known = told_[parent];
    if (known.point != 0 && known.what == what) return known.point;
    const Point made = next(parent);
    if (known.point == 0) told_[parent] = {what, made};
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
  struct Told {
    std::uint64_t what = 0;
    Point point = 0;  // 0: none yet
  };
  std::vector<Branch> branches_{Branch{}};
  std::vector<std::uint32_t> points_{0};  // the branch of each
  std::vector<Told> told_{Told{}};
};

}  // namespace colo::sim
