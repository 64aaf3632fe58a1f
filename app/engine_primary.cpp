#include "app/engine_primary.h"

#include <spdlog/spdlog.h>

#include <boost/asio/ip/address.hpp>

#include "app/engine_trace.h"
#include "base/overloaded.h"
#include "io/clock.h"

namespace colo::app {

namespace {

primary::CoreConfig core_config(const Config& config) {
  primary::CoreConfig core;
  core.delay = config.delay;
  core.answer_timeout = config.limits.stream_timeout;
  return core;
}

}  // namespace

PrimarySide::PrimarySide(Host& host, Generation from, std::function<void(SideEnds)> ends)
    : host_(host),
      ends_(std::move(ends)),
      core_(primary::Core::start(core_config(host.config), from)),
      timer_(host.loop),
      bulk_timer_(host.loop) {}

PrimarySide::PrimarySide(Host& host, SideTakesOver takeover, std::function<void(SideEnds)> ends)
    : host_(host),
      ends_(std::move(ends)),
      core_(primary::Core::solo(core_config(host.config), takeover.generation, takeover.cause)),
      guest_(std::move(takeover.guest)),
      guest_runs_(true),
      timer_(host.loop),
      bulk_timer_(host.loop),
      takeover_(std::move(takeover.figures)) {}

PrimarySide::~PrimarySide() = default;

void PrimarySide::start() {
  if (guest_) watch_guest();
  feed(primary::Tick{});
}

std::optional<Error> PrimarySide::feed(primary::Event event) {
  events_.push_back(std::move(event));
  if (feeding_) return std::nullopt;  // an action fed it: the loop below takes it in order
  feeding_ = true;
  std::optional<Error> refusal;
  const auto self = shared_from_this();  // an action may end this side
  while (!events_.empty()) {
    const primary::Event next = std::move(events_.front());
    events_.pop_front();
    std::vector<primary::Action> actions;
    trace_step(next);
    core_.step(next, io::steady_now(), actions);
    if (core_.refusal()) refusal = core_.refusal();
    for (const primary::Action& action : actions) {
      trace_step(action);
      std::visit([this](const auto& known) { execute(known); }, action);
    }
    note_state();
  }
  feeding_ = false;
  arm_timer();
  return refusal;
}

void PrimarySide::arm_timer() {
  const auto deadline = core_.deadline();
  if (!deadline) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(std::chrono::steady_clock::time_point(deadline->time_since_epoch()));
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    if (error) return;
    if (const auto self = weak.lock()) self->feed(primary::Tick{});
  });
}

void PrimarySide::note_state() {
  const std::size_t state = core_.state().index();
  if (state == noted_state_) return;
  noted_state_ = state;
  Status status;
  fill(status);
  spdlog::info("{}: {}", word(status.state), status.reason);
}

void PrimarySide::watch_guest() {
  end_watch_ = EndWatch::start(host_.loop, guest_->end_fd(), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->on_guest_end();
  });
}

void PrimarySide::heard(std::size_t link) {
  if (session_ && session_->detector) session_->detector->heard(link, io::steady_now());
}

void PrimarySide::stalled(Instant from, Instant now) {
  if (session_ && session_->detector) session_->detector->stalled(from, now);
}

void PrimarySide::beat(Instant now) {
  if (deaf_ && listen()) spdlog::info("secondaries can join again");
  if (!session_ || !session_->detector) return;
  session_->lane->send(wire::Alive{++session_->alive_count}, core_.generation(), {});
  if (std::holds_alternative<primary::Syncing>(core_.state())) {
    session_->lane->send(wire::Progress{session_->sent_pages, session_->pending_pages},
                         core_.generation(), {});
  }
  if (session_->detector->suspected(now)) {
    lose(session_->number,
         {"silent",
          session_->host + " has not been heard on any link for " +
              std::to_string(host_.config.heartbeat.lost_after.count() / 1'000'000) + " ms",
          "look at " + session_->host + " and at the links to it"});
  }
}

Reply PrimarySide::command(const Request& request) {
  Reply reply;
  switch (request.command) {
    case Command::checkpoint:
      reply.error = feed(primary::CheckpointAsked{});
      reply.message = "a checkpoint is being taken";
      return reply;
    case Command::set: {
      if (request.key != "delay") {
        reply.error = Error{"unknown-key", "'" + request.key + "' cannot be set while running",
                            "set delay=50ms"};
        return reply;
      }
      const auto delay = parse_delay(request.value);
      if (!delay) {
        reply.error = delay.error();
        return reply;
      }
      reply.error = feed(primary::DelaySet{*delay});
      reply.message = "delay is " + request.value + " until this engine ends; the configuration " +
                      "file keeps its value";
      return reply;
    }
    case Command::takeover:
      reply.error = Error{"already-primary", "the guest belongs to this host",
                          "run `" + host_.command("takeover", host_.peer_name()) + "`"};
      return reply;
    case Command::status:
      break;
  }
  return reply;
}

void PrimarySide::stop() { feed(primary::StopAsked{}); }

}  // namespace colo::app
