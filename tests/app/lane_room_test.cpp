// How much of the network's traffic may be on its way into the control lane.
#include "app/lane_room.h"

#include <gtest/gtest.h>

namespace colo::app {
namespace {

constexpr std::size_t least = io::PacketGate::room_bytes_min;

TEST(LaneRoom, WhatWasGivenAndWhatIsQueuedCount) {
  LaneRoom room;
  const std::size_t all = room.left();
  EXPECT_GE(all, io::control_room_bytes + least) << "a lane below its bound has room";
  room.given(1000);
  room.queued(500);
  EXPECT_EQ(room.left(), all - 1500);
  room.taken(1000);
  room.queued(10 * all);
  EXPECT_EQ(room.left(), 0U);
}

// The lane says that there is room only where it was crowded itself. A gate that was refused for
// what the loop had not come to yet slept on.
TEST(LaneRoom, WhoWasRefusedIsToldAlsoWhereTheLaneWasNeverCrowded) {
  LaneRoom room;
  const std::size_t all = room.left();
  room.given(all - least + 1);
  EXPECT_FALSE(room.again()) << "nobody was refused";
  EXPECT_LT(room.left(), least);
  EXPECT_FALSE(room.again());
  room.taken(1);
  EXPECT_TRUE(room.again());
  EXPECT_FALSE(room.again()) << "told once";
}

}  // namespace
}  // namespace colo::app
