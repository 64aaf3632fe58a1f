// The secondary's side of the engine: the replica, a guest that runs beside the primary's.
//
// It has a worker of its own: starting the next standby must not keep anybody from looking at it,
// nor from ending it.

#include <poll.h>
#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>

#include "app/engine_secondary.h"
#include "io/clock.h"

namespace colo::app {

namespace {

constexpr auto between_looks = std::chrono::milliseconds(20);
// A QEMU that hangs answers nothing; asked more often, it would only be kept from its work.
constexpr auto between_questions = std::chrono::milliseconds(500);

bool has_ended(const guest::Guest& guest) {
  pollfd end{guest.end_fd(), POLLIN, 0};
  return ::poll(&end, 1, 0) == 1;
}

std::string mib(std::uint64_t pages) { return std::to_string(pages * page_bytes >> 20) + " MiB"; }

}  // namespace

bool SecondarySide::is_replica(const std::shared_ptr<guest::Guest>& guest) const {
  return replica_ && replica_->guest == guest;
}

bool SecondarySide::is_claimed() const {
  return std::holds_alternative<secondary::Claiming>(core_.state()) ||
         std::holds_alternative<secondary::TakingOver>(core_.state());
}

// --- its begin -----------------------------------------------------------------------------------

void SecondarySide::execute(const secondary::RunReplica& action) {
  end_watch_.reset();
  memory_->set(nullptr);
  replica_ = std::make_unique<RunningReplica>();
  replica_->guest = std::move(standby_);
  replica_->epoch = action.epoch;
  replica_->limit_pages =
      host_.config.colo.diverged_limit(replica_->guest->identity().memory_bytes()) / page_bytes;
  standby_.reset();
  start_replica();
}

// The table of its connections comes over the control lane, and may be behind the checkpoint.
void SecondarySide::start_replica() {
  if (!replica_ || replica_->told || replica_->epoch != core_.committed()) return;
  if (!committed_flows_) {
    if (!session_ || session_->closed) replica_failed({"no-flow-table", "the session ended", ""});
    return;
  }
  replica_->told = true;
  strike_out_for_takeover();
  replica_worker_.post([weak = weak_from_this(), guest = replica_->guest, &loop = host_.loop] {
    const Result<void> runs = guest->resume().map([](const auto&) {});
    boost::asio::post(loop, [weak, guest, runs] {
      if (const auto self = weak.lock()) self->replica_resumed(guest, runs);
    });
  });
}

// The gate opens behind the resume: of a guest whose resume failed nothing can have left.
void SecondarySide::replica_resumed(const std::shared_ptr<guest::Guest>& guest,
                                    const Result<void>& runs) {
  if (!is_replica(guest)) return;  // told to end meanwhile
  const auto opened = runs.and_then([&] {
    return host_.gate->open_replica(replica_->epoch.next(), inside_ports(*guest),
                                    *committed_flows_);
  });
  if (!opened) {
    replica_failed(opened.error());
    return;
  }
  if (replica_->held || !session_ || session_->closed) host_.gate->hold_replica();
  replica_->runs = true;
  replica_->watch = EndWatch::start(host_.loop, guest->end_fd(), [weak = weak_from_this(), guest] {
    if (const auto self = weak.lock()) self->on_replica_end(guest);
  });
  spdlog::debug("the replica of checkpoint {} runs", replica_->epoch.value);
  look_at_replica();
  feed(secondary::ReplicaRuns{});
}

void SecondarySide::replica_failed(const Error& error) {
  spdlog::error("the replica of checkpoint {} does not run: {}", replica_->epoch.value,
                error.text());
  drop_replica();
  feed(secondary::ReplicaFailed{error});
}

// --- its end -------------------------------------------------------------------------------------

// Its process is killed on its worker; `ended` follows on the loop.
void SecondarySide::drop_replica(std::function<void()> ended) {
  replica_timer_.cancel();
  start_standby();
  if (!replica_) return;
  if (replica_->runs) host_.gate->close_replica();
  replica_->watch.reset();
  replica_worker_.post(
      [guest = std::move(replica_->guest), ended = std::move(ended), &loop = host_.loop]() mutable {
        guest.reset();
        if (ended) boost::asio::post(loop, ended);
      });
  replica_.reset();
}

void SecondarySide::execute(const secondary::EndReplica&) {
  drop_replica([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->feed(secondary::ReplicaEnded{{"replaced", "", ""}});
  });
}

void SecondarySide::on_replica_end(const std::shared_ptr<guest::Guest>& guest) {
  if (!is_replica(guest)) return;
  replica_->watch.reset();
  replica_worker_.post([weak = weak_from_this(), guest, &loop = host_.loop] {
    boost::asio::post(loop, [weak, guest, reason = guest->end().reason] {
      if (const auto self = weak.lock()) self->lose_replica(guest, {"replica-ended", reason, ""});
    });
  });
}

void SecondarySide::lose_replica(const std::shared_ptr<guest::Guest>& guest, const Error& error) {
  if (!is_replica(guest) || replica_->taken) return;  // Run answers for one that is taken
  spdlog::error("the replica of checkpoint {} is lost: {}", replica_->epoch.value, error.text());
  drop_replica();
  feed(secondary::ReplicaEnded{error});
}

void SecondarySide::replica_behind() {
  // Nobody compares with it any more: to it these are frames that a network lost.
  if (is_claimed()) return;
  const Error error{"replica-behind",
                    "more frames wait for the replica than may, so it has lost some",
                    "a faster secondary, or mode = \"periodic\""};
  if (replica_) {
    lose_replica(replica_->guest, error);
  } else if (session_) {
    suspect(session_->number, error, /*lane_closed=*/true);
  }
}

// --- what it says --------------------------------------------------------------------------------

void SecondarySide::execute(const secondary::HoldReplica&) { hold_replica(); }

void SecondarySide::hold_replica() {
  if (!replica_) return;
  replica_->held = true;
  if (replica_->runs) host_.gate->hold_replica();
}

void SecondarySide::execute(const secondary::TellReplicaRuns& action) {
  if (!session_ || session_->number != action.session) return;
  session_->lane->send(wire::ReplicaRuns{}, core_.generation(), action.epoch);
}

void SecondarySide::execute(const secondary::TellReplicaLost& action) {
  if (!session_ || session_->number != action.session) return;
  session_->lane->send(wire::ReplicaLost{action.error}, core_.generation(), core_.committed());
}

void SecondarySide::lane_queue() {
  host_.lane_room.queued(session_ && session_->lane ? session_->lane->queued_bytes() : 0);
}

void SecondarySide::replica_sent(Epoch tag, const std::vector<io::PortFrame>& frames) {
  if (!replica_ || replica_->held || tag != replica_->epoch.next()) return;
  if (!session_ || session_->closed) return;
  send_packets(*session_->lane, frames, core_.generation(), tag);
  lane_queue();
}

void SecondarySide::checkpoint_wanted(Epoch tag, const compare::Ask& ask) {
  if (replica_ && tag == replica_->epoch.next()) ask_for_checkpoint(compare::word(ask.reason));
}

void SecondarySide::ask_for_checkpoint(const std::string& reason) {
  if (replica_->held || !session_ || session_->closed) return;
  spdlog::info("asking for a checkpoint: {}", reason);
  session_->lane->send(wire::Ask{reason}, core_.generation(), replica_->epoch);
}

// --- looking at it -------------------------------------------------------------------------------

void SecondarySide::look_at_replica() {
  replica_timer_.expires_after(between_looks);
  replica_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (error || !self || !self->replica_ || self->replica_->taken) return;
    const Instant now = io::steady_now();
    const bool ask = now - self->replica_->asked_at >= between_questions;
    if (ask) self->replica_->asked_at = now;
    self->replica_worker_.post([weak, ask, guest = self->replica_->guest,
                                patience = self->host_.config.colo.behind,
                                &loop = self->host_.loop] {
      auto pages = guest->own_pages();
      Result<void> answers;
      if (ask) {
        answers = guest->answers(std::chrono::ceil<std::chrono::milliseconds>(patience));
      }
      boost::asio::post(loop, [weak, guest, pages = std::move(pages), answers] {
        if (const auto side = weak.lock()) side->looked_at_replica(guest, pages, answers);
      });
    });
  });
}

