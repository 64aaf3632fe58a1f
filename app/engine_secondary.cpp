#include "app/engine_secondary.h"

#include <spdlog/spdlog.h>

#include "base/overloaded.h"
#include "io/clock.h"

namespace colo::app {

secondary::CoreConfig core_config(const Config& config) {
  secondary::CoreConfig core;
  core.head_start = config.heartbeat.head_start;
  core.grace = config.heartbeat.grace;
  core.lost_after = config.heartbeat.lost_after;
  return core;
}

SecondarySide::SecondarySide(Host& host, std::string peer_run, Generation current,
                             std::function<void(SideEnds)> ends)
    : host_(host),
      ends_(std::move(ends)),
      core_(core_config(host.config)),
      core_loop_(host.loop, *this, core_),
      standby_timer_(host.loop),
      replica_timer_(host.loop),
      memory_(std::make_shared<secondary::GuestMemory>()),
      peer_run_(std::move(peer_run)),
      current_(current) {}

SecondarySide::~SecondarySide() = default;

void SecondarySide::start() { look_for_earlier(); }

void SecondarySide::stepped() {
  note_state();
  if (std::holds_alternative<secondary::Live>(core_.state())) become_primary();
}

void SecondarySide::note_state() {
  const Words words = this->words();
  std::string now = words.state_text();
  if (now == noted_state_) return;
  spdlog::info("{}: {}", now, words.reason);
  noted_state_ = std::move(now);
}

void SecondarySide::alive(std::size_t link) {
  if (!session_ || !session_->detector) return;
  session_->detector->heard(link, io::steady_now());
  if (!session_->suspected) return;
  session_->suspected = false;
  takeover_.reset();
  feed(secondary::PeerHeard{session_->number});
}

void SecondarySide::heard(std::size_t link, const wire::Alive& peer) {
  alive(link);
  peer_says(peer);
}

void SecondarySide::peer_says(const wire::Alive& alive) {
  if (!begun_) return;
  if (alive.guest == wire::GuestHere::runs) feed(secondary::PeerRuns{alive.generation});
  if (alive.guest == wire::GuestHere::paused) feed(secondary::PeerKeepsGuest{});
}

wire::Alive SecondarySide::says() const { return {0, core_.generation(), wire::GuestHere::none}; }

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
  wire::Alive alive = says();
  alive.count = ++session_->alive_count;
  session_->lane->send(alive, core_.generation(), {});
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
  if (!begun_) {
    reply.error = Error{"not-ready", "this host is only starting", "ask again"};
    return reply;
  }
  if (request.command == Command::takeover) {
    const std::int64_t asked = unix_now_ns();
    reply.error = feed(secondary::TakeoverAsked{});
    if (!reply.error) {
      takeover_ = TakeoverStatus{"asked by the operator", asked, std::nullopt, std::nullopt};
    }
    reply.message = "claiming the guest; `" + host_.command("status", host_.name) + "` shows it";
    return reply;
  }
  if (request.command == Command::give_back) {
    reply.error = feed(secondary::GiveBackAsked{});
    reply.message = "giving the guest back to " + host_.peer_name() + "; `" +
                    host_.command("status", host_.name) + "` shows it";
    return reply;
  }
  reply.error = Error{"not-primary", "this host is the secondary; the primary does that",
                      "run it with --host " + host_.peer_name()};
  return reply;
}

void SecondarySide::stop() { feed(secondary::StopAsked{}); }

void SecondarySide::become_primary() {
  if (!live_) return;  // done: the engine swaps the sides in its next turn
  SideTakesOver takeover{std::move(live_), core_.generation(),
                         std::get<secondary::Live>(core_.state()).cause,
                         takeover_.value_or(TakeoverStatus{}), rewritten_};
  live_.reset();
  end_watch_.reset();
  memory_->set(nullptr);
  // One that was to be the next replica.
  host_.guest_worker.post([standby = std::move(standby_)]() mutable { standby.reset(); });
  standby_.reset();
  ends_(std::move(takeover));
}

}  // namespace colo::app
