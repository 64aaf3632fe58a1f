// The primary's side of the engine: a secondary that joins, its lanes, its checkpoints.

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <poll.h>
#include <spdlog/spdlog.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>

#include "app/engine_primary.h"
#include "io/clock.h"

namespace colo::app {

namespace {

constexpr std::chrono::milliseconds farewell_patience{50};
// For the guest to read what was written to it, before it stands still.
constexpr std::chrono::milliseconds inbound_patience{5};
// A slower link has something in front of each cut.
constexpr std::chrono::milliseconds drain_patience{500};

// "may begin in 4 s" is what "may begin in 5 s" was.
std::string without_countdown(std::string text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  for (auto at = text.find(" s"); at != std::string::npos; at = text.find(" s", at + 1)) {
    while (at > 0 && is_digit(text[at - 1])) text.erase(--at, 1);
  }
  return text;
}

// Whether a command to the guest failed because the guest died: its end may be seen a moment later.
bool has_ended(const guest::Guest& guest) {
  constexpr int patience_ms = 50;
  pollfd end{guest.end_fd(), POLLIN, 0};
  return ::poll(&end, 1, patience_ms) == 1;
}

class LaneSink final : public primary::FrameSink {
 public:
  LaneSink(std::shared_ptr<io::BulkSender> lane, Duration patience)
      : lane_(std::move(lane)), patience_(patience) {}
  Result<void> push(Bytes frame) override { return lane_->push(std::move(frame), patience_); }

