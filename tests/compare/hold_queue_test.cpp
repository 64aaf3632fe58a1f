#include "compare/hold_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>

namespace colo::compare {
namespace {

Bytes frame_of(std::uint64_t serial, std::size_t size = 60) {
  Bytes frame(std::max<std::size_t>(size, 8));
  for (std::size_t i = 0; i < 8; ++i) frame[i] = static_cast<std::byte>(serial >> (8 * i));
  return frame;
}

std::uint64_t serial_of(const Bytes& frame) {
  std::uint64_t serial = 0;
  for (std::size_t i = 0; i < 8; ++i) serial |= std::to_integer<std::uint64_t>(frame[i]) << (8 * i);
  return serial;
}

Instant at(std::int64_t nanoseconds) { return Instant(Duration(nanoseconds)); }

TEST(HoldQueue, AFrameWaitsForTheCheckpointOfItsEpoch) {
  HoldQueue queue({});
  queue.hold();
  queue.open(Epoch{1});
  queue.push(0, frame_of(1), at(5));
  EXPECT_EQ(queue.oldest(), at(5));
  queue.open(Epoch{2});
  queue.push(0, frame_of(2), at(6));
  EXPECT_FALSE(queue.pop_released());
  queue.release(Epoch{1});
  const auto first = queue.pop_released();
  ASSERT_TRUE(first);
  EXPECT_EQ(serial_of(*first->frame), 1U);
  EXPECT_EQ(first->epoch, Epoch{1});
  EXPECT_FALSE(queue.pop_released());
  EXPECT_EQ(queue.oldest(), at(6));
}

// A session was lost behind the cut of checkpoint 1, and the one that resumes captures it again.
TEST(HoldQueue, CutTwiceToTheSameEpochReleasesLaterNeverEarlier) {
  HoldQueue queue({});
  queue.hold();
  queue.open(Epoch{1});
  queue.push(0, frame_of(1), at(0));
  queue.open(Epoch{2});
  queue.push(0, frame_of(2), at(0));  // covered by the second capture of 1, but marked as of 2
  queue.hold();                       // protection may begin again while it never ended
  queue.open(Epoch{2});
  queue.push(0, frame_of(3), at(0));
  queue.release(Epoch{1});
  const auto first = queue.pop_released();
  ASSERT_TRUE(first);
  EXPECT_EQ(serial_of(*first->frame), 1U);
  EXPECT_FALSE(queue.pop_released());
  queue.open(Epoch{3});
  queue.release(Epoch{2});
  EXPECT_EQ(serial_of(*queue.pop_released()->frame), 2U);
  EXPECT_EQ(serial_of(*queue.pop_released()->frame), 3U);
}

// The session ended, the guest was solo, and a session resumes at the epoch that was open.
TEST(HoldQueue, HoldsAgainFromTheSameEpochAfterSolo) {
  HoldQueue queue({});
  queue.hold();
  queue.open(Epoch{6});
  queue.release(Epoch{5});
  queue.release_all();
  queue.push(0, frame_of(1), at(0));
  queue.hold();
  queue.open(Epoch{6});
  queue.push(0, frame_of(2), at(0));
  EXPECT_EQ(serial_of(*queue.pop_released()->frame), 1U);
  EXPECT_FALSE(queue.pop_released());
  queue.release(Epoch{5});
  EXPECT_FALSE(queue.pop_released());
}

TEST(HoldQueue, IsFullAtEitherBoundAndKeepsTheFrame) {
  HoldQueue packets({.packets = 2, .bytes = 1000});
  packets.hold();
  packets.push(0, frame_of(1, 100), at(0));
  EXPECT_FALSE(packets.full());
  packets.push(0, frame_of(2, 100), at(0));
  EXPECT_TRUE(packets.full());
  EXPECT_EQ(packets.packets(), 2U);
  HoldQueue bytes({.packets = 100, .bytes = 200});
  bytes.hold();
  bytes.push(0, frame_of(1, 199), at(0));
  EXPECT_FALSE(bytes.full());
  bytes.push(0, frame_of(2, 100), at(0));
  EXPECT_TRUE(bytes.full());
  EXPECT_EQ(bytes.bytes(), 299U);
  bytes.open(Epoch{2});
  bytes.release(Epoch{1});
  ASSERT_TRUE(bytes.pop_released());
  EXPECT_FALSE(bytes.full());
}

TEST(HoldQueue, SoloReleasesEverythingAndHoldBindsOnlyWhatComesAfter) {
  HoldQueue queue({});
  queue.hold();
  queue.push(0, frame_of(1), at(0));
  queue.release_all();
  queue.push(0, frame_of(2), at(0));
  queue.hold();
  queue.push(0, frame_of(3), at(0));
  EXPECT_EQ(serial_of(*queue.pop_released()->frame), 1U);
  EXPECT_EQ(serial_of(*queue.pop_released()->frame), 2U);
  EXPECT_FALSE(queue.pop_released());
  EXPECT_EQ(queue.packets(), 1U);
}

TEST(HoldQueue, ANewSessionIsNotReleasedByWhatAnEarlierOneReleased) {
  HoldQueue queue({});
  queue.hold();
  queue.open(Epoch{8});
  queue.release(Epoch{7});
  queue.release_all();
  queue.hold();
  queue.open(Epoch{1});
  queue.push(0, frame_of(1), at(0));
  EXPECT_FALSE(queue.pop_released());
  queue.open(Epoch{2});
  queue.release(Epoch{1});
  EXPECT_TRUE(queue.pop_released());
}

TEST(HoldQueue, OneFrameMayLeaveEarlyAndTheOthersStay) {
  HoldQueue queue({});
  queue.hold();
  queue.push(0, frame_of(1, 100), at(1));
  const FrameId second = queue.push(0, frame_of(2, 200), at(2));
  queue.push(0, frame_of(3, 300), at(3));
  EXPECT_TRUE(queue.release_one(second));
  const auto early = queue.pop_released();
  ASSERT_TRUE(early);
  EXPECT_EQ(serial_of(*early->frame), 2U);
  EXPECT_EQ(early->id, second);
  EXPECT_FALSE(queue.pop_released());
  EXPECT_EQ(queue.packets(), 2U);
  EXPECT_EQ(queue.bytes(), 400U);
  EXPECT_EQ(queue.oldest(), at(1));
  EXPECT_FALSE(queue.release_one(second)) << "it has left";
  queue.open(Epoch{2});
  queue.release(Epoch{1});
  EXPECT_EQ(serial_of(*queue.pop_released()->frame), 1U);
  EXPECT_EQ(serial_of(*queue.pop_released()->frame), 3U);
}

// A connection's frames of both epochs: its earlier ones are released by the commit, a later one by
// comparison, and the client must not see them the wrong way round.
TEST(HoldQueue, WhatWasPushedFirstLeavesFirstHoweverItWasReleased) {
  HoldQueue queue({});
  queue.hold();
  queue.push(0, frame_of(1), at(0));
  queue.open(Epoch{2});
  const FrameId second = queue.push(0, frame_of(2), at(0));
  const FrameId third = queue.push(0, frame_of(3), at(0));
  EXPECT_TRUE(queue.release_one(third));
  EXPECT_TRUE(queue.release_one(second));
  queue.release(Epoch{1});
  EXPECT_EQ(serial_of(*queue.pop_released()->frame), 1U);
  EXPECT_EQ(serial_of(*queue.pop_released()->frame), 2U);
  EXPECT_EQ(serial_of(*queue.pop_released()->frame), 3U);
  EXPECT_FALSE(queue.pop_released());
}

TEST(HoldQueue, TheQueueAndItsReaderShareTheBytes) {
  HoldQueue queue({});
  const auto frame = std::make_shared<const Bytes>(frame_of(9));
  queue.push(0, frame, at(0));
  EXPECT_EQ(queue.pop_released()->frame.get(), frame.get());
}

TEST(HoldQueue, DropAllForgetsEveryFrame) {
  HoldQueue queue({});
  queue.push(0, frame_of(1), at(0));
  queue.hold();
  queue.push(1, frame_of(2), at(0));
  EXPECT_EQ(queue.drop_all(), 2U);
  EXPECT_EQ(queue.packets(), 0U);
  EXPECT_EQ(queue.bytes(), 0U);
  EXPECT_FALSE(queue.oldest());
  queue.release_all();
  EXPECT_FALSE(queue.pop_released());
}

TEST(HoldQueueDeathTest, ReleasingTheOpenEpochStopsTheEngine) {
  HoldQueue queue({});
  queue.hold();
  queue.open(Epoch{3});
  EXPECT_DEATH(queue.release(Epoch{3}), "invariant broken");
}

// Pushes, epochs, releases, solo spells and drops at random; a plain list says what may leave.
class RandomUse : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  struct Expected {
    std::uint64_t serial;
    std::uint32_t port;
    Epoch epoch;
    FrameId id;
    bool free = false;
  };

