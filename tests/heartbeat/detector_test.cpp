#include "heartbeat/detector.h"

#include <gtest/gtest.h>

namespace colo::heartbeat {
namespace {

using std::chrono::milliseconds;

// A clock that jumps: times in these tests are milliseconds since the detector's start.
Instant at(int ms) { return Instant{} + milliseconds(ms); }

constexpr DetectorConfig config{milliseconds(100), milliseconds(1000)};

TEST(Detector, ThePeerIsSuspectedWhenNothingCameSinceTheStart) {
  const Detector detector(config, 1, at(0));
  EXPECT_EQ(detector.deadline(), at(1000));
  EXPECT_FALSE(detector.suspected(at(999)));
  EXPECT_TRUE(detector.suspected(at(1000)));
}

TEST(Detector, ADatagramPutsTheSuspicionOff) {
  Detector detector(config, 1, at(0));
  detector.heard(0, at(900));
  EXPECT_EQ(detector.deadline(), at(1900));
  EXPECT_FALSE(detector.suspected(at(1899)));
  EXPECT_TRUE(detector.suspected(at(1900)));
}

TEST(Detector, OneLinkThatSpeaksIsEnough) {
  Detector detector(config, 3, at(0));
  for (int ms = 100; ms <= 5000; ms += 100) {
    detector.heard(1, at(ms));
    EXPECT_FALSE(detector.suspected(at(ms)));
  }
  EXPECT_EQ(detector.deadline(), at(6000));
  EXPECT_TRUE(detector.suspected(at(6000)));
}

TEST(Detector, APeerThatComesBackIsNotSuspectedAnyMore) {
  Detector detector(config, 2, at(0));
  detector.heard(0, at(100));
  EXPECT_TRUE(detector.suspected(at(1200)));
  detector.heard(1, at(1300));
  EXPECT_FALSE(detector.suspected(at(1300)));
}

TEST(Detector, NewsOutOfOrderNeverTakesTimeBack) {
  Detector detector(config, 1, at(0));
  detector.heard(0, at(500));
  detector.heard(0, at(300));
  EXPECT_EQ(detector.deadline(), at(1500));
}

TEST(Detector, OurOwnStandstillSaysNothingOfThePeer) {
  Detector detector(config, 2, at(0));
  detector.heard(0, at(100));
  detector.stalled(at(200), at(60000));
  EXPECT_FALSE(detector.suspected(at(60000)));
  EXPECT_EQ(detector.deadline(), at(61000));
}

TEST(Detector, AStandstillInThePastTakesNoTimeBack) {
  Detector detector(config, 1, at(0));
  detector.heard(0, at(900));
  detector.stalled(at(200), at(800));
  EXPECT_EQ(detector.deadline(), at(1900));
}

TEST(Detector, ALoopThatIsAlwaysALittleLateDoesNotPutTheSuspicionOffForEver) {
  Detector detector(config, 1, at(0));
  for (int ms = 100; ms <= 1000; ms += 100) detector.stalled(at(ms - 99), at(ms));
  EXPECT_TRUE(detector.suspected(at(1000)));
}

TEST(Detector, TheReportTellsEachLink) {
  Detector detector(config, 3, at(0));
  detector.heard(0, at(100));
  detector.heard(1, at(1900));
  const auto links = detector.report(at(2000));
  ASSERT_EQ(links.size(), 3U);
  EXPECT_EQ(links[0].state, LinkState::silent);
  EXPECT_EQ(links[0].silence, milliseconds(1900));
  EXPECT_EQ(links[1].state, LinkState::alive);
  EXPECT_EQ(links[1].silence, milliseconds(100));
  EXPECT_EQ(links[2].state, LinkState::quiet);
  EXPECT_EQ(links[2].silence, milliseconds(2000));
}

}  // namespace
}  // namespace colo::heartbeat
