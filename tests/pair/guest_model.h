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
  // What a guest does next that was told the same: two that go on from one point stay together.
  Point same(Point parent) {
    const auto known = same_.find(parent);
    if (known != same_.end()) return known->second;
    return same_[parent] = next(parent);
  }
  // True also where both are the same.
  [[nodiscard]] bool is_past_of(Point past, Point of) const {
    while (of > past) of = parents_[of];
    return of == past;
  }

 private:
  std::vector<Point> parents_{0};
  std::map<Point, Point> same_;
};

using Memory = std::map<PageId, Bytes>;

// "ram" is the engine's own and outlives the guest's process; "video" lives in the process.
MemoryLayout model_layout();
std::vector<bool> model_mirrored();
bool in_process(PageId page);
Memory zero_memory();

// A network frame of the guest that carries a point, whole and with a type of its own.
Bytes encode_frame(Point point);
Point decode_frame(ByteView bytes);

Bytes encode_point(Point point);
Point decode_point(ByteView bytes);

struct GuestModel {
  Memory memory = zero_memory();
  Point point = 0;
  bool running = true;
  std::set<PageId> dirty;

  // Writes a page, some of them back to zero, and sends one frame: the point.
  // told: it goes the way of every guest that was told the same.
  Point step(Story& story, bool told = false);
};

}  // namespace colo::pair
