// The secondary's side of a simulated engine: joining a primary, and what arrives from it.

#include "base/check.h"
#include "tests/sim/secondary_side.h"
#include "tests/sim/world.h"

namespace colo::sim {

void SecondarySide::execute(const secondary::Join&) {
  if (!standby_ || standby_->ended()) {
    feed(secondary::JoinFailed{{"no-standby", "the standby guest ended", ""}});
    return;
  }
  Message hello;
  hello.kind = wire::Kind::hello;
  hello.greeting =
      std::make_shared<const Greeting>(Greeting{engine_.run_name(), {}, false, offer()});
  const std::uint64_t mine = ++dials_;
  world_.network.dial(engine_.host, std::move(hello), [this, mine](std::shared_ptr<Lane> lane) {
    if (mine != dials_ || left_) {
      if (lane) lane->close(engine_.host);
      return;
    }
    if (!lane) {
      join_failed({"unreachable", "the peer does not answer", ""});
      return;
    }
    on_lane(lane);
  });
}

// What is held of the primary's memory.
std::optional<wire::Held> SecondarySide::offer() {
  if (!cache_ || !offers_) return std::nullopt;
  wire::Held held;
  held.primary_run = lineage_run_;
  held.lineage = lineage_;
  if (const auto complete = core_.held()) {
    held.generation = complete->generation;
    held.epoch = complete->epoch;
    return held;
  }
  for (const auto& range : cache_->held_pages(4096)) {
    held.pages.push_back({range.region, range.first, range.count});
  }
  if (held.pages.empty()) return std::nullopt;
  return held;
}

void SecondarySide::execute(const secondary::StopJoin&) { drop_session(Parting::silent); }

void SecondarySide::join_failed(const Error& error) {
  drop_session(Parting::silent);
  feed(secondary::JoinFailed{error});
}

void SecondarySide::on_lane(const std::shared_ptr<Lane>& lane) {
  last_session_ = last_session_.next();
  session_ = std::make_unique<SecondarySession>();
  session_->number = last_session_;
  session_->lane = lane;
  session_->since = engine_.local_now();
  const secondary::Session number = last_session_;
  lane->start(engine_.host, {[this, number](Message& message) { on_frame(number, message); },
                             [this, number](bool certain) { lane_ended(number, certain); }});
}

void SecondarySide::on_frame(secondary::Session number, const Message& message) {
  if (!current(number)) return;
  switch (message.kind) {
    case wire::Kind::welcome:
      on_welcome(message);
      break;
    case wire::Kind::alive:
      peer_says(message.generation, message.guest);
      break;
    case wire::Kind::guest_ended:
      gone(number, {"guest-ended", "the primary's guest ended", ""}, message.flag);
      return;
    case wire::Kind::goodbye:
      gone(number, {"left", "the peer left", ""}, message.flag);
      return;
    case wire::Kind::refuse:
      refused_by_peer();
      return;
    default:
      on_word(number, message);
      break;
  }
  if (current(number)) alive(world_.settings.heartbeat_links);
}

// The words of a switchover.
void SecondarySide::on_word(secondary::Session number, const Message& message) {
  switch (message.kind) {
    case wire::Kind::handover:
      return feed(secondary::HandoverAsked{number, message.epoch});
    case wire::Kind::go:
      return feed(secondary::GoAsked{number});
    case wire::Kind::cancel:
      return feed(secondary::CancelAsked{number, "the primary cancelled"});
    default:
      if (on_replica_word(number, message)) return;
      suspect(number, {"unexpected-frame", "a frame that has no place here", ""}, true);
  }
}

void SecondarySide::on_welcome(const Message& message) {
  session_->welcomed = true;
  session_->generation = message.generation;
  session_->peer_run = message.greeting->run;
  session_->token = message.greeting->session;
  if (message.greeting->resumes) session_->base = message.epoch;
  Message attach;
  attach.kind = wire::Kind::attach;
  attach.greeting =
      std::make_shared<const Greeting>(Greeting{"", session_->token, false, std::nullopt});
  world_.network.dial(engine_.host, std::move(attach),
                      [this, number = session_->number](std::shared_ptr<Lane> lane) {
                        if (!current(number)) {
                          if (lane) lane->close(engine_.host);
                          return;
                        }
                        on_bulk(number, lane);
                      });
}

void SecondarySide::on_bulk(secondary::Session number, const std::shared_ptr<Lane>& lane) {
  if (!lane || !standby_ || standby_->ended()) {
    if (lane) lane->close(engine_.host);
    join_failed({"unreachable", "the bulk lane could not be attached", ""});
    return;
  }
  session_->bulk = lane;
  session_->detector = std::make_unique<heartbeat::Detector>(
      world_.settings.detector, world_.settings.heartbeat_links + 1, engine_.local_now());
  engine_.peer_run(session_->peer_run);
  engine_.gate.forget_inbound();
  // Before the cache is touched: the core may want this session no more, or a new cache.
  feed(secondary::Joined{number, host_names[other(engine_.host)], session_->generation,
                         session_->base});
  if (!current(number)) return;
  if (!session_->base || !cache_) new_cache();
  if (session_->base) world_.reach.mark(Mark::rejoined);
  session_->stager = std::make_unique<secondary::Stager>(
      *cache_, guest_identity().layout, session_->generation, session_->base.value_or(Epoch{0}));
  session_->decoder = std::make_unique<wire::FrameDecoder>();
  lane->start(engine_.host, {[this, number](Message& message) { on_bulk_frame(number, message); },
                             [this, number](bool) { bulk_ended(number); }});
  for (secondary::ModeTold& told : std::exchange(session_->early, {})) mode_told(told);
}

void SecondarySide::new_cache() {
  cache_ = std::make_shared<cache::Cache>(guest_identity().layout, std::vector<bool>{false, true},
                                          cache::CacheLimits{world_.settings.staged_pages});
  cache_->write_through(&memory_);
  mark_process_memory_diverged();
  lineage_run_ = session_->peer_run;
  lineage_ = session_->token;
  offers_ = true;
}

void SecondarySide::mark_process_memory_diverged() {
  if (cache_ && standby_) cache_->mark_diverged({1, 0}, video_pages);
}

// --- what arrives --------------------------------------------------------------------------------

void SecondarySide::on_bulk_frame(secondary::Session number, Message& message) {
  if (!current(number) || !session_->stager) return;
  session_->decoder->feed(message.frame);
  const auto frame = session_->decoder->next();
  COLO_CHECK(frame && *frame);
  if (world_.mutation != Mutation::none) world_.mutate_frame(engine_.host, **frame);
  const auto complete = session_->stager->take(**frame);
  if (!complete) {
    if (complete.error().word == "cache-full") {
      world_.reach.mark(Mark::cache_full);
      offers_ = false;
    }
    suspect(number, complete.error(), true);
    return;
  }
  if (!*complete) return;
  world_.queue.after(std::chrono::microseconds(20), static_cast<int>(engine_.host),
                     [this, number, epoch = **complete] { staged(number, epoch); });
}

// A checkpoint is a sign of life like any other.
void SecondarySide::staged(secondary::Session number, Epoch epoch) {
  if (!current(number)) return;
  alive(world_.settings.heartbeat_links);
  if (table_is_due(epoch) && !session_->tables.contains(epoch)) {
    session_->staged = epoch;  // no checkpoint of that guest without it
    return;
  }
  feed(secondary::StagedComplete{number, epoch});
}

void SecondarySide::bulk_ended(secondary::Session number) {
  if (!current(number) || session_->closed) return;
  session_->suspected = false;
  feed(secondary::PeerSuspected{number, {"lane-ended", "the bulk lane ended", ""}, true});
}

void SecondarySide::refused_by_peer() {
  const Error error{"closed", "the peer closed", ""};
  if (!session_->detector) {
    join_failed(error);
    return;
  }
  session_->closed = true;
  session_->suspected = false;
  session_->lane->close(engine_.host);
  feed(secondary::PeerSuspected{session_->number, error, true});
}

void SecondarySide::lane_ended(secondary::Session number, bool certain) {
  if (!current(number) || session_->closed) return;
  const Error error{"lane-ended", "the lane ended", ""};
  if (!session_->detector) {
    join_failed(error);
  } else if (certain && session_->suspected && world_.settings.secondary.grace > Duration{0}) {
    // The primary closed it because of the same silence.
    suspect(number, error, true);
  } else if (certain) {
    gone(number, error, false);
  } else {
    suspect(number, error, true);
  }
}

void SecondarySide::gone(secondary::Session number, const Error& error, bool guest_ends) {
  if (!current(number) || session_->closed) return;
  if (!session_->detector) {
    join_failed(error);
    return;
  }
  feed(secondary::PeerGone{number, error, guest_ends});
}

void SecondarySide::suspect(secondary::Session number, const Error& error, bool lane_closed) {
  if (!current(number) || session_->closed) return;
  if (!session_->detector) {
    join_failed(error);
    return;
  }
  session_->suspected = !lane_closed;
  if (lane_closed) {
    session_->closed = true;
    send(wire::Kind::refuse, core_.committed());
    session_->lane->close(engine_.host);
  }
  feed(secondary::PeerSuspected{number, error, lane_closed});
}

void SecondarySide::drop_session(Parting parting) {
  ++dials_;
  if (!session_) return;
  hold_replica();
  if (session_->bulk) session_->bulk->abort(engine_.host);
  if (cache_) cache_->end_session();
  if (!session_->closed) {
    if (parting == Parting::goodbye) send(wire::Kind::goodbye, core_.committed());
    if (parting == Parting::returns) send(wire::Kind::refuse, core_.committed());
  }
  session_->lane->close(engine_.host);
  session_.reset();
  start_replica();  // one that waits for a table waits in vain
}

}  // namespace colo::sim
