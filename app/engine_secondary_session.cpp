// The secondary's side of the engine: joining a primary, and what arrives from it.

#include <spdlog/spdlog.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>

#include "app/engine_secondary.h"
#include "io/clock.h"

namespace colo::app {

namespace {

boost::asio::ip::tcp::endpoint endpoint_of(const Address& address) {
  return {boost::asio::ip::make_address(address.ip), address.port};
}

}  // namespace

void SecondarySide::execute(const secondary::Join&) {
  if (!standby_) {
    feed(secondary::JoinFailed{{"no-standby", "the standby guest ended: " + standby_end_, ""}});
    return;
  }
  dial();
}

void SecondarySide::dial() {
  dialing_ = true;
  const secondary::Held numbers = core_.held().value_or(secondary::Held{});
  wire::Hello hello{host_.name, host_.run, host_.agreement(standby_->identity()), held()};
  const auto weak = weak_from_this();
  dialer_ = io::Dialer::control(
      host_.loop, endpoint_of(host_.peer.replication), host_.lane_options(), std::move(hello),
      [weak](Result<std::shared_ptr<io::ControlLane>> lane) {
        if (const auto self = weak.lock()) self->on_lane(std::move(lane));
      },
      numbers.generation, numbers.epoch);
}

std::optional<wire::Held> SecondarySide::held() {
  if (!cache_ || held_run_.empty() || difference_too_large_) return std::nullopt;
  if (const auto complete = core_.held()) {
    return wire::Held{held_run_, held_lineage_, complete->generation, complete->epoch, {}};
  }
  auto pages = cache_->held_pages(wire::held_ranges_max);
  if (pages.empty()) return std::nullopt;
  return wire::Held{held_run_, held_lineage_, held_in_, Epoch{0}, std::move(pages)};
}

void SecondarySide::execute(const secondary::StopJoin&) { drop_session(""); }

// A dial to nowhere takes seconds to fail: a new one, to where the peer is now.
void SecondarySide::peer_moved() {
  if (dialing_ && standby_) dial();
}

void SecondarySide::join_failed(const Error& error) {
  drop_session("");
  host_.refresh_owners();  // whether there is anybody to join
  feed(secondary::JoinFailed{error});
}

void SecondarySide::on_lane(Result<std::shared_ptr<io::ControlLane>> lane) {
  dialing_ = false;
  if (!lane) {
    join_failed(lane.error());
    return;
  }
  last_session_ = last_session_.next();
  session_ = std::make_unique<SecondarySession>();
  session_->number = last_session_;
  session_->lane = std::move(*lane);
  session_->since = io::steady_now();
  const auto weak = weak_from_this();
  const secondary::Session number = last_session_;
  io::ControlLane::Handlers handlers;
  handlers.frame = [weak, number](const wire::Frame& frame) {
    if (const auto self = weak.lock()) self->on_frame(number, frame);
  };
  handlers.ended = [weak, number](const io::LaneEnd& end) {
    if (const auto self = weak.lock()) self->lane_ended(number, end);
  };
  handlers.room = [weak] {
    if (const auto self = weak.lock()) {
      self->lane_queue();
      self->host_.gate->room_again();
    }
  };
  session_->lane->start(std::move(handlers));
}

void SecondarySide::on_frame(secondary::Session number, const wire::Frame& frame) {
  if (!session_ || session_->number != number) return;
  switch (frame.header.kind) {
    case wire::Kind::welcome:
      on_welcome(frame);
      break;
    case wire::Kind::alive:
      if (const auto said = wire::decode_alive(frame.body)) peer_says(*said);
      break;
    case wire::Kind::progress:
      if (const auto progress = wire::decode_progress(frame.body)) {
        session_->initial_copy =
            InitialCopy{progress->sent_pages, progress->remaining_pages,
                        standby_ ? standby_->identity().memory_bytes() / page_bytes : 0};
      }
      break;
    case wire::Kind::guest_ended: {
      const auto ended = wire::decode_guest_ended(frame.body);
      gone(number, {"guest-ended", ended ? ended->reason : "the primary's guest ended", ""},
           ended && ended->by_guest);
      return;
    }
    case wire::Kind::goodbye: {
      const auto goodbye = wire::decode_goodbye(frame.body);
      gone(number,
           {"left", host_.peer_name() + " left: " + (goodbye ? goodbye->reason : "no reason"), ""},
           goodbye && goodbye->guest_ends);
      return;
    }
    case wire::Kind::refuse: {
      const auto refuse = wire::decode_refuse(frame.body);
      refused_by_peer(number, refuse ? refuse->error : refuse.error());
      return;
    }
    default:
      if (on_switchover_word(number, frame) || on_replica_word(number, frame)) break;
      suspect(number,
              {"unexpected-frame", host_.peer_name() + " sent a frame that has no place here",
               "run the same version of colo on both hosts"},
              true);
      return;
  }
  alive(host_.config.own(host_.name).heartbeat.size());
}

bool SecondarySide::on_switchover_word(secondary::Session number, const wire::Frame& frame) {
  switch (frame.header.kind) {
    case wire::Kind::handover:
      takeover_ = TakeoverStatus{"switchover from " + host_.peer_name(), unix_now_ns(),
                                 std::nullopt, std::nullopt};
      feed(secondary::HandoverAsked{number, frame.header.epoch});
      return true;
    case wire::Kind::go:
      feed(secondary::GoAsked{number});
      return true;
    case wire::Kind::cancel: {
      const auto cancel = wire::decode_cancel(frame.body);
      const std::string reason = cancel ? cancel->reason : cancel.error().text();
      spdlog::warn("{} cancels the switchover: {}", host_.peer_name(), reason);
      takeover_.reset();
      feed(secondary::CancelAsked{number, reason});
      return true;
    }
    default:
      return false;
  }
}

void SecondarySide::on_welcome(const wire::Frame& frame) {
  const auto welcome = wire::decode_welcome(frame.body);
  if (!welcome || session_->welcomed || !standby_) {
    const Error error =
        welcome ? Error{"unexpected-frame", "a welcome at the wrong time", ""} : welcome.error();
    if (session_->detector) {
      suspect(session_->number, error, true);
    } else {
      join_failed(error);
    }
    return;
  }
  const auto differs = wire::difference(host_.agreement(standby_->identity()), welcome->agreement);
  if (welcome->host != host_.peer_name() || !differs.empty()) {
    join_failed(
        {"configuration-differs",
         differs.empty() ? "'" + welcome->host + "' answered for " + host_.peer_name() : differs,
         "make both hosts equal in this"});
    return;
  }
  session_->welcomed = true;
  session_->generation = frame.header.generation;
  session_->token = welcome->session;
  if (welcome->resumes) session_->base = frame.header.epoch;
  peer_run_ = welcome->run;
  const auto weak = weak_from_this();
  session_->bulk_dialer =
      io::Dialer::bulk(host_.loop, endpoint_of(host_.peer.replication), host_.lane_options(),
                       wire::Attach{welcome->session},
                       [weak, number = session_->number](Result<io::BulkConnection> connection) {
                         if (const auto self = weak.lock())
                           self->on_bulk(number, std::move(connection));
                       });
}

void SecondarySide::on_bulk(secondary::Session number, Result<io::BulkConnection> connection) {
  if (!session_ || session_->number != number) return;
  if (!connection || !standby_) {
    join_failed(connection ? Error{"no-standby", "the standby guest ended: " + standby_end_, ""}
                           : connection.error());
    return;
  }
  const auto& heartbeat = host_.config.heartbeat;
  session_->detector = std::make_unique<heartbeat::Detector>(
      heartbeat::DetectorConfig{heartbeat.interval, heartbeat.lost_after},
      host_.config.own(host_.name).heartbeat.size() + 1, io::steady_now());
  if (session_->base && !cache_) {
    join_failed({"no-such-base", host_.peer_name() + " goes on from what is not held here", ""});
    return;
  }
  const MemoryLayout layout = standby_->identity().layout;  // the core may replace the standby
  host_.gate->forget_inbound();
  // Joined before the first byte can be staged.
  feed(secondary::Joined{number, host_.peer_name(), session_->generation, session_->base});
  if (!session_ || session_->number != number) return;  // the core wanted it no more
  if (std::holds_alternative<secondary::Standby>(core_.state())) takeover_.reset();  // it is back
  if (!session_->base) begin_cache(layout);
  set_origin();
  session_->stager = std::make_unique<secondary::Stager>(*cache_, layout, session_->generation,
                                                         session_->base.value_or(Epoch{0}));
  const auto weak = weak_from_this();
  auto* stager = session_->stager.get();
  auto& loop = host_.loop;
  session_->bulk = io::BulkReceiver::start(
      std::move(*connection), host_.lane_options(),
      [weak, number, stager, &loop](const wire::Frame& frame) -> Result<void> {
        const auto complete = stager->take(frame);
        if (!complete) return fail(complete.error());
        if (*complete) {
          boost::asio::post(loop, [weak, number, epoch = **complete] {
            if (const auto self = weak.lock()) self->staged(number, epoch);
          });
        }
        return {};
      },
      [weak, number, &loop](io::LaneEnd end) {
        boost::asio::post(loop, [weak, number, end = std::move(end)] {
          if (const auto self = weak.lock()) self->bulk_ended(number, end);
        });
      });
  if (const auto early = std::exchange(session_->early, std::nullopt)) mode_told(*early);
  host_.refresh_owners();  // the owners that status shows
  spdlog::info(
      "joined {} in generation {} with {} ({})", host_.peer_name(), session_->generation.value,
      session_->base ? "what changed since checkpoint " + std::to_string(session_->base->value)
                     : std::string("a whole copy"),
      session_->bulk->figures().uring ? "io_uring" : "plain sockets");
}

// For a whole copy of this session's primary.
void SecondarySide::begin_cache(const MemoryLayout& layout) {
  std::vector<bool> mirrored;
  for (const RegionLayout& region : layout) mirrored.push_back(!region.mapped);
  auto store = make_store(layout);
  cache_ =
      std::make_shared<cache::Cache>(layout, std::move(mirrored), cache_limits(), std::move(store));
  cache_->write_through(memory_.get());
  mark_process_memory_diverged();
  difference_too_large_ = false;
  held_run_ = peer_run_;
  held_lineage_ = session_->token;
  held_in_ = session_->generation;
}

// The end of a bulk lane alone says little: a primary that gives this session up closes it as
// well. The control lane tells which it was, and a dead primary's ends just as soon.
void SecondarySide::bulk_ended(secondary::Session number, const io::LaneEnd& end) {
  if (!session_ || session_->number != number || session_->closed) return;
  const Error error = lane_error(host_.peer_name(), end);
  // It would be as large the next time: a whole copy has no such bound.
  if (error.word == "cache-full" && session_->base) difference_too_large_ = true;
  if (!end.certain) {
    suspect(number, error, true);
    return;
  }
  takeover_ = TakeoverStatus{error.text(), unix_now_ns(), std::nullopt, std::nullopt};
  session_->suspected = false;
  feed(secondary::PeerSuspected{number, error, true});
}

// The primary lives and gives this session up; it claims, and has its head start.
void SecondarySide::refused_by_peer(secondary::Session number, const Error& error) {
  if (!session_->detector) {
    join_failed(error);
    return;
  }
  spdlog::warn("{} closes: {}", host_.peer_name(), error.text());
  session_->closed = true;
  session_->suspected = false;
  session_->lane->close();
  takeover_ = TakeoverStatus{error.text(), unix_now_ns(), std::nullopt, std::nullopt};
  feed(secondary::PeerSuspected{number, error, true});
}

// A checkpoint is a sign of life like any other.
void SecondarySide::staged(secondary::Session number, Epoch epoch) {
  if (!session_ || session_->number != number) return;
  alive(host_.config.own(host_.name).heartbeat.size());
  if (table_is_due(epoch) && !session_->tables.whole(epoch)) {
    session_->staged = epoch;  // no checkpoint of that guest without it
    return;
  }
  feed(secondary::StagedComplete{number, epoch});
}

void SecondarySide::lane_ended(secondary::Session number, const io::LaneEnd& end) {
  if (!session_ || session_->number != number || session_->closed) return;
  const Error error = lane_error(host_.peer_name(), end);
  if (!session_->detector) {
    join_failed(error);
  } else if (end.certain) {
    gone(number, error, false);
  } else {
    suspect(number, error, true);
  }
}

void SecondarySide::gone(secondary::Session number, const Error& error, bool guest_ends) {
  if (!session_ || session_->number != number || session_->closed) return;
  if (!session_->detector) {
    join_failed(error);
    return;
  }
  spdlog::warn("{} is gone: {}", host_.peer_name(), error.text());
  takeover_ = TakeoverStatus{error.text(), unix_now_ns(), std::nullopt, std::nullopt};
  feed(secondary::PeerGone{number, error, guest_ends});
}

void SecondarySide::suspect(secondary::Session number, const Error& error, bool lane_closed) {
  if (!session_ || session_->number != number || session_->closed) return;
  if (!session_->detector) {
    join_failed(error);
    return;
  }
  spdlog::warn("{} is suspected: {}", host_.peer_name(), error.text());
  takeover_ = TakeoverStatus{error.text(), unix_now_ns(), std::nullopt, std::nullopt};
  session_->suspected = !lane_closed;
  if (lane_closed) {
    // It learns why, claims with its head start, and goes on.
    session_->closed = true;
    session_->lane->send(wire::Refuse{error}, core_.generation(), core_.committed());
    session_->lane->close();
  }
  feed(secondary::PeerSuspected{number, error, lane_closed});
}

void SecondarySide::drop_session(const std::string& farewell, bool returns) {
  dialer_.reset();
  dialing_ = false;
  if (!session_) return;
  hold_replica();
  session_->bulk_dialer.reset();
  session_->bulk.reset();  // waits for its thread: nothing is staged any more
  if (cache_) cache_->end_session();
  if (!farewell.empty() && !session_->closed) {
    if (returns) {
      session_->lane->send(wire::Refuse{{"closed", farewell, ""}}, core_.generation(),
                           core_.committed());
    } else {
      session_->lane->send(wire::Goodbye{farewell, false}, core_.generation(), core_.committed());
    }
  }
  session_->lane->close();
  session_.reset();
  lane_queue();
  start_replica();  // one that waits for a table waits in vain
}

}  // namespace colo::app
