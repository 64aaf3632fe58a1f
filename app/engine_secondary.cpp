#include "app/engine_secondary.h"

#include <spdlog/spdlog.h>

#include "app/engine_trace.h"
#include "base/overloaded.h"
#include "io/clock.h"

namespace colo::app {

namespace {

secondary::CoreConfig core_config(const Config& config) {
  secondary::CoreConfig core;
  core.head_start = config.heartbeat.head_start;
  return core;
}

}  // namespace

SecondarySide::SecondarySide(Host& host, std::function<void(SideEnds)> ends)
    : host_(host),
      ends_(std::move(ends)),
      core_(core_config(host.config)),
      memory_(std::make_shared<secondary::GuestMemory>()),
      timer_(host.loop) {}

SecondarySide::~SecondarySide() = default;

void SecondarySide::start() { feed(secondary::Tick{}); }

std::optional<Error> SecondarySide::feed(secondary::Event event) {
  events_.push_back(std::move(event));
  if (feeding_) return std::nullopt;  // an action fed it: the loop below takes it in order
  feeding_ = true;
  std::optional<Error> refusal;
  const auto self = shared_from_this();  // an action may end this side
  while (!events_.empty()) {
    const secondary::Event next = std::move(events_.front());
    events_.pop_front();
    std::vector<secondary::Action> actions;
    trace_step(next);
    core_.step(next, io::steady_now(), actions);
    if (core_.refusal()) refusal = core_.refusal();
    for (const secondary::Action& action : actions) {
      trace_step(action);
      std::visit([this](const auto& known) { execute(known); }, action);
    }
    note_state();
  }
  feeding_ = false;
  arm_timer();
  if (std::holds_alternative<secondary::Live>(core_.state())) become_primary();
  return refusal;
}

void SecondarySide::arm_timer() {
  const auto deadline = core_.deadline();
  if (!deadline) {
    timer_.cancel();
    return;
  }
  timer_.expires_at(std::chrono::steady_clock::time_point(deadline->time_since_epoch()));
  timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    if (error) return;
    if (const auto self = weak.lock()) self->feed(secondary::Tick{});
  });
}

void SecondarySide::note_state() {
  const std::size_t state = core_.state().index();
  if (state == noted_state_) return;
  noted_state_ = state;
  Status status;
  fill(status);
  spdlog::info("{}: {}", word(status.state), status.reason);
}

void SecondarySide::alive(std::size_t link) {
  if (!session_ || !session_->detector) return;
  session_->detector->heard(link, io::steady_now());
  if (!session_->suspected) return;
  session_->suspected = false;
  takeover_.reset();
  feed(secondary::PeerHeard{session_->number});
}

void SecondarySide::heard(std::size_t link) { alive(link); }

void SecondarySide::stalled(Instant from, Instant now) {
  if (session_ && session_->detector) session_->detector->stalled(from, now);
}

void SecondarySide::beat(Instant now) {
  if (!session_) return;
  if (!session_->detector) {
    // Nothing is owed on this connection yet, so only this notices a primary that went silent.
    if (now - session_->since > host_.config.limits.stream_timeout) {
      join_failed({"no-answer", host_.peer_name() + " took the connection but did not answer",
                   "look at " + host_.peer_name()});
    }
    return;
  }
  session_->lane->send(wire::Alive{++session_->alive_count}, core_.generation(), {});
  if (session_->suspected || !session_->detector->suspected(now)) return;
  suspect(session_->number,
          {"silent",
           host_.peer_name() + " has not been heard on any link for " +
               std::to_string(host_.config.heartbeat.lost_after.count() / 1'000'000) + " ms",
           "look at " + host_.peer_name() + " and at the links to it"},
          false);
}

Reply SecondarySide::command(const Request& request) {
  Reply reply;
  if (request.command == Command::takeover) {
    const std::int64_t asked = unix_now_ns();
    reply.error = feed(secondary::TakeoverAsked{});
    if (!reply.error) {
      takeover_ = TakeoverStatus{"asked by the operator", asked, std::nullopt, std::nullopt};
    }
    reply.message = "claiming the guest; `" + host_.command("status", host_.name) + "` shows it";
    return reply;
  }
  reply.error = Error{"not-primary", "this host is the secondary; the primary takes checkpoints",
                      "run it with --host " + host_.peer_name()};
  return reply;
}

void SecondarySide::stop() { feed(secondary::StopAsked{}); }

void SecondarySide::become_primary() {
  if (!standby_) return;  // done: the engine swaps the sides in its next turn
  SideEnds ends;
  ends.takes_over = SideTakesOver{std::move(standby_), core_.generation(),
                                  std::get<secondary::Live>(core_.state()).cause,
                                  takeover_.value_or(TakeoverStatus{})};
  standby_.reset();
  end_watch_.reset();
  memory_->set(nullptr);
  ends_(std::move(ends));
}

}  // namespace colo::app
