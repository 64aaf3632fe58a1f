// A client, the primary's guest whose numbers it knows, and a replica with numbers of its own.
#pragma once

#include <gtest/gtest.h>

#include <vector>

#include "compare/rewriter.h"
#include "tests/compare/frames.h"

namespace colo::compare {

inline Instant at_s(std::int64_t seconds) { return Instant(std::chrono::seconds(seconds)); }

// What one connection looks like to whom.
struct Numbers {
  std::uint32_t primary = 1'000'000;  // initial sequence numbers
  std::uint32_t replica = 0xffffff00U;
  std::uint32_t client = 77;
  std::uint32_t primary_clock = 500'000;  // timestamps at the SYN
  std::uint32_t replica_clock = 499'700;
};

class Rewriting : public ::testing::TestWithParam<bool> {
 protected:
  frames::Segment out(frames::Segment segment) { return pass(ends_, segment, true); }
  frames::Segment in(frames::Segment segment) { return pass(ends_.back(), segment, false); }

  frames::Segment pass(const frames::Ends& ends, const frames::Segment& segment, bool outbound) {
    Bytes frame = tcp(ends, segment);
    if (outbound) {
      EXPECT_TRUE(rewriter_.outbound(0, frame, now_));
    } else {
      rewriter_.inbound(0, frame, now_);
    }
    const auto read = frames::read_tcp(frame);
    EXPECT_TRUE(read) << "the checksum must hold";
    return read.value_or(frames::Segment{});
  }

  static frames::Segment stamped(frames::Segment segment, std::uint32_t value, std::uint32_t echo) {
    segment.timestamps = {value, echo};
    return segment;
  }

  // The client opens; the primary's SYN-ACK reached it, the replica's never does.
  void client_opens(const Numbers& n = {}) {
    in(stamped({n.client, 0, frames::syn}, 9000, 0));
    const frames::Segment answer =
        out(stamped({n.replica, n.client + 1, frames::syn | frames::ack}, n.replica_clock, 9000));
    EXPECT_EQ(answer.seq, n.replica) << "nobody knows the primary's number yet";
    const frames::Segment third = in(stamped({n.client + 1, n.primary + 1}, 9001, n.primary_clock));
    EXPECT_EQ(third.ack, n.replica + 1);
    EXPECT_EQ(third.seq, n.client + 1);
    EXPECT_EQ(third.timestamps->second, n.replica_clock);
    EXPECT_EQ(third.timestamps->first, 9001U);
  }

  frames::Ends ends_{GetParam(), true,
                     GetParam() ? std::vector<std::uint16_t>{5} : std::vector<std::uint16_t>{}};
  Rewriter rewriter_{RewriterLimits{}};
  Instant now_ = at_s(100);
};

}  // namespace colo::compare