 private:
  std::shared_ptr<io::BulkSender> lane_;
  Duration patience_;
};

}  // namespace

Result<void> PrimarySide::listen() {
  const Address& own = host_.config.own(host_.name).listen;
  io::Listener::Handlers handlers;
  const auto weak = weak_from_this();
  handlers.hello = [weak](std::shared_ptr<io::ControlLane> lane, const wire::Hello& hello,
                          const wire::Header&) {
    if (const auto self = weak.lock()) self->on_hello(std::move(lane), hello);
  };
  handlers.attach = [weak](io::BulkConnection connection, const wire::Attach& attach) {
    if (const auto self = weak.lock()) self->on_attach(std::move(connection), attach);
  };
  handlers.refused = [said = std::make_shared<Said>()](const std::string& peer,
                                                       const Error& error) {
    // Without the port, which is another one each time; the reason may name it.
    if (!said->is_news(peer.substr(0, peer.rfind(':')), error.word)) return;
    spdlog::warn("connection from {} refused: {}", peer, error.text());
  };
  auto listener = io::Listener::open(host_.loop, {boost::asio::ip::make_address(own.ip), own.port},
                                     host_.lane_options(), std::move(handlers));
  if (!listener) {
    deaf_ = listener.error();
    return fail(*deaf_);
  }
  listener_ = std::move(*listener);
  deaf_.reset();
  return {};
}

PrimarySession* PrimarySide::session(primary::Session number) {
  return session_ && session_->number == number ? session_.get() : nullptr;
}

// It asks twice a second: the log has each reason once.
void PrimarySide::refuse(io::ControlLane& lane, const std::string& host, const Error& error) {
  if (refusals_.is_news(host, without_countdown(error.text()))) {
    spdlog::warn("{} refused: {}", host, error.text());
  }
  lane.send(wire::Refuse{error}, core_.generation(), {});
  lane.close();
}

void PrimarySide::on_hello(std::shared_ptr<io::ControlLane> lane, const wire::Hello& hello) {
  std::optional<Error> refusal;
  if (!guest_ || !guest_runs_) {
    refusal = Error{"not-ready", host_.name + " has no running guest to protect",
                    "look at `" + host_.command("status", host_.name) + "`"};
  } else if (hello.host != host_.peer_name()) {
    refusal = Error{"wrong-host", "'" + hello.host + "' is not the other host of this guest",
                    "use the same configuration file on both hosts"};
  } else if (const std::string differs =
                 wire::difference(host_.agreement(guest_->identity()), hello.agreement);
             !differs.empty()) {
    refusal = Error{"configuration-differs", differs, "make both hosts equal in this"};
  }
  if (refusal) {
    refuse(*lane, hello.host, *refusal);
    return;
  }
  last_session_ = last_session_.next();
  asking_ = std::make_shared<PrimarySession>();
  asking_->number = last_session_;
  asking_->host = hello.host;
  asking_->lane = std::move(lane);
  primary::PeerAsks asks{last_session_, hello.host, std::nullopt};
  // Of another run of ours, or of a whole copy that was begun anew since, nothing is known here.
  if (hello.held && lineage_name_ && hello.held->primary_run == host_.run &&
      hello.held->lineage == *lineage_name_) {
    asking_->held = hello.held;
    asks.held = primary::Held{hello.held->generation, hello.held->epoch};
  }
  feed(asks);
}

void PrimarySide::on_attach(io::BulkConnection connection, const wire::Attach& attach) {
  const bool known =
      session_ && !session_->bulk &&
      CRYPTO_memcmp(attach.session.data(), session_->token.data(), session_->token.size()) == 0;
  if (!known) {
    spdlog::warn("bulk lane from {} refused: unknown-session: it names no session of this engine",
                 connection.peer_address);
    return;
  }
  const primary::Session number = session_->number;
  const auto weak = weak_from_this();
  session_->bulk =
      io::BulkSender::start(std::move(connection), host_.lane_options(),
                            [weak, number, &loop = host_.loop](io::LaneEnd end) {
                              boost::asio::post(loop, [weak, number, end = std::move(end)] {
                                if (const auto self = weak.lock()) self->bulk_ended(number, end);
                              });
                            });
  session_->sink = std::make_unique<LaneSink>(session_->bulk, host_.config.limits.stream_timeout);
  session_->pending_pages = guest_->identity().memory_bytes() / page_bytes;
  session_->capturer = make_capturer();
  spdlog::info("{} attached its bulk lane ({})", session_->host,
               session_->bulk->figures().uring ? "io_uring" : "plain sockets");
  feed(primary::BulkAttached{number});
}

std::unique_ptr<primary::Capturer> PrimarySide::make_capturer() {
  if (!lineage_) lineage_ = std::make_shared<primary::Lineage>(guest_->identity().layout);
  session_->lineage = lineage_;
  primary::CaptureOptions options;
  if (session_->base) {
    const wire::Token& lineage = session_->held->lineage;
    options.token = lineage;
    options.base = primary::Base{lineage, *session_->base, std::move(session_->held->pages)};
  } else {
    lineage_name_ = session_->token;
    options.token = session_->token;
  }
  options.pause_max = host_.config.limits.pause_max;
  options.now = io::steady_now;
  const auto weak = weak_from_this();
  const primary::Session number = session_->number;
  options.standstill_ended = [weak, number, &loop = host_.loop](Epoch epoch) {
    boost::asio::post(loop, [weak, number, epoch] {
      if (const auto self = weak.lock()) self->feed(primary::StandstillEnded{number, epoch});
    });
  };
  // The session outlives its Capturer.
  options.progress = [current = session_.get()](std::uint64_t pages) {
    current->sent_pages += pages;
    const std::uint64_t pending = current->pending_pages;
    current->pending_pages = pending > pages ? pending - pages : 0;
  };
  return std::make_unique<primary::Capturer>(*guest_, *lineage_, *session_->sink,
                                             core_.generation(), std::move(options));
}

void PrimarySide::on_frame(primary::Session number, const wire::Frame& frame) {
  PrimarySession* current = session(number);
  if (current == nullptr) return;
  if (current->detector) {
    current->detector->heard(host_.config.own(host_.name).heartbeat.size(), io::steady_now());
  }
  switch (frame.header.kind) {
    case wire::Kind::alive:
      if (const auto alive = wire::decode_alive(frame.body)) peer_says(*alive);
      return;
    case wire::Kind::loaded:
      feed(primary::PeerLoaded{number, frame.header.epoch});
      return;
    case wire::Kind::load_failed: {
      const auto failed = wire::decode_load_failed(frame.body);
      feed(primary::PeerLoadFailed{number, frame.header.epoch,
                                   failed ? failed->error : failed.error()});
      return;
    }
    case wire::Kind::took_over:
      takeover_ = TakeoverStatus{"switchover to " + current->host, unix_now_ns(), std::nullopt,
                                 std::nullopt};
      feed(primary::PeerTookOver{number});
      return;
    case wire::Kind::committed:
      if (stood_still(number)) return;
      feed(primary::CommitAcknowledged{number, frame.header.generation, frame.header.epoch});
      return;
    case wire::Kind::goodbye: {
      const auto goodbye = wire::decode_goodbye(frame.body);
      lose(number,
           {"left", current->host + " left: " + (goodbye ? goodbye->reason : "no reason"), ""},
           true);
      return;
    }
    case wire::Kind::refuse: {
      const auto refuse = wire::decode_refuse(frame.body);
      lose(number, refuse ? refuse->error : refuse.error(), false);
      return;
    }
    default:
      if (on_replica_word(number, frame)) return;
      lose(number,
           {"unexpected-frame", current->host + " sent a frame that has no place here",
            "run the same version of colo on both hosts"},
           false);
  }
}

// A secondary that leaves closes both lanes, and its reason comes over the control lane: a moment
// for it. (One that died ends its control lane as well, and is lost at once.)
void PrimarySide::bulk_ended(primary::Session number, const io::LaneEnd& end) {
  if (session(number) == nullptr) return;
  bulk_timer_.expires_after(end.certain ? farewell_patience : std::chrono::milliseconds(0));
  bulk_timer_.async_wait(
      [weak = weak_from_this(), number, end](const boost::system::error_code& error) {
        const auto self = weak.lock();
        // Not certain: a peer that is gone ends its control lane as well.
        if (!error && self) self->lose(number, lane_error(self->host_.peer_name(), end), false);
      });
}

void PrimarySide::lose(primary::Session number, const Error& error, bool certain) {
  // A claim now would lock the secondary out of the checkpoint that it is about to be told to use.
  if (session(number) == nullptr || guest_ending_) return;
  spdlog::warn("{} is lost: {}", session_->host, error.text());
  const auto* syncing = std::get_if<primary::Syncing>(&core_.state());
  if (syncing == nullptr || syncing->session.cut) {
    takeover_ = TakeoverStatus{error.text(), unix_now_ns(), std::nullopt, std::nullopt};
  }
  feed(primary::PeerLost{number, error, certain});
}

// A scan that failed may have lost what it found: the next session copies everything.
void PrimarySide::tracked(bool sound) {
  if (!sound) lineage_name_.reset();
}

void PrimarySide::run_pass(const primary::SendPass& action) {
  host_.guest_worker.post(
      [weak = weak_from_this(), session = session_, guest = guest_, action, &loop = host_.loop] {
        auto figures = session->capturer->pass(action.epoch, action.first);
        session->pending_pages = session->capturer->pending_pages();
        const bool sound = session->lineage->sound();
        if (!figures && has_ended(*guest)) return;  // the end watch tells it
        // What still has to go there lies between the cut and the next replica's first word.
        if (figures && session->exact_cuts) (void)session->bulk->drain(drain_patience);
        boost::asio::post(loop, [weak, action, sound, figures = std::move(figures)] {
          const auto self = weak.lock();
          if (!self) return;
          self->tracked(sound);
          if (!figures) {
            self->lose(action.session, figures.error(), false);
            return;
          }
          self->feed(primary::PassEnded{action.session, figures->pages});
        });
      });
}

void PrimarySide::run_capture(const Standstill& action) {
  host_.guest_worker.post([weak = weak_from_this(), session = session_, guest = guest_, action,
                           gate = host_.gate.get(), &loop = host_.loop] {
    const auto cut = [&] {
      // From here on every byte the guest sends belongs to the next checkpoint.
      if (action.begins_hold) {
        gate->hold(action.epoch.next());
      } else {
        gate->cut(action.epoch.next());
      }
      gate->start_inbound();  // what comes from here on is the next incarnation's too
    };
    if (session->exact_cuts) (void)gate->stop_inbound(inbound_patience);
    auto figures = session->capturer->capture(
        action.epoch, cut, action.stays ? primary::After::stays : primary::After::runs);
    if (!figures) gate->start_inbound();
    const bool sound = session->lineage->sound();
    if (!figures && has_ended(*guest)) return;
    boost::asio::post(loop, [weak, action, sound, figures = std::move(figures)] {
      const auto self = weak.lock();
      if (!self) return;
      self->tracked(sound);
      self->captured(action, figures);
    });
  });
}

void PrimarySide::captured(const Standstill& action, Result<primary::CheckpointFigures> figures) {
  if (!figures) {
    spdlog::warn("checkpoint {} was given up: {}", action.epoch.value, figures.error().text());
    if (figures.error().word == "resume-failed") {
      // It cannot be helped here; the secondary takes over.
      execute(primary::EndGuest{});
      guest_ended({false, false, "the guest did not go on after a checkpoint and was ended"});
      return;
    }
    feed(primary::CaptureFailed{action.session, action.epoch, figures.error()});
    return;
  }
  if (action.stays) guest_runs_ = false;
  if (figures->standstill) {
    pause_ms_.add(std::chrono::duration<double, std::milli>(figures->standstill->length()).count());
  }
  if (PrimarySession* current = session(action.session); current != nullptr) {
    if (!current->first_pages) {
      current->first_pages = figures->pages;
    } else {
      dirty_pages_.add(figures->pages);
    }
  }
  sent_bytes_ += figures->bytes;
  feed(primary::Captured{action.session, action.epoch});
}

}  // namespace colo::app