void SecondarySide::looked_at_replica(const std::shared_ptr<guest::Guest>& guest,
                                      const Result<std::uint64_t>& pages,
                                      const Result<void>& answers) {
  if (!is_replica(guest) || replica_->taken) return;
  if (has_ended(*guest)) return;  // its watch tells
  // While the primary is not there it is the last copy: it is not killed for being slow, and its
  // takeover asks again.
  const bool last = is_claimed() || std::holds_alternative<secondary::Suspecting>(core_.state());
  if (!answers && !last) {
    lose_replica(guest, {"replica-hangs", answers.error().text(), "look at its host"});
    return;
  }
  if (pages) {
    replica_->own_pages = *pages;
    bound_replica();
  } else if (std::exchange(pages_unknown_, pages.error().text()) != pages.error().text()) {
    spdlog::error("how much the replica wrote is not known: {}", pages.error().text());
  }
  look_at_replica();
}

// Near the limit a checkpoint is asked for; at it the replica waits for the one that replaces it.
// Then it says nothing any more, and its silence asks again.
void SecondarySide::bound_replica() {
  RunningReplica& replica = *replica_;
  const std::uint64_t near = replica.limit_pages - replica.limit_pages / 8;
  const bool mirror = host_.config.colo.mirror;
  if (!mirror && replica.own_pages >= near && !std::exchange(replica.asked, true)) {
    ask_for_checkpoint("the replica wrote " + mib(replica.own_pages) + " of " +
                       mib(replica.limit_pages) + " (colo.diverged_limit)");
  }
  if (mirror || replica.own_pages < replica.limit_pages || replica.paused) return;
  replica.paused = true;
  spdlog::warn("the replica of checkpoint {} waits for the next one: it wrote {}",
               replica.epoch.value, mib(replica.own_pages));
  replica_worker_.post([guest = replica.guest] { (void)guest->pause(); });
}

