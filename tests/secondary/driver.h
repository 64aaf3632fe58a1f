// A secondary's core with a clock: step() gives the actions of one event.
#pragma once

#include <gtest/gtest.h>

#include "secondary/core.h"

namespace colo::secondary::testing {

class CoreTest : public ::testing::Test {
 protected:
  std::vector<Action> step(const Event& event) {
    std::vector<Action> actions;
    core.step(event, now, actions);
    return actions;
  }
  template <class T>
  static const T* find(const std::vector<Action>& actions) {
    for (const auto& action : actions) {
      if (const auto* wanted = std::get_if<T>(&action)) return wanted;
    }
    return nullptr;
  }
  template <class T>
  [[nodiscard]] bool is() const {
    return std::holds_alternative<T>(core.state());
  }
  [[nodiscard]] Step takeover_step() const { return std::get<TakingOver>(core.state()).step; }
  std::vector<Action> tick_at_deadline() {
    now = *core.deadline();
    return step(Tick{});
  }

  std::vector<Action> staged(std::uint64_t epoch) {
    return step(StagedComplete{session, Epoch{epoch}});
  }
  std::vector<Action> flushed(std::uint64_t epoch) { return step(Flushed{Epoch{epoch}}); }
  std::vector<Action> gone() { return step(PeerGone{session, error, false}); }
  std::vector<Action> won() {
    return step(ClaimAnswered{heartbeat::ClaimWon{core.generation().next()}});
  }
  std::vector<Action> lost() {
    const heartbeat::Ownership alpha{core.generation().next(), "alpha", "run"};
    return step(ClaimAnswered{heartbeat::ClaimLost{alpha}});
  }

  void join() {
    step(Tick{});
    ASSERT_NE(find<Join>(step(StandbyReady{})), nullptr);
    step(Joined{session, "alpha", Generation{1}});
    ASSERT_TRUE(is<Receiving>());
  }
  void stand_by() {
    join();
    staged(1);
    flushed(1);
    ASSERT_TRUE(is<Standby>());
  }
  void load() {
    stand_by();
    gone();
    ASSERT_NE(find<Load>(won()), nullptr);
  }

  const Error error{"gone", "gone", ""};
  Session session{1};
  Core core{CoreConfig{}};
  Instant now{};
};

}  // namespace colo::secondary::testing
