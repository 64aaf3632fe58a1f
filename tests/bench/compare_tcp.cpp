// How many frames of bulk TCP a second the comparator and the hold queue judge on one core: two
// guests say one stream, the replica in other segments and a little later. Prints figures.
#include <cstdio>
#include <ctime>
#include <memory>
#include <vector>

#include "base/check.h"
#include "compare/comparator.h"
#include "compare/hold_queue.h"
#include "compare/rewriter.h"
#include "tests/compare/frames.h"

namespace {

using namespace colo;
using namespace colo::compare;

constexpr std::size_t segment_bytes = 1448;
constexpr std::size_t frames_per_flow = 256;
constexpr std::size_t lag = 8;  // frames by which the replica is behind

// Of the processor, not of the wall: others may use this machine too.
double seconds_since(std::clock_t start) {
  return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

// One flow's stream in segments of one size; the last may be shorter.
std::vector<Bytes> stream(std::uint16_t client, std::uint32_t seq, std::size_t size) {
  std::vector<Bytes> frames;
  frames::Ends ends;
  ends.client_port = client;
  const std::size_t total = frames_per_flow * segment_bytes;
  for (std::size_t at = 0; at < total; at += size) {
    frames::Segment segment{seq + static_cast<std::uint32_t>(at), 100};
    segment.timestamps = {1, 2};
    segment.payload.assign(std::min(size, total - at), static_cast<char>('a'));
    frames.push_back(tcp(ends, segment));
  }
  return frames;
}

void run(std::size_t flows, std::size_t turns, std::size_t replica_segment) {
  Comparator comparator({});
  HoldQueue queue({});
  Rewriter rewriter(RewriterLimits{});
  queue.hold();
  queue.open(Epoch{2});
  comparator.cut(Epoch{2});
  comparator.committed(Epoch{1});
  std::size_t judged = 0;
  double compared = 0;
  double rewritten = 0;
  for (std::size_t turn = 0; turn < turns; ++turn) {
    const auto seq = static_cast<std::uint32_t>(turn * frames_per_flow * segment_bytes);
    for (std::size_t flow = 0; flow < flows; ++flow) {
      const auto client = static_cast<std::uint16_t>(flow);
      const std::vector<Bytes> ours = stream(client, seq, segment_bytes);
      std::vector<Bytes> theirs = stream(client, seq, replica_segment);
      std::clock_t start = std::clock();
      for (Bytes& frame : theirs) COLO_CHECK(rewriter.outbound(0, frame, Instant{}));
      rewritten += seconds_since(start);
      std::vector<Frame> shared;
      for (const Bytes& frame : ours) shared.push_back(std::make_shared<const Bytes>(frame));
      start = std::clock();
      std::size_t said = 0;
      for (std::size_t i = 0; i < shared.size() + lag; ++i) {
        if (i < shared.size()) {
          const FrameId id = queue.push(0, shared[i], Instant{});
          comparator.primary_sent(id, 0, shared[i], Instant{});
        }
        const std::size_t due = i < lag ? 0 : (i - lag + 1) * theirs.size() / shared.size();
        for (; said < std::min(due, theirs.size()); ++said) {
          comparator.secondary_sent(Epoch{2}, 0, theirs[said], Instant{});
        }
        while (const auto id = comparator.pop_released()) COLO_CHECK(queue.release_one(*id));
        while (queue.pop_released()) ++judged;
      }
      compared += seconds_since(start);
    }
  }
  COLO_CHECK(judged == flows * turns * frames_per_flow);
  std::printf(
      "%4zu flows, replica's segments %4zu bytes: %.2f M frames/s (%.1f Gbit/s), rewriting %.2f M "
      "frames/s\n",
      flows, replica_segment, static_cast<double>(judged) / compared / 1e6,
      static_cast<double>(judged * segment_bytes) * 8 / compared / 1e9,
      static_cast<double>(judged) / rewritten / 1e6);
}

}  // namespace

int main() {
  run(1, 200, segment_bytes);
  run(1, 200, 1000);
  run(100, 2, segment_bytes);
}
