// The primary's side of the engine: a secondary that joins, its lanes, its checkpoints.

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <spdlog/spdlog.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>

#include "app/engine_primary.h"
#include "io/clock.h"

namespace colo::app {

namespace {

constexpr std::chrono::milliseconds farewell_patience{50};

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
  handlers.refused = [](const std::string& peer, const Error& error) {
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
    spdlog::warn("{} refused: {}", hello.host, refusal->text());
    lane->send(wire::Refuse{*refusal}, core_.generation(), {});
    lane->close();
    return;
  }
  last_session_ = last_session_.next();
  asking_ = std::make_shared<PrimarySession>();
  asking_->number = last_session_;
  asking_->host = hello.host;
  asking_->lane = std::move(lane);
  feed(primary::PeerAsks{last_session_, hello.host});
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
  if (!lineage_) lineage_ = std::make_shared<primary::Lineage>(guest_->identity().layout);
  session_->lineage = lineage_;
  primary::CaptureOptions options;
  options.token = session_->token;
  options.pause_max = host_.config.limits.pause_max;
  options.now = io::steady_now;
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
  session_->pending_pages = guest_->identity().memory_bytes() / page_bytes;
  session_->capturer = std::make_unique<primary::Capturer>(
      *guest_, *session_->lineage, *session_->sink, core_.generation(), std::move(options));
  spdlog::info("{} attached its bulk lane ({})", session_->host,
               session_->bulk->figures().uring ? "io_uring" : "plain sockets");
  feed(primary::BulkAttached{number});
}

void PrimarySide::on_frame(primary::Session number, const wire::Frame& frame) {
  PrimarySession* current = session(number);
  if (current == nullptr) return;
  if (current->detector) {
    current->detector->heard(host_.config.own(host_.name).heartbeat.size(), io::steady_now());
  }
  switch (frame.header.kind) {
    case wire::Kind::alive:
      return;
    case wire::Kind::committed:
      feed(primary::CommitAcknowledged{number, frame.header.generation, frame.header.epoch});
      return;
    case wire::Kind::goodbye: {
      const auto goodbye = wire::decode_goodbye(frame.body);
      lose(number,
           {"left", current->host + " left: " + (goodbye ? goodbye->reason : "no reason"), ""});
      return;
    }
    case wire::Kind::refuse: {
      const auto refuse = wire::decode_refuse(frame.body);
      lose(number, refuse ? refuse->error : refuse.error());
      return;
    }
    default:
      lose(number, {"unexpected-frame", current->host + " sent a frame that has no place here",
                    "run the same version of colo on both hosts"});
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
        if (!error && self) self->lose(number, lane_error(self->host_.peer_name(), end));
      });
}

void PrimarySide::lose(primary::Session number, const Error& error) {
  if (session(number) == nullptr) return;
  spdlog::warn("{} is lost: {}", session_->host, error.text());
  const auto* syncing = std::get_if<primary::Syncing>(&core_.state());
  if (syncing == nullptr || syncing->session.cut) {
    takeover_ = TakeoverStatus{error.text(), unix_now_ns(), std::nullopt, std::nullopt};
  }
  feed(primary::PeerLost{number, error});
}

void PrimarySide::run_pass(const primary::SendPass& action) {
  host_.guest_worker.post(
      [weak = weak_from_this(), session = session_, guest = guest_, action, &loop = host_.loop] {
        auto figures = session->capturer->pass(action.epoch, action.first);
        session->pending_pages = session->capturer->pending_pages();
        boost::asio::post(loop, [weak, action, figures = std::move(figures)] {
          const auto self = weak.lock();
          if (!self) return;
          if (!figures) {
            self->lose(action.session, figures.error());
            return;
          }
          self->feed(primary::PassEnded{action.session, figures->pages});
        });
      });
}

void PrimarySide::run_capture(const primary::Capture& action) {
  host_.guest_worker.post([weak = weak_from_this(), session = session_, guest = guest_, action,
                           gate = host_.gate.get(), &loop = host_.loop] {
    auto figures = session->capturer->capture(action.epoch, [&] {
      // From here on every byte the guest sends belongs to the next checkpoint.
      if (action.begins_hold) {
        gate->hold(action.epoch.next());
      } else {
        gate->cut(action.epoch.next());
      }
    });
    boost::asio::post(loop, [weak, action, figures = std::move(figures)] {
      if (const auto self = weak.lock()) self->captured(action, figures);
    });
  });
}

void PrimarySide::captured(const primary::Capture& action,
                           Result<primary::CheckpointFigures> figures) {
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
  if (figures->standstill) {
    pause_ms_.add(std::chrono::duration<double, std::milli>(figures->standstill->length()).count());
  }
  if (action.epoch > Epoch{1}) dirty_pages_.add(figures->pages);
  sent_bytes_ += figures->bytes;
  feed(primary::Captured{action.session, action.epoch});
}

}  // namespace colo::app
