// The primary's side of a simulated engine: a secondary that joins, and what it says.

#include "tests/sim/primary_side.h"
#include "tests/sim/world.h"

namespace colo::sim {

void PrimarySide::opened(const std::shared_ptr<Lane>& lane, const Message& opening) {
  if (opening.kind == wire::Kind::hello) {
    on_hello(lane, *opening.greeting);
  } else {
    on_attach(lane, opening.greeting->session);
  }
}

void PrimarySide::on_hello(const std::shared_ptr<Lane>& lane, const Greeting& hello) {
  if (!guest_) {
    Message refuse;
    refuse.kind = wire::Kind::refuse;
    lane->send(engine_.host, std::move(refuse));
    lane->close(engine_.host);
    return;
  }
  last_session_ = last_session_.next();
  asking_ = std::make_shared<PrimarySession>();
  asking_->number = last_session_;
  asking_->lane = lane;
  std::optional<primary::Held> held;
  const bool ours = hello.held && hello.held->primary_run == engine_.run_name() && lineage_token_ &&
                    hello.held->lineage == *lineage_token_;
  if (ours) {
    asking_->held = hello.held;
    held = primary::Held{hello.held->generation, hello.held->epoch};
  }
  feed(primary::PeerAsks{last_session_, host_names[other(engine_.host)], held});
}

void PrimarySide::on_attach(const std::shared_ptr<Lane>& lane, const wire::Token& token) {
  const auto side = engine_.host;
  if (!session_ || session_->bulk || session_->token != token || !guest_) {
    lane->close(side);
    return;
  }
  session_->bulk = lane;
  session_->sink = world_.sink(lane, side, guest_);
  const primary::Session number = session_->number;
  lane->start(side, {nullptr, [this, number](bool certain) { bulk_ended(number, certain); }});
  primary::CaptureOptions options;
  options.token = session_->token;
  options.base = session_->base;
  options.pause_max = world_.settings.pause_max;
  options.now = [this] { return engine_.local_now(); };
  options.standstill_ended = [this, number](Epoch epoch) {
    world_.queue.after({}, static_cast<int>(engine_.host), [this, number, epoch] {
      feed(primary::StandstillEnded{number, epoch});
    });
  };
  session_->capturer = std::make_unique<primary::Capturer>(*guest_, *lineage_, *session_->sink,
                                                           core_.generation(), std::move(options));
  feed(primary::BulkAttached{number});
}

void PrimarySide::on_frame(primary::Session number, const Message& message) {
  PrimarySession* current = session(number);
  if (current == nullptr) return;
  if (current->detector) {
    current->detector->heard(world_.settings.heartbeat_links, engine_.local_now());
  }
  switch (message.kind) {
    case wire::Kind::alive:
      return peer_says(message.generation, message.guest);
    case wire::Kind::committed:
      if (stood_still(number)) return;
      return feed(primary::CommitAcknowledged{number, message.generation, message.epoch});
    case wire::Kind::goodbye:
      return lose(number, {"left", "the peer left", ""}, true);
    case wire::Kind::refuse:
      return lose(number, {"refused", "the peer closed", ""}, false);
    default:
      return on_word(number, message);
  }
}

// The words of a switchover.
void PrimarySide::on_word(primary::Session number, const Message& message) {
  switch (message.kind) {
    case wire::Kind::loaded:
      return feed(primary::PeerLoaded{number, message.epoch});
    case wire::Kind::load_failed:
      return feed(primary::PeerLoadFailed{number, message.epoch, {"load-failed", "there", ""}});
    case wire::Kind::took_over:
      return feed(primary::PeerTookOver{number});
    default:
      if (on_replica_word(number, message)) return;
      return lose(number, {"unexpected-frame", "a frame that has no place here", ""}, false);
  }
}

// An end that comes while the peer is silent anyway may be a late answer to that silence.
void PrimarySide::lane_ended(primary::Session number, bool certain) {
  const PrimarySession* current = session(number);
  if (current == nullptr) return;
  const bool silent = current->detector && current->detector->suspected(engine_.local_now());
  lose(number, {"lane-ended", "the control lane ended", ""}, certain && !silent);
}

// A secondary that leaves closes both lanes, and its reason comes over the control lane.
void PrimarySide::bulk_ended(primary::Session number, bool certain) {
  if (session(number) == nullptr) return;
  const Duration patience = std::chrono::milliseconds(certain ? 50 : 0);
  world_.queue.after(patience, static_cast<int>(engine_.host), [this, number] {
    lose(number, {"lane-ended", "the bulk lane ended", ""}, false);
  });
}

void PrimarySide::lose(primary::Session number, const Error& error, bool certain) {
  if (left_ || session(number) == nullptr) return;
  feed(primary::PeerLost{number, error, certain});
}

}  // namespace colo::sim
