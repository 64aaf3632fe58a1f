// The gate between a guest's stream socket and a datagram socket, without privileges.
#include "io/packet_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "tests/io/gate_stage.h"

namespace colo::io::test {
namespace {

using Gate = GateStage;

TEST_F(Gate, LetsNothingOutBeforeItsEpochIsReleased) {
  start_holding();
  card().guest_sends("one");
  ASSERT_TRUE(holds(1));
  gate_->cut(second);
  card().guest_sends("two");
  ASSERT_TRUE(holds(2));
  EXPECT_FALSE(card().something_left());
  gate_->release(first);
  EXPECT_EQ(card().left(), "one");
  EXPECT_FALSE(card().something_left());
  gate_->cut(third);
  gate_->release(second);
  EXPECT_EQ(card().left(), "two");
  EXPECT_EQ(gate_->figures().held_packets, 0U);
  EXPECT_EQ(gate_->figures().frames_out, 2U);
}

TEST_F(Gate, ReleasesBeforeTheCallReturns) {
  start_holding();
  card().guest_sends("one");
  gate_->cut(second);
  gate_->release(first);
  EXPECT_TRUE(card().something_left());
}

TEST_F(Gate, ACutTakesWhatTheGuestsSocketStillHasIntoTheEpochThatEnds) {
  start_holding();
  for (int i = 0; i < 200; ++i) card().guest_sends("before the cut " + std::to_string(i));
  gate_->cut(second);
  EXPECT_EQ(gate_->figures().held_packets, 200U);  // all of it, however fast the thread is
  card().guest_sends("after the cut");
  ASSERT_TRUE(holds(201));
  gate_->release(first);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(card().left(), "before the cut " + std::to_string(i));
  EXPECT_TRUE(holds(1));
  EXPECT_FALSE(card().something_left());
}

TEST_F(Gate, AFrameThatIsHalfReadAtTheCutBelongsToTheNextEpoch) {
  start_holding();
  const Bytes whole = framed(bytes_of("in two halves"));
  card().guest_sends_raw(ByteView(whole).first(7));
  gate_->cut(second);
  card().guest_sends_raw(ByteView(whole).subspan(7));
  ASSERT_TRUE(holds(1));
  gate_->release(first);
  EXPECT_FALSE(card().something_left());
  gate_->cut(third);
  gate_->release(second);
  EXPECT_EQ(card().left(), "in two halves");
}

TEST_F(Gate, InboundFramesPassWhileOutputIsHeld) {
  start_holding();
  card().guest_sends("held");
  ASSERT_TRUE(holds(1));
  ASSERT_TRUE(card().neighbour_sends("in"));
  EXPECT_EQ(card().reached(), "in");
  EXPECT_EQ(gate_->figures().frames_in, 1U);
  EXPECT_EQ(gate_->figures().held_packets, 1U);
}

TEST_F(Gate, WithoutProtectionOutputLeavesAtOnce) {
  start();
  open();
  card().guest_sends("solo");
  EXPECT_EQ(card().left(), "solo");
}

TEST_F(Gate, GoingSoloReleasesWhatWasHeldAndHoldingAgainHolds) {
  start_holding();
  card().guest_sends("held");
  ASSERT_TRUE(holds(1));
  gate_->release_all();
  EXPECT_EQ(card().left(), "held");
  card().guest_sends("at once");
  EXPECT_EQ(card().left(), "at once");
  gate_->hold(first);
  card().guest_sends("held again");
  ASSERT_TRUE(holds(1));
  EXPECT_FALSE(card().something_left());
}

TEST_F(Gate, ClosedLetsNothingThroughAndReadsNothingOfTheGuest) {
  start();
  card().guest_sends("waits in the socket");
  ASSERT_TRUE(card().neighbour_sends("lost"));
  ASSERT_TRUE(wait_until([&] { return gate_->figures().dropped_in == 1; }));
  EXPECT_EQ(gate_->figures().held_packets, 0U);
  open();
  EXPECT_EQ(card().left(), "waits in the socket");
  ASSERT_TRUE(card().neighbour_sends("kept"));
  EXPECT_EQ(card().reached(), "kept");  // and not what came while it was closed
}

TEST_F(Gate, ClosingKeepsWhatIsHeldUntilItIsDropped) {
  start_holding();
  card().guest_sends("held");
  gate_->cut(second);
  gate_->close();
  EXPECT_EQ(gate_->figures().held_packets, 1U);
  gate_->release(first);
  EXPECT_FALSE(card().something_left());
  EXPECT_EQ(gate_->drop_held(), 1U);
  open();
  gate_->cut(third);
  gate_->release(second);
  EXPECT_FALSE(card().something_left());
}

TEST_F(Gate, OpenedAgainOnTheSameSocketGoesOnInTheMiddleOfAFrame) {
  start_holding();
  const Bytes whole = framed(bytes_of("cut by a close"));
  card().guest_sends_raw(ByteView(whole).first(9));
  gate_->cut(second);  // reads the part
  gate_->close();
  open();
  card().guest_sends_raw(ByteView(whole).subspan(9));
  gate_->cut(third);
  gate_->release(second);
  EXPECT_EQ(card().left(), "cut by a close");
}

TEST_F(Gate, OpenedAgainOnAnotherSocketStartsWithANewFrame) {
  start_holding();
  card().guest_sends_raw(ByteView(framed(bytes_of("of a dead guest"))).first(9));
  gate_->cut(second);
  gate_->close();
  cards_.push_back(std::make_unique<Card>(directory_, "other"));
  const std::vector<InsidePort> inside{{"net0", cards_[1]->inside.get()}};
  gate_->open(inside);
  cards_[1]->guest_sends("of a new guest");
  gate_->cut(third);
  gate_->release(second);
  EXPECT_EQ(card().left(), "of a new guest");
}

TEST_F(Gate, AtItsBoundAsksForACheckpointAndLosesNothing) {
  start_holding({{64, 1U << 20}});
  constexpr int count = 20000;
  std::thread guest([&] {
    for (int i = 0; i < count; ++i) card().guest_sends("frame " + std::to_string(i));
  });
  EXPECT_TRUE(wait_until([&] { return full_ > 0; }));
  const std::size_t bound = gate_->figures().held_packets;
  EXPECT_FALSE(card().something_left());
  EXPECT_LT(bound, 10'000U);  // one read of the socket past the bound, not all of it
  EXPECT_EQ(gate_->figures().held_packets, bound);
  gate_->release_all();
  int next = 0;
  while (next < count && card().left() == "frame " + std::to_string(next)) ++next;
  EXPECT_EQ(next, count);
  guest.join();
}

TEST_F(Gate, AGuestThatDoesNotReadStopsTheNetworkAndNotTheGate) {
  start_holding();
  const std::string frame(1400, 'x');
  // The neighbour is refused once all queues on the way are full.
  std::uint64_t sent = 0;
  ASSERT_TRUE(wait_until([&] {
    while (card().neighbour_sends(std::to_string(sent) + frame)) ++sent;
    return sent > 50 && gate_->figures().frames_in + 5 < sent;
  }));
  card().guest_sends("still served");
  EXPECT_TRUE(holds(1));
  for (std::uint64_t i = 0; i < sent; ++i) {
    EXPECT_EQ(card().reached(), std::to_string(i) + frame) << "after a partial write";
  }
}

TEST_F(Gate, ReleasedFramesWaitForASlowNeighbourInOrder) {
  start_holding();
  for (int i = 0; i < 300; ++i) card().guest_sends(std::to_string(i));
  gate_->cut(second);
  gate_->release(first);  // far more than a datagram socket queues
  EXPECT_EQ(gate_->figures().held_packets, 0U);
  for (int i = 0; i < 300; ++i) EXPECT_EQ(card().left(), std::to_string(i));
}

TEST_F(Gate, FramesForNobodyAreDroppedAsAnyNetworkDoes) {
  start_holding();
  card().neighbour.reset();
  std::filesystem::remove(card().other);
  card().guest_sends("nobody is there");
  gate_->cut(second);
  gate_->release(first);
  EXPECT_EQ(gate_->figures().frames_out, 0U);
  card().neighbour.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const sockaddr_un address = Card::address_of(card().other);
  ASSERT_EQ(
      ::bind(card().neighbour.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address),
      0);
  card().guest_sends("somebody is");
  gate_->cut(third);
  gate_->release(second);
  EXPECT_EQ(card().left(), "somebody is");
}

TEST_F(Gate, ALengthPastTheBoundClosesThePortAndSaysSo) {
  start_holding();
  card().guest_sends("fine");
  card().guest_sends_raw(Bytes{std::byte{0}, std::byte{1}, std::byte{0}, std::byte{15}});
  EXPECT_TRUE(in_trouble("bad-frame"));
  EXPECT_EQ(gate_->figures().held_packets, 1U);
}

TEST_F(Gate, TheLargestFramePassesBothWays) {
  start();
  open();
  const std::string large(65'550, 'L');
  card().guest_sends(large);
  EXPECT_EQ(card().left(), large);
  ASSERT_TRUE(card().neighbour_sends(large));
  EXPECT_EQ(card().reached(), large);
}

TEST_F(Gate, KeepsTwoCardsApart) {
  cards_.push_back(std::make_unique<Card>(directory_, "net1"));
  start_holding();
  cards_[0]->guest_sends("by net0");
  cards_[1]->guest_sends("by net1");
  gate_->cut(second);
  gate_->release(first);
  EXPECT_EQ(cards_[0]->left(), "by net0");
  EXPECT_EQ(cards_[1]->left(), "by net1");
  ASSERT_TRUE(cards_[1]->neighbour_sends("to net1"));
  EXPECT_EQ(cards_[1]->reached(), "to net1");
}

TEST_F(Gate, AGuestThatEndedLeavesItsHeldFramesAndDropsInput) {
  start_holding();
  card().guest_sends("last words");
  card().guest.reset();
  ASSERT_TRUE(holds(1));
  ASSERT_TRUE(card().neighbour_sends("too late"));
  EXPECT_TRUE(wait_until([&] { return gate_->figures().dropped_in == 1; }));
  gate_->cut(second);
  gate_->release(first);
  EXPECT_EQ(card().left(), "last words");
}

TEST_F(Gate, ManyThreadsCallItAtOnce) {
  start_holding();
  std::atomic<bool> stop = false;
  std::thread reader([&] {
    while (!stop) (void)gate_->figures();
  });
  std::thread network([&] {
    while (!stop) (void)card().neighbour_sends("in");
  });
  std::uint64_t epoch = 1;
  for (int i = 0; i < 300; ++i) {
    card().guest_sends(std::to_string(i));
    gate_->cut(Epoch{++epoch});
    gate_->release(Epoch{epoch - 1});
    EXPECT_EQ(card().left(), std::to_string(i));
    if (i % 50 == 49) {
      gate_->close();
      open();
    }
    pollfd polled{card().guest.get(), POLLIN, 0};
    if (::poll(&polled, 1, 0) == 1) (void)card().reached();
  }
  stop = true;
  reader.join();
  network.join();
}

TEST(OpenOutside, RefusesWhatIsNoPortWithItsRemedy) {
  for (const std::string spec : {"", "tap", "tap:", "tap:a%d", "tap:a-name-that-is-too-long",
                                 "unix:", "unix:one", "unix:,b", "unix:a,", "bridge:br0"}) {
    const auto port = open_outside("net0", spec);
    ASSERT_FALSE(port) << spec;
    EXPECT_EQ(port.error().word, "bad-address") << spec;
    EXPECT_FALSE(port.error().remedy.empty());
  }
  const auto missing = open_outside("net0", "tap:colo-none");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().word, "outside-missing");
  EXPECT_NE(missing.error().remedy.find("ip tuntap add"), std::string::npos);
  const auto no_directory = open_outside("net0", "unix:/nonexistent/a,/nonexistent/b");
  ASSERT_FALSE(no_directory);
  EXPECT_EQ(no_directory.error().word, "outside-missing");
}

}  // namespace
}  // namespace colo::io::test
