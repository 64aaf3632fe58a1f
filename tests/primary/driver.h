// A primary's core with a clock: step() gives the actions of one event.
#pragma once

#include <gtest/gtest.h>

#include "primary/core.h"

namespace colo::primary::testing {

using std::chrono::milliseconds;

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
  void wait(Duration time) { now += time; }

  std::vector<Action> won() {
    return step(ClaimAnswered{heartbeat::ClaimWon{core.generation().next()}});
  }
  std::vector<Action> lost() {
    const heartbeat::Ownership beta{core.generation().next(), "beta", "run"};
    return step(ClaimAnswered{heartbeat::ClaimLost{beta}});
  }
  std::vector<Action> unanswered() {
    return step(ClaimUnanswered{{"arbiter-unreachable", "no answer", ""}});
  }
  std::vector<Action> acknowledged(std::uint64_t epoch) {
    return step(CommitAcknowledged{session, core.generation(), Epoch{epoch}});
  }
  std::vector<Action> peer_lost() { return step(PeerLost{session, {"silent", "silent", ""}}); }

  void boot() {
    step(Tick{});
    won();
    step(GuestRuns{});
    ASSERT_TRUE(is<Solo>());
  }
  // Up to the first capture, which is under way.
  void join() {
    boot();
    step(PeerAsks{session, "beta"});
    step(BulkAttached{session});
    ASSERT_NE(find<Capture>(step(PassEnded{session, 10})), nullptr);
    ASSERT_TRUE(is<Syncing>());
  }
  void protect() {
    join();
    step(Captured{session, Epoch{1}});
    ASSERT_NE(find<Release>(acknowledged(1)), nullptr);
    ASSERT_TRUE(is<Protected>());
  }
  void begin_capture() {
    step(CheckpointAsked{});
    ASSERT_NE(find<Capture>(step(PassEnded{session, 1})), nullptr);
  }

  Session session{1};
  Core core = Core::start({}, Generation{0});
  Instant now{};
};

}  // namespace colo::primary::testing
