// Checkpoints through both pipelines: what the secondary would run is bit-equal to the primary.
#include "tests/pipeline/pipeline.h"

namespace colo::pipeline {
namespace {

TEST_F(Pipeline, EveryCheckpointArrivesBitEqual) {
  ASSERT_TRUE(capturer->pass(Epoch{1}, true));
  for (std::uint64_t n = 1; n <= 8; ++n) {
    if (n > 1) {
      ASSERT_TRUE(capturer->pass(Epoch{n}, false));
    }
    const auto figures = checkpoint(Epoch{n});
    ASSERT_TRUE(figures) << figures.error().text();
    EXPECT_TRUE(figures->standstill.has_value());
    ASSERT_EQ(deliver(), std::nullopt) << deliver()->text();
    EXPECT_EQ(cache->committed(), Epoch{n});
    expect_standby_equals_cut();
  }
  EXPECT_EQ(cuts, 8);
}

TEST_F(Pipeline, NothingIsSentWhileTheGuestStandsStill) {
  ASSERT_TRUE(capturer->pass(Epoch{1}, true));
  wire.frames.clear();
  std::size_t sent_at_cut = 99;
  ASSERT_TRUE(capturer->capture(Epoch{1}, [&] { sent_at_cut = wire.frames.size(); }));
  EXPECT_EQ(sent_at_cut, 0U);
  EXPECT_GT(wire.frames.size(), 0U);
}

TEST_F(Pipeline, LoadedCheckpointGoesOn) {
  ASSERT_TRUE(capturer->pass(Epoch{1}, true));
  ASSERT_TRUE(checkpoint(Epoch{1}));
  ASSERT_EQ(deliver(), std::nullopt);
  expect_standby_equals_cut();
  // The embedded guest refuses a state that does not fit the memory, so a mix would show here.
  const auto loaded = standby->load_device_state(*cache->device_state());
  ASSERT_TRUE(loaded) << loaded.error().text();
  ASSERT_TRUE(standby->resume());
}

TEST_F(Pipeline, FailedSaveLeavesTheEpochOpenAndForgetsNoPage) {
  ASSERT_TRUE(capturer->pass(Epoch{1}, true));
  guest->save_fails = true;
  const auto given_up = checkpoint(Epoch{1});
  ASSERT_FALSE(given_up);
  EXPECT_EQ(given_up.error().word, "save-failed");
  EXPECT_FALSE(guest->paused) << "the guest must run again";
  EXPECT_EQ(cuts, 0) << "a cut without a checkpoint would release output too early";
  guest->save_fails = false;
  ASSERT_TRUE(checkpoint(Epoch{1}));
  ASSERT_EQ(deliver(), std::nullopt);
  expect_standby_equals_cut();
}

TEST_F(Pipeline, FailedScanOfAStandstillLetsTheGuestRun) {
  ASSERT_TRUE(capturer->pass(Epoch{1}, true));
  guest->scan_fails = true;
  const auto given_up = checkpoint(Epoch{1});
  ASSERT_FALSE(given_up);
  EXPECT_EQ(given_up.error().word, "scan-failed");
  EXPECT_FALSE(guest->paused) << "the guest must run again";
  // What was written may be known to nobody: no checkpoint can be made of this tracking any more.
  guest->scan_fails = false;
  const auto after = checkpoint(Epoch{1});
  ASSERT_FALSE(after);
  EXPECT_EQ(after.error().word, "tracking-lost");
  EXPECT_FALSE(guest->paused);
  EXPECT_EQ(cuts, 0);
  join();
  ASSERT_TRUE(capturer->pass(Epoch{1}, true));
  ASSERT_TRUE(checkpoint(Epoch{1}));
  ASSERT_EQ(deliver(), std::nullopt);
  expect_standby_equals_cut();
}

TEST_F(Pipeline, PauseThatTakesTooLongIsGivenUpAndForgetsNoPage) {
  ASSERT_TRUE(capturer->pass(Epoch{1}, true));
  ASSERT_TRUE(checkpoint(Epoch{1}));
  ASSERT_EQ(deliver(), std::nullopt);
  wait_for_writes();
  tick = std::chrono::seconds(3);  // every look at the clock finds pause_max passed
  const auto given_up = checkpoint(Epoch{2});
  ASSERT_FALSE(given_up);
  EXPECT_EQ(given_up.error().word, "pause-too-long");
  EXPECT_FALSE(guest->paused);
  EXPECT_EQ(cuts, 1);
  tick = {};
  ASSERT_TRUE(checkpoint(Epoch{2}));
  ASSERT_EQ(deliver(), std::nullopt);
  expect_standby_equals_cut();
}

TEST_F(Pipeline, GuestThatDoesNotResumeOnceIsAskedAgain) {
  ASSERT_TRUE(capturer->pass(Epoch{1}, true));
  guest->resumes_failing = 1;
  ASSERT_TRUE(checkpoint(Epoch{1}));
  EXPECT_FALSE(guest->paused);
}

TEST_F(Pipeline, GuestThatStaysStoppedIsNamed) {
  ASSERT_TRUE(capturer->pass(Epoch{1}, true));
  guest->resumes_failing = 2;
  const auto stuck = checkpoint(Epoch{1});
  ASSERT_FALSE(stuck);
  EXPECT_EQ(stuck.error().word, "resume-failed");
}

TEST_F(Pipeline, GuestThatDoesNotPauseRunsOn) {
  ASSERT_TRUE(capturer->pass(Epoch{1}, true));
  guest->pause_fails = true;
  const auto given_up = checkpoint(Epoch{1});
  ASSERT_FALSE(given_up);
  EXPECT_EQ(given_up.error().word, "pause-failed");
  EXPECT_FALSE(guest->paused);
  EXPECT_EQ(cuts, 0);
}

TEST_F(Pipeline, NewSessionOnStaleMemorySendsEverythingZeroPagesToo) {
  ASSERT_TRUE(capturer->pass(Epoch{1}, true));
  ASSERT_TRUE(checkpoint(Epoch{1}));
  ASSERT_EQ(deliver(), std::nullopt);
  // Whatever an ended session left in the standby must not survive the next one's first copy.
  const MutableBytes ram = standby->mapping(0);
  std::memset(ram.data(), 0x5a, ram.size());
  join();
  ASSERT_TRUE(capturer->pass(Epoch{1}, true));
  ASSERT_TRUE(checkpoint(Epoch{1}));
  ASSERT_EQ(deliver(), std::nullopt);
  expect_standby_equals_cut();
}

TEST_F(Pipeline, ReplacedStandbyGetsThePagesThatLivedInItsPredecessor) {
  ASSERT_TRUE(capturer->pass(Epoch{1}, true));
  ASSERT_TRUE(checkpoint(Epoch{1}));
  ASSERT_EQ(deliver(), std::nullopt);
  expect_standby_equals_cut();
  memory.set(nullptr);
  standby.reset();
  auto made = target_maker->standby();
  ASSERT_TRUE(made);
  standby = std::move(*made);
  memory.set(standby);
  const MemoryLayout& layout = standby->identity().layout;
  for (RegionIndex region = 0; region < layout.size(); ++region) {
    if (!layout[region].mapped) cache->mark_diverged({region, 0}, layout[region].pages);
  }
  EXPECT_TRUE(cache->flush_needed());
  expect_standby_equals_cut();
}

TEST_F(Pipeline, BrokenLaneEndsThePassWithItsReason) {
  wire.broken = true;
  const auto broken = capturer->pass(Epoch{1}, true);
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().word, "lane-ended");
}

}  // namespace
}  // namespace colo::pipeline