  [[nodiscard]] std::uint64_t pick(std::uint64_t below) { return random_() % below; }

  void push() {
    const auto port = static_cast<std::uint32_t>(pick(3));
    const std::size_t size = 8 + pick(1500);
    const FrameId id =
        queue_.push(port, frame_of(serial_, size), at(static_cast<std::int64_t>(serial_)));
    held_.push_back({serial_++, port, queue_.open_epoch(), id, !queue_.holding()});
    bytes_ += size;
  }

  void pop() {
    const auto frame = queue_.pop_released();
    const auto next = std::find_if(held_.begin(), held_.end(), [&](const Expected& one) {
      return one.free || one.epoch <= released_;
    });
    ASSERT_EQ(frame.has_value(), next != held_.end());
    if (!frame) return;
    ASSERT_EQ(serial_of(*frame->frame), next->serial);  // in order, none lost, none twice
    ASSERT_EQ(frame->port, next->port);
    ASSERT_EQ(frame->epoch, next->epoch);
    bytes_ -= frame->frame->size();
    held_.erase(next);
  }

  void release_one() {
    if (held_.empty()) return;
    Expected& one = held_[pick(held_.size())];
    ASSERT_TRUE(queue_.release_one(one.id));
    one.free = true;
  }

  void step() {
    const std::uint64_t what = pick(100);
    if (what < 45) {
      push();
    } else if (what < 60) {
      release_one();
    } else if (what < 85) {
      pop();
    } else if (what < 92) {
      queue_.open(queue_.open_epoch().next());
    } else if (what < 96) {
      const Epoch up_to{pick(queue_.open_epoch().value)};
      queue_.release(up_to);
      released_ = std::max(released_, up_to);
    } else if (what < 98) {
      queue_.hold();
    } else if (what < 99) {
      queue_.release_all();
      for (Expected& frame : held_) frame.free = true;
    } else {
      ASSERT_EQ(queue_.drop_all(), held_.size());
      held_.clear();
      bytes_ = 0;
    }
  }

  std::mt19937_64 random_{GetParam()};
  HoldQueue queue_{{}};
  std::deque<Expected> held_;
  std::uint64_t serial_ = 0;
  std::size_t bytes_ = 0;
  Epoch released_;
};

TEST_P(RandomUse, ReleasesExactlyWhatMayLeaveInOrder) {
  for (int i = 0; i < 20000; ++i) {
    step();
    ASSERT_FALSE(HasFatalFailure()) << "seed " << GetParam() << ", step " << i;
    ASSERT_EQ(queue_.packets(), held_.size());
    ASSERT_EQ(queue_.bytes(), bytes_);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, RandomUse, ::testing::Range<std::uint64_t>(1, 9));

}  // namespace
}  // namespace colo::compare
