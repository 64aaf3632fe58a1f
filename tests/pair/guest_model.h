// A guest of six pages. Every step it takes is a point of its story, with the step before as its
// parent; so two guests that went on from one checkpoint are told apart, and whether something is
// part of a guest's past is a fact and not a guess.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <vector>

#include "base/types.h"

namespace colo::pair {

using Point = std::uint64_t;  // 0: before the guest's first step

class Story {
 public:
  Point next(Point parent) {
    parents_.push_back(parent);
    return parents_.size() - 1;
  }
  // True also where both are the same.
  [[nodiscard]] bool is_past_of(Point past, Point of) const {
    while (of > past) of = parents_[of];
    return of == past;
  }

 private:
  std::vector<Point> parents_{0};
};

using Memory = std::map<PageId, Bytes>;

// "ram" is the engine's own and outlives the guest's process; "video" lives in the process.
MemoryLayout model_layout();
std::vector<bool> model_mirrored();
bool in_process(PageId page);
Memory zero_memory();

Bytes encode_point(Point point);
Point decode_point(ByteView bytes);

struct GuestModel {
  Memory memory = zero_memory();
  Point point = 0;
  bool running = true;
  std::set<PageId> dirty;

  // Writes a page, some of them back to zero, and sends one frame: the point.
  Point step(Story& story);
};

}  // namespace colo::pair
