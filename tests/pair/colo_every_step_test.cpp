// COLO mode: every fault at every step of: start, join, first copy, the first replicas and their
// replacement, a switch of the mode.
#include <gtest/gtest.h>

#include "tests/pair/faults.h"

namespace colo::pair {
namespace {

using std::chrono::milliseconds;

std::vector<Fault> faults() {
  std::vector<Fault> all = all_faults();
  for (Fault& fault : all) {
    fault.may_end_guest = fault.may_end_guest || fault.may_end_in_colo;
    // The failed load may have been a replica's: then the switchover succeeds.
    if (fault.name == "a switchover whose load fails") fault.spares_primary = false;
  }
  all.insert(all.end(), colo_faults().begin(), colo_faults().end());
  return all;
}

std::string told(const std::vector<std::string>& lines, std::size_t most = 60) {
  std::string all;
  const std::size_t from = lines.size() > most ? lines.size() - most : 0;
  for (std::size_t i = from; i < lines.size(); ++i) all += lines[i] + "\n";
  return all;
}

std::uint64_t steps_until(const Options& options, std::uint64_t checkpoints) {
  World world(options);
  while (world.step()) {
    const auto* guarded = std::get_if<primary::Protected>(&world.primary().state());
    if (guarded != nullptr && guarded->session.committed.value >= checkpoints &&
        guarded->session.replica_runs()) {
      break;
    }
  }
  EXPECT_TRUE(world.judge().violations().empty()) << told(world.judge().violations());
  EXPECT_EQ(world.sessions(), 1U) << "without a fault a session does not end";
  EXPECT_GT(world.compared(), 3U) << "frames leave by comparison";
  return world.steps();
}

std::vector<std::string> outcome(World& world, std::uint64_t step, const Fault& fault) {
  while (world.steps() < step && world.step()) {
  }
  const bool was_committed = world.judge().ever_committed();
  run_with(world, step, fault);
  std::vector<std::string> all;
  for (const auto& one : complaints(world, fault, was_committed)) {
    if (!fault.may_end_in_colo || one.compare(0, 2, "L3") != 0) all.push_back(one);
  }
  return all;
}

class ColoEveryStep : public ::testing::TestWithParam<std::size_t> {};

TEST_P(ColoEveryStep, NoLawIsBroken) {
  const Fault fault = faults()[GetParam()];
  for (const Duration grace : {Duration(0), Duration(milliseconds(400))}) {
    Options options = colo_options();
    options.primary.grace = options.secondary.grace = grace;
    const std::uint64_t steps = steps_until(options, 3);
    for (std::uint64_t step = 1; step <= steps; ++step) {
      World world(options);
      const auto broken = outcome(world, step, fault);
      if (broken.empty()) continue;
      Options traced = options;
      traced.trace = true;
      World again(traced);
      outcome(again, step, fault);
      FAIL() << "fault: " << fault.name << ", at step " << step << " of " << steps << "\n"
             << told(broken) << "trace:\n"
             << told(again.trace());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Faults, ColoEveryStep, ::testing::Range<std::size_t>(0, faults().size()),
                         [](const auto& of) {
                           std::string name = faults()[of.param].name;
                           for (char& c : name) {
                             if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
                           }
                           return name;
                         });

// Two faults may cost the guest, but never truth.
class ColoTwoFaults : public ::testing::TestWithParam<std::size_t> {};

TEST_P(ColoTwoFaults, NeitherTwoOwnersNorALie) {
  const Fault first = faults()[GetParam()];
  Options options = colo_options();
  options.primary.grace = options.secondary.grace = milliseconds(400);
  const std::uint64_t steps = steps_until(options, 2);
  for (const Fault& second : faults()) {
    for (std::uint64_t step = 9; step <= steps; step += 41) {
      for (const std::uint64_t apart : {3U, 40U}) {
        World world(options);
        while (world.steps() < step && world.step()) {
        }
        first.put(world);
        run_with(world, world.steps() + apart, second);
        std::vector<std::string> broken;
        for (const auto& one : world.judge().violations()) {
          // A claim that is given back at once can cross its loser's pause, which then ends again.
          const bool may = one.compare(0, 2, "L3") == 0 || one.compare(0, 2, "L6") == 0;
          if (!may) broken.push_back(one);
        }
        if (world.alpha_runs() && world.beta_runs()) broken.push_back("L4: both guests run");
        EXPECT_TRUE(broken.empty()) << "faults: " << first.name << " at step " << step << ", "
                                    << second.name << " " << apart << " steps later\n"
                                    << told(broken);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Faults, ColoTwoFaults, ::testing::Range<std::size_t>(0, faults().size()));

// The judge is of no use unless it can complain.
TEST(ColoJudge, SeesATakeoverThatGoesBackToTheCheckpoint) {
  Options options = colo_options();
  options.primary.max_interval = std::chrono::seconds(10);
  for (const bool wrong : {false, true}) {
    options.wrong_takeover_from_the_checkpoint = wrong;
    World world(options);
    world.run(milliseconds(700));
    ASSERT_TRUE(world.replica_runs());
    world.kill(Host::alpha, false);
    world.run(milliseconds(500));
    EXPECT_TRUE(world.beta_runs());
    EXPECT_EQ(world.judge().violations().empty(), !wrong) << told(world.judge().violations());
  }
}

TEST(ColoJudge, SeesAReplicaThatWritesIntoTheCheckpoint) {
  Options options = colo_options();
  options.wrong_replica_writes_the_file = true;
  options.guest_step = milliseconds(60);  // few pages a checkpoint: the others must be as they were
  World world(options);
  world.run(milliseconds(200));
  world.replica_differs();
  world.run(milliseconds(1500));
  ASSERT_FALSE(world.judge().violations().empty());
  EXPECT_EQ(world.judge().violations().front().substr(0, 2), "L2");
}

}  // namespace
}  // namespace colo::pair
