// Every fault at every step of: start, join, first copy, and the first few checkpoints.
#include <gtest/gtest.h>

#include "tests/pair/faults.h"

namespace colo::pair {
namespace {

using std::chrono::milliseconds;

std::string told(const std::vector<std::string>& lines, std::size_t most = 60) {
  std::string all;
  const std::size_t from = lines.size() > most ? lines.size() - most : 0;
  for (std::size_t i = from; i < lines.size(); ++i) all += lines[i] + "\n";
  return all;
}

// The steps until `checkpoints` are acknowledged, nothing going wrong.
std::uint64_t steps_until(Options options, std::uint64_t checkpoints) {
  World world(options);
  while (world.step()) {
    const auto* guarded = std::get_if<primary::Protected>(&world.primary().state());
    if (guarded != nullptr && guarded->session.committed.value >= checkpoints) break;
  }
  EXPECT_TRUE(world.judge().violations().empty()) << told(world.judge().violations());
  EXPECT_EQ(world.sessions(), 1U) << "without a fault a session does not end";
  return world.steps();
}

std::vector<std::string> outcome(World& world, std::uint64_t step, const Fault& fault) {
  while (world.steps() < step && world.step()) {
  }
  const bool was_committed = world.judge().ever_committed();
  run_with(world, step, fault);
  return complaints(world, fault, was_committed);
}

std::string name_of_fault(std::size_t index) {
  std::string name = all_faults()[index].name;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

class EveryStep : public ::testing::TestWithParam<std::size_t> {};

// The acknowledgement comes after our own Captured, as usual, or overtakes it; without a grace, and
// with one.
std::vector<Options> ways() {
  std::vector<Options> all;
  for (const Duration captured_after : {Duration(milliseconds(1)), Duration(milliseconds(5))}) {
    for (const Duration grace : {Duration(0), Duration(milliseconds(400))}) {
      Options options = matrix_options();
      options.captured_after = captured_after;
      options.primary.grace = options.secondary.grace = grace;
      all.push_back(options);
    }
  }
  return all;
}

TEST_P(EveryStep, NoLawIsBroken) {
  const Fault& fault = all_faults()[GetParam()];
  for (const Options& options : ways()) {
    const std::uint64_t steps = steps_until(options, 4);
    ASSERT_GT(steps, 60U);
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

INSTANTIATE_TEST_SUITE_P(Faults, EveryStep, ::testing::Range<std::size_t>(0, all_faults().size()),
                         [](const auto& of) { return name_of_fault(of.param); });

// A switchover is no fault, so one fault on its way costs nobody the guest.
class EveryStepOfASwitchover : public ::testing::TestWithParam<std::size_t> {};

// The state of 4 checkpoints and a switchover that was just asked for.
void ask_switchover(World& world, std::uint64_t steps) {
  while (world.steps() < steps && world.step()) {
  }
  world.ask(Host::alpha, primary::Event(primary::SwitchoverAsked{}));
}

TEST_P(EveryStepOfASwitchover, NoLawIsBroken) {
  Fault fault = all_faults()[GetParam()];
  // The guest may be at home on the other side already.
  fault.spares_primary = false;
  for (const Options& options : ways()) {
    // Between two checkpoints, and while one is under way.
    for (const std::uint64_t asked : {steps_until(options, 2), steps_until(options, 3) - 12}) {
      World whole(options);
      ask_switchover(whole, asked);
      while (!whole.beta_runs() && whole.step()) {
      }
      const std::uint64_t done = whole.steps() + 4;
      ASSERT_GT(done, asked + 20);
      for (std::uint64_t step = asked + 1; step <= done; ++step) {
        const auto run = [&](World& world) {
          ask_switchover(world, asked);
          run_with(world, step, fault);
          // Dead between the won claim and the guest's first step: nobody alive can know that.
          if (world.only_operator_can()) {
            world.ask(Host::alpha, primary::Event(primary::TakeoverAsked{}));
            world.run(milliseconds(100));
          }
          Fault told = fault;
          told.may_end_guest = fault.may_end_guest || world.lost_alone();
          return complaints(world, told, true);
        };
        World world(options);
        const auto broken = run(world);
        if (broken.empty()) continue;
        Options traced = options;
        traced.trace = true;
        World again(traced);
        run(again);
        FAIL() << "fault: " << fault.name << ", at step " << step << " of " << asked << " to "
               << done << "\n"
               << told(broken) << "trace:\n"
               << told(again.trace());
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Faults, EveryStepOfASwitchover,
                         ::testing::Range<std::size_t>(0, all_faults().size()),
                         [](const auto& of) { return name_of_fault(of.param); });

// Two faults may cost the guest, but never truth: no two owners, nothing seen and then forgotten.
class TwoFaults : public ::testing::TestWithParam<std::size_t> {};

TEST_P(TwoFaults, NeitherTwoOwnersNorALie) {
  const Fault& first = all_faults()[GetParam()];
  for (const Duration grace : {Duration(0), Duration(milliseconds(400))}) {
    Options options = matrix_options();
    options.primary.grace = options.secondary.grace = grace;
    const std::uint64_t steps = steps_until(options, 2);
    for (const Fault& second : all_faults()) {
      for (std::uint64_t step = 5; step <= steps; step += 23) {
        for (const std::uint64_t apart : {2U, 9U, 60U}) {
          const auto run = [&](World& world) {
            while (world.steps() < step && world.step()) {
            }
            first.put(world);
            run_with(world, world.steps() + apart, second);
          };
          World world(options);
          run(world);
          std::vector<std::string> broken;
          for (const auto& one : world.judge().violations()) {
            if (one.compare(0, 2, "L3") != 0) broken.push_back(one);
          }
          if (world.alpha_runs() && world.beta_runs()) broken.push_back("L4: both guests run");
          if (broken.empty()) continue;
          Options traced = options;
          traced.trace = true;
          World again(traced);
          run(again);
          FAIL() << "faults: " << first.name << " at step " << step << ", " << second.name << " "
                 << apart << " steps later\n"
                 << told(broken) << "trace:\n"
                 << told(again.trace());
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Faults, TwoFaults, ::testing::Range<std::size_t>(0, all_faults().size()),
                         [](const auto& of) { return name_of_fault(of.param); });

TEST(World, IsAPureFunctionOfItsFaults) {
  Options options = matrix_options();
  options.trace = true;
  World first(options), second(options);
  for (World* world : {&first, &second}) run_with(*world, 90, all_faults()[4]);
  EXPECT_GT(first.trace().size(), 20U);
  EXPECT_EQ(first.trace(), second.trace());
}

// The judge is of no use unless it can complain.
TEST(Judge, SeesAReleaseBeforeTheAcknowledgement) {
  Options options = matrix_options();
  options.wrong_release_before_ack = true;
  World world(options);
  world.run(milliseconds(400));
  ASSERT_FALSE(world.judge().violations().empty());
  EXPECT_EQ(world.judge().violations().front().substr(0, 2), "L1");
}

TEST(Judge, SeesAFlushThatSkipsAPage) {
  Options options = matrix_options();
  options.wrong_flush_skips_a_page = true;
  World world(options);
  world.run(milliseconds(600));
  world.kill(Host::alpha, false);
  world.run(milliseconds(500));
  ASSERT_FALSE(world.judge().violations().empty());
  EXPECT_EQ(world.judge().violations().front().substr(0, 2), "L2");
}

}  // namespace
}  // namespace colo::pair
