#include "app/engine_primary.h"

#include <spdlog/spdlog.h>

#include <boost/asio/ip/address.hpp>

#include "base/overloaded.h"
#include "io/clock.h"

namespace colo::app {

namespace {

constexpr auto until_the_engine_ends =
    " until this engine ends; the configuration file keeps its value";

primary::CoreConfig primary_config(const Config& config) {
  primary::CoreConfig core;
  core.delay = config.delay;
  core.answer_timeout = config.limits.stream_timeout;
  core.grace = config.heartbeat.grace;
  core.mode = core_mode(config.mode);
  core.min_interval = config.colo.min_interval;
  core.max_interval = config.colo.max_interval;
  return core;
}

}  // namespace

PrimarySide::PrimarySide(Host& host, Generation from, std::function<void(SideEnds)> ends)
    : host_(host),
      ends_(std::move(ends)),
      core_(primary::Core::start(primary_config(host.config), from)),
      core_loop_(host.loop, *this, core_),
      bulk_timer_(host.loop) {}

PrimarySide::PrimarySide(Host& host, SideTakesOver takeover, std::function<void(SideEnds)> ends)
    : host_(host),
      ends_(std::move(ends)),
      core_(primary::Core::solo(primary_config(host.config), takeover.generation, takeover.cause)),
      core_loop_(host.loop, *this, core_),
      guest_(std::move(takeover.guest)),
      guest_runs_(true),
      moved_(true),
      rewritten_(takeover.rewritten),
      bulk_timer_(host.loop),
      takeover_(std::move(takeover.figures)) {}

PrimarySide::~PrimarySide() = default;

void PrimarySide::start() {
  last_beat_ = io::steady_now();
  if (guest_) watch_guest();
  feed(primary::Tick{});
}

void PrimarySide::stepped() { note_state(); }

void PrimarySide::note_state() {
  const Words words = this->words();
  std::string now = words.state_text();
  if (now == noted_state_) return;
  spdlog::info("{}: {}", now, words.reason);
  noted_state_ = std::move(now);
}

void PrimarySide::watch_guest() {
  end_watch_ = EndWatch::start(host_.loop, guest_->end_fd(), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->on_guest_end();
  });
}

void PrimarySide::heard(std::size_t link, const wire::Alive& peer) {
  if (session_ && session_->detector) session_->detector->heard(link, io::steady_now());
  peer_says(peer);
}

void PrimarySide::peer_says(const wire::Alive& alive) {
  if (alive.guest == wire::GuestHere::runs) feed(primary::PeerRuns{alive.generation});
}

// Only what is certain: while a claim is under way the guest may be the peer's already.
wire::Alive PrimarySide::says() const {
  wire::Alive alive{0, core_.generation(), wire::GuestHere::none};
  const auto* lost = std::get_if<primary::Lost>(&core_.state());
  if (lost != nullptr && lost->guest_kept) alive.guest = wire::GuestHere::paused;
  const bool ours = std::holds_alternative<primary::Solo>(core_.state()) ||
                    std::holds_alternative<primary::Syncing>(core_.state()) ||
                    std::holds_alternative<primary::Protected>(core_.state()) ||
                    std::holds_alternative<primary::Reconnecting>(core_.state()) ||
                    std::holds_alternative<primary::HandingOver>(core_.state());
  if (ours && guest_ && guest_runs_) alive.guest = wire::GuestHere::runs;
  return alive;
}

void PrimarySide::stalled(Instant from, Instant now) {
  if (session_ && session_->detector) session_->detector->stalled(from, now);
}

void PrimarySide::beat(Instant now) {
  last_beat_ = now;
  release_hidden(now);
  if (deaf_ && listen()) spdlog::info("secondaries can join again");
  if (!session_ || !session_->detector) return;
  wire::Alive alive = says();
  alive.count = ++session_->alive_count;
  session_->lane->send(alive, core_.generation(), {});
  if (std::holds_alternative<primary::Syncing>(core_.state())) {
    session_->lane->send(wire::Progress{session_->sent_pages, session_->pending_pages},
                         core_.generation(), {});
  }
  if (session_->detector->suspected(now)) {
    lose(session_->number,
         {"silent",
          session_->host + " has not been heard on any link for " +
              std::to_string(host_.config.heartbeat.lost_after.count() / 1'000'000) + " ms",
          "look at " + session_->host + " and at the links to it"},
         false);
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
      if (request.key == "mode") {
        const auto mode = parse_mode(request.value);
        reply.error = mode ? feed(primary::ModeSet{core_mode(*mode)}) : mode.error();
        reply.message = "mode is " + request.value + until_the_engine_ends;
        return reply;
      }
      const auto delay = parse_delay(request.value);
      reply.error = delay ? feed(primary::DelaySet{*delay}) : delay.error();
      reply.message = "delay is " + request.value + until_the_engine_ends;
      return reply;
    }
    case Command::switchover:
      reply.error = feed(primary::SwitchoverAsked{});
      reply.message = "the guest moves to " + host_.peer_name() + "; `" +
                      host_.command("status", host_.name) + "` shows each step";
      return reply;
    case Command::give_back:
      reply.error = Error{"not-secondary", "no takeover failed on this host",
                          "run it with --host " + host_.peer_name() + " if one failed there"};
      return reply;
    case Command::takeover:
      if (std::holds_alternative<primary::Lost>(core_.state())) {
        reply.error = feed(primary::TakeoverAsked{});
        reply.message = "taking the guest that is kept here back; `" +
                        host_.command("status", host_.name) + "` shows it";
        return reply;
      }
      reply.error = Error{"already-primary", "the guest belongs to this host",
                          "move it with `" + host_.command("switchover", host_.name) + "`"};
      return reply;
    case Command::status:
      break;
  }
  return reply;
}

void PrimarySide::stop() { feed(primary::StopAsked{}); }

}  // namespace colo::app
