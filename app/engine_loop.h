// Steps one core: events in, its actions out in their order, its deadline on a timer.
//
// An action may feed events in turn (they wait for their place) and may end its side.
// Threads: the loop's.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "app/engine_trace.h"
#include "base/result.h"
#include "io/clock.h"

namespace colo::app {

// Side has execute() for each action, and stepped(), called after each event's actions. It outlives
// the CoreLoop, which is a member of it, and is owned by shared_ptr.
template <class Side, class Core, class Event, class Action, class Tick>
class CoreLoop {
 public:
  CoreLoop(boost::asio::io_context& loop, Side& side, Core& core)
      : side_(side), core_(core), timer_(loop) {}

  // Why the request was refused, if this was a request and it was.
  std::optional<Error> feed(Event event) {
    events_.push_back(std::move(event));
    if (feeding_) return std::nullopt;  // an action fed it: the loop below takes it in order
    feeding_ = true;
    std::optional<Error> refusal;
    bool first = true;  // a request of the caller; what its actions feed is their own
    const auto self = side_.shared_from_this();  // an action may end this side
    while (!events_.empty()) {
      const Event next = std::move(events_.front());
      events_.pop_front();
      std::vector<Action> actions;
      trace_step(next);
      core_.step(next, io::steady_now(), actions);
      if (std::exchange(first, false)) refusal = core_.refusal();
      for (const Action& action : actions) {
        trace_step(action);
        std::visit([this](const auto& known) { side_.execute(known); }, action);
      }
      side_.stepped();
    }
    feeding_ = false;
    arm_timer();
    return refusal;
  }

 private:
  void arm_timer() {
    const auto deadline = core_.deadline();
    if (!deadline) {
      timer_.cancel();
      return;
    }
    timer_.expires_at(std::chrono::steady_clock::time_point(deadline->time_since_epoch()));
    timer_.async_wait([weak = side_.weak_from_this()](const boost::system::error_code& error) {
      if (error) return;
      if (const auto self = weak.lock()) self->feed(Tick{});
    });
  }

  Side& side_;
  Core& core_;
  boost::asio::steady_timer timer_;
  std::deque<Event> events_;
  bool feeding_ = false;
};

}  // namespace colo::app
