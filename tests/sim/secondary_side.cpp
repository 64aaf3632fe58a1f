#include "tests/sim/secondary_side.h"

#include <cstring>

#include "base/check.h"
#include "tests/sim/world.h"

namespace colo::sim {

namespace {

constexpr int spins_max = 100;

}  // namespace

Result<void> StandbyMemory::write_page(PageId page, ByteView bytes) {
  if (!standby_ || standby_->ended()) return fail("no-standby", "the standby guest ended");
  if (writes_left_ && (*writes_left_)-- <= 0) {
    return fail("write-failed", "a page could not be written");
  }
  const MutableBytes mapped = standby_->mapping(page.region);
  if (mapped.empty()) return standby_->write_page(page.region, page.page, bytes);
  std::memcpy(mapped.data() + page.page * page_bytes, bytes.data(), page_bytes);
  return {};
}

SecondarySide::SecondarySide(Engine& engine)
    : engine_(engine), world_(engine.world), core_(engine.world.settings.secondary) {}

SecondarySide::~SecondarySide() = default;

void SecondarySide::feed(secondary::Event event) {
  if (left_ || engine_.dead()) return;
  events_.push_back(std::move(event));
  if (feeding_) return;
  feeding_ = true;
  while (!events_.empty() && !left_) {
    const secondary::Event next = std::move(events_.front());
    events_.pop_front();
    std::vector<secondary::Action> actions;
    const auto before = world_.tracing() ? std::optional(core_.state()) : std::nullopt;
    core_.step(next, engine_.local_now(), actions);
    world_.stepped(engine_.host, core_, next, before, actions);
    for (const secondary::Action& action : actions) {
      std::visit([this](const auto& known) { execute(known); }, action);
      engine_.acted();
      if (engine_.dead()) return;
    }
  }
  feeding_ = false;
  arm();
  if (std::holds_alternative<secondary::Live>(core_.state())) become_primary();
}

void SecondarySide::arm() {
  const auto deadline = core_.deadline();
  if (!deadline || left_) return;
  const Instant at = world_.true_time(engine_.host, *deadline);
  if (armed_ && *armed_ <= at) return;
  armed_ = at;
  world_.queue.add(at, static_cast<int>(engine_.host), [this] {
    armed_.reset();
    const auto due = core_.deadline();
    if (left_ || !due) return;
    if (*due > engine_.local_now()) {
      arm();
      return;
    }
    feed(secondary::Tick{});
    const auto next = core_.deadline();
    if (engine_.dead() || !next || *next > engine_.local_now()) {
      spins_ = 0;
    } else if (++spins_ > spins_max) {
      world_.judge.broken("spin", "a secondary asks for a Tick at once, for ever");
      left_ = true;
    }
  });
}

void SecondarySide::become_primary() {
  if (!standby_) return;  // done: the sides are swapped in the next turn
  memory_.set(nullptr);
  world_.reach.mark(Mark::takeover_ran);
  engine_.takes_over(std::move(standby_), core_.generation(),
                     std::get<secondary::Live>(core_.state()).cause);
  standby_.reset();
}

void SecondarySide::send(wire::Kind kind, Generation generation, Epoch epoch) {
  Message message;
  message.kind = kind;
  message.generation = generation;
  message.epoch = epoch;
  session_->lane->send(engine_.host, std::move(message));
}

// --- signs of life -------------------------------------------------------------------------------

void SecondarySide::heard(std::size_t link) {
  if (!session_ || !session_->detector) return;
  session_->detector->heard(link, engine_.local_now());
  if (!session_->suspected) return;
  session_->suspected = false;
  feed(secondary::PeerHeard{session_->number});
}

void SecondarySide::stalled(Instant from, Instant now) {
  if (session_ && session_->detector) session_->detector->stalled(from, now);
}

void SecondarySide::beat(Instant now) {
  if (!session_) return;
  if (!session_->detector) {
    if (now - session_->since > world_.settings.stream_timeout) {
      join_failed({"no-answer", "the peer took the connection but did not answer", ""});
    }
    return;
  }
  send(wire::Kind::alive, core_.generation(), {});
  if (session_->lane->stuck(engine_.host, world_.settings.stream_timeout)) {
    world_.reach.mark(Mark::lane_timed_out);
    lane_ended(session_->number, false);
    return;
  }
  if (session_->suspected || !session_->detector->suspected(now)) return;
  suspect(session_->number, {"silent", "nothing was heard on any link", ""}, false);
}

void SecondarySide::standby_ended(const SimGuest& guest) {
  if (standby_.get() != &guest) return;
  feed(secondary::StandbyFailed{{"standby-ended", "QEMU was killed", ""}});
}

// --- joining -------------------------------------------------------------------------------------

void SecondarySide::execute(const secondary::Join&) {
  if (!standby_ || standby_->ended()) {
    feed(secondary::JoinFailed{{"no-standby", "the standby guest ended", ""}});
    return;
  }
  Message hello;
  hello.kind = wire::Kind::hello;
  hello.greeting = std::make_shared<const Greeting>(Greeting{engine_.run_name(), 0});
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

void SecondarySide::join_failed(const Error& error) {
  drop_session(false);
  feed(secondary::JoinFailed{error});
}

void SecondarySide::on_lane(const std::shared_ptr<Lane>& lane) {
  last_session_ = last_session_.next();
  session_ = std::make_unique<SecondarySession>();
  session_->number = last_session_;
  session_->lane = lane;
  session_->since = engine_.local_now();
  const secondary::Session number = last_session_;
  lane->start(engine_.host,
              {[this, number](Message& message) { on_frame(number, message); },
               [this, number](bool certain) { lane_ended(number, certain); }});
}

void SecondarySide::on_frame(secondary::Session number, const Message& message) {
  if (!current(number)) return;
  switch (message.kind) {
    case wire::Kind::welcome:
      on_welcome(message);
      break;
    case wire::Kind::alive:
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
      suspect(number, {"unexpected-frame", "a frame that has no place here", ""}, true);
      return;
  }
  heard(world_.settings.heartbeat_links);
}

void SecondarySide::on_welcome(const Message& message) {
  session_->welcomed = true;
  session_->generation = message.generation;
  Message attach;
  attach.kind = wire::Kind::attach;
  attach.greeting = std::make_shared<const Greeting>(Greeting{"", message.greeting->session});
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
  const MemoryLayout& layout = guest_identity().layout;
  cache_ = std::make_shared<cache::Cache>(layout, std::vector<bool>{false, true},
                                          cache::CacheLimits{world_.settings.staged_pages});
  cache_->write_through(&memory_);
  mark_process_memory_diverged();
  session_->bulk = lane;
  session_->stager = std::make_unique<secondary::Stager>(*cache_, layout, session_->generation);
  session_->decoder = std::make_unique<wire::FrameDecoder>();
  session_->detector = std::make_unique<heartbeat::Detector>(
      world_.settings.detector, world_.settings.heartbeat_links + 1, engine_.local_now());
  feed(secondary::Joined{number, host_names[other(engine_.host)], session_->generation});
  if (!current(number)) return;
  lane->start(engine_.host, {[this, number](Message& message) { on_bulk_frame(number, message); },
                             [this, number](bool) { bulk_ended(number); }});
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
    if (complete.error().word == "cache-full") world_.reach.mark(Mark::cache_full);
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
  heard(world_.settings.heartbeat_links);
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
    send(wire::Kind::refuse, core_.generation(), core_.committed());
    session_->lane->close(engine_.host);
  }
  feed(secondary::PeerSuspected{number, error, lane_closed});
}

void SecondarySide::drop_session(bool farewell) {
  ++dials_;
  if (!session_) return;
  if (session_->bulk) session_->bulk->abort(engine_.host);
  if (cache_) cache_->discard_staged();
  if (farewell && !session_->closed) {
    send(wire::Kind::goodbye, core_.generation(), core_.committed());
  }
  session_->lane->close(engine_.host);
  session_.reset();
}

void SecondarySide::end() {
  left_ = true;
  if (session_) {
    for (const auto& lane : {session_->lane, session_->bulk}) {
      if (lane) lane->abort(engine_.host);
    }
  }
  if (standby_) standby_->kill();
}

}  // namespace colo::sim