// --- the takeover --------------------------------------------------------------------------------

void SecondarySide::run_replica() {
  replica_->taken = true;
  replica_timer_.cancel();
  replica_worker_.post([weak = weak_from_this(), guest = replica_->guest, &host = host_,
                        patience = host_.config.colo.behind] {
    // It may be paused: at its limit. One that hangs would be a guest that is not there.
    auto runs = guest->resume().map([](const auto&) {}).and_then([&] {
      return guest->answers(std::chrono::ceil<std::chrono::milliseconds>(patience));
    });
    if (runs && has_ended(*guest)) runs = fail("replica-ended", guest->end().reason, "");
    const std::int64_t resumed = unix_now_ns();
    // An EndGuest that came meanwhile has closed the gate, and nobody hears the answer.
    if (runs && !host.gate->take_over()) runs = fail("replica-ended", "it was told to end", "");
    if (runs) announce(*guest);
    boost::asio::post(host.loop, [weak, guest, resumed, runs = std::move(runs)] {
      const auto self = weak.lock();
      if (!self || !self->is_replica(guest)) return;
      self->replica_ran(runs, resumed);
    });
  });
}

void SecondarySide::replica_ran(const Result<void>& runs, std::int64_t resumed) {
  if (!runs) {
    spdlog::error("the replica cannot be taken over: {}", runs.error().text());
    drop_replica();
    feed(secondary::LoadFailed{runs.error()});
    return;
  }
  live_ = replica_->guest;
  replica_->watch.reset();
  replica_.reset();
  went_live(resumed);
}

}  // namespace colo::app
