// Frames on their way to the lane, gathered for one turn of the gate: in their order, in a batch
// for each tag.
// Threads: none; the gate serializes.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include "io/packet_gate.h"

namespace colo::io {

struct FrameBatch {
  Epoch tag;
  std::optional<Bytes> flows;  // the epoch begins here, with this table of connections
  std::vector<PortFrame> frames;
};

class FrameBatches {
 public:
  void begin(Epoch tag, Bytes flows) {
    bytes_ += flows.size();
    batches_.push_back({tag, std::move(flows), {}});
  }
  void add(Epoch tag, std::uint32_t port, Bytes frame) {
    if (batches_.empty() || batches_.back().tag != tag) batches_.push_back({tag, {}, {}});
    bytes_ += frame.size();
    batches_.back().frames.push_back({port, std::move(frame)});
  }
  [[nodiscard]] bool empty() const { return batches_.empty(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::vector<FrameBatch> take() {
    bytes_ = 0;
    return std::exchange(batches_, {});
  }

 private:
  std::vector<FrameBatch> batches_;
  std::size_t bytes_ = 0;
};

}  // namespace colo::io
