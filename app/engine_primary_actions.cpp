// The primary's side of the engine: the core's actions.

#include <openssl/rand.h>
#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>

#include "app/engine_primary.h"
#include "base/check.h"
#include "io/clock.h"

namespace colo::app {

void PrimarySide::execute(const primary::StartClaim& action) {
  const auto weak = weak_from_this();
  host_.claim(action.from, action.for_whom, "", [weak](Result<heartbeat::ClaimAnswer> answer) {
    const auto self = weak.lock();
    if (!self) return;
    if (!answer) {
      spdlog::warn("the arbiter did not answer: {}", answer.error().text());
      self->feed(primary::ClaimUnanswered{answer.error()});
      return;
    }
    if (self->takeover_ && !self->takeover_->claimed_unix_ns &&
        std::holds_alternative<heartbeat::ClaimWon>(*answer)) {
      self->takeover_->claimed_unix_ns = unix_now_ns();
    }
    const auto* lost = std::get_if<heartbeat::ClaimLost>(&*answer);
    self->feed(primary::ClaimAnswered{*answer, lost != nullptr && self->is_ours(lost->current)});
  });
}

void PrimarySide::execute(const primary::ReadOwnership&) {
  host_.read_ownership([weak = weak_from_this()](const Result<heartbeat::Ownership>& read) {
    const auto self = weak.lock();
    if (!self) return;
    if (!read) {
      self->feed(primary::OwnershipUnread{read.error()});
      return;
    }
    self->feed(primary::OwnershipRead{*read, self->is_ours(*read)});
  });
}

bool PrimarySide::is_ours(const heartbeat::Ownership& ownership) const {
  return ownership.owner == host_.name && ownership.run == host_.run;
}

void PrimarySide::execute(const primary::BootGuest&) {
  // Whatever an earlier run received here is of a guest that is no more.
  if (host_.checkpoint_files) host_.checkpoint_files->remove();
  host_.guest_worker.post([weak = weak_from_this(), &host = host_] {
    Result<std::shared_ptr<guest::Guest>> made;
    if (auto guest = host.maker->boot()) {
      made = std::shared_ptr<guest::Guest>(std::move(*guest));
    } else {
      made = fail(guest.error());
    }
    boost::asio::post(host.loop, [weak, made = std::move(made)] {
      if (const auto self = weak.lock()) self->boot_made(made);
    });
  });
}

void PrimarySide::boot_made(const Result<std::shared_ptr<guest::Guest>>& guest) {
  const auto weak = weak_from_this();
  if (!guest) return booted(fail(guest.error()));
  const bool wanted = std::holds_alternative<primary::Starting>(core_.state());
  if (!wanted) {
    host_.guest_worker.post([guest = *guest]() mutable { guest.reset(); });
    return;
  }
  guest_ = *guest;
  host_.acquire(HookCause::boot, core_.generation(), [weak](const Result<void>& acquired) {
    const auto self = weak.lock();
    if (!self || !self->guest_) return;
    if (!acquired) return self->booted(acquired);
    self->host_.guest_worker.post([weak, guest = self->guest_, &host = self->host_] {
      const Result<void> runs = guest->resume().map([](const auto&) {});
      boost::asio::post(host.loop, [weak, runs] {
        if (const auto side = weak.lock()) side->booted(runs);
      });
    });
  });
}

void PrimarySide::booted(const Result<void>& runs) {
  if (!runs) {
    spdlog::error("the guest does not start: {}", runs.error().text());
    exit_failed_ = true;
    execute(primary::EndGuest{});
    feed(primary::GuestFailed{runs.error()});
    return;
  }
  if (!guest_) return;  // ended meanwhile: it never spoke
  host_.gate->open(inside_ports(*guest_));
  guest_runs_ = true;
  const guest::Identity& identity = guest_->identity();
  spdlog::info("guest runs: {} {} {} under {}, {} MiB", identity.kind, identity.version,
               identity.machine, identity.accelerator, identity.memory_bytes() >> 20);
  watch_guest();
  feed(primary::GuestRuns{});
}

// A host that stood still may have let go, when it woke, of frames whose checkpoint it had been
// told of: no harm to the client, but switches look for the guest there since. Now it joins, and is
// silent.
void PrimarySide::announce() {
  host_.guest_worker.post([guest = guest_] {
    if (auto announced = guest->announce(); !announced) {
      spdlog::warn("the network was not told of the guest's place: {}", announced.error().text());
    }
  });
}

// How it ended is asked on the guest's thread, which may be in the middle of a command to it.
void PrimarySide::on_guest_end() {
  if (!guest_) return;
  guest_runs_ = false;
  guest_ending_ = true;                                    // before the lane's end is heard of
  if (session_ && session_->bulk) session_->bulk->stop();  // so that no push keeps that thread
  host_.guest_worker.post([weak = weak_from_this(), guest = guest_, &loop = host_.loop] {
    boost::asio::post(loop, [weak, end = guest->end()] {
      if (const auto self = weak.lock()) self->guest_ended(end);
    });
  });
}

void PrimarySide::guest_ended(const guest::End& end) {
  guest_ending_ = false;
  if (end.expected) return;
  exit_failed_ = !end.by_guest;
  spdlog::error("the guest ended: {}", end.reason);
  feed(primary::GuestEnded{end.reason, end.by_guest});
}

void PrimarySide::execute(const primary::AcceptPeer& action) {
  COLO_CHECK(asking_ && asking_->number == action.session);
  session_ = std::move(asking_);
  asking_.reset();
  session_->base = action.base;
  committed_ = action.base ? action.base->value : 0;
  // It was away for a moment, and nobody claimed.
  if (action.base && takeover_ && !takeover_->claimed_unix_ns) takeover_.reset();
  RAND_bytes(reinterpret_cast<unsigned char*>(session_->token.data()),
             static_cast<int>(session_->token.size()));
  const auto& heartbeat = host_.config.heartbeat;
  session_->detector = std::make_unique<heartbeat::Detector>(
      heartbeat::DetectorConfig{heartbeat.interval, heartbeat.lost_after},
      host_.config.own(host_.name).heartbeat.size() + 1, io::steady_now());
  refusals_.forget(session_->host);
  if (moved_) announce();
  if (action.base) {
    spdlog::info("{} joins from {} and goes on from checkpoint {}", session_->host,
                 session_->lane->peer_address(), action.base->value);
  } else {
    spdlog::info("{} joins from {}", session_->host, session_->lane->peer_address());
  }
  session_->lane->send(wire::Welcome{host_.name, host_.run, session_->token,
                                     host_.agreement(guest_->identity()), action.base.has_value()},
                       action.generation, action.base.value_or(Epoch{0}));
  // Each checkpoint of such a guest comes with the table of what is rewritten: said at once.
  if (rewritten_) session_->lane->send(wire::Flows{}, action.generation, Epoch{committed_});
  const auto weak = weak_from_this();
  const primary::Session number = action.session;
  io::ControlLane::Handlers handlers;
  handlers.room = [weak] {
    if (const auto self = weak.lock()) {
      self->lane_queue();
      self->host_.gate->room_again();
    }
  };
  handlers.frame = [weak, number](const wire::Frame& frame) {
    if (const auto self = weak.lock()) self->on_frame(number, frame);
  };
  handlers.ended = [weak, number](const io::LaneEnd& end) {
    if (const auto self = weak.lock()) {
      self->lose(number, lane_error(self->host_.peer_name(), end), end.certain);
    }
  };
  session_->lane->start(std::move(handlers));
}

void PrimarySide::execute(const primary::RefusePeer& action) {
  if (!asking_ || asking_->number != action.session) return;
  refuse(*asking_->lane, asking_->host, action.error);
  asking_.reset();
}

void PrimarySide::execute(const primary::SendPass& action) { run_pass(action); }
void PrimarySide::execute(const primary::Capture& action) {
  run_capture({action.session, action.epoch, action.begins_hold, false});
}
void PrimarySide::execute(const primary::CaptureAndStay& action) {
  run_capture({action.session, action.epoch, false, true});
}

void PrimarySide::execute(const primary::Release& action) {
  host_.gate->release(action.up_to);
  committed_ = action.up_to.value;
  committed_unix_ns_ = unix_now_ns();
}

void PrimarySide::execute(const primary::ReleaseAll&) {
  // Behind a capture that may be under way: its cut would hold the output again.
  const bool reopen = std::exchange(gate_closed_, false);
  moved_ = moved_ || reopen;
  host_.guest_worker.post([gate = host_.gate.get(), guest = reopen ? guest_ : nullptr] {
    if (guest) gate->open(inside_ports(*guest));
    gate->release_all();
  });
  if (reopen && guest_) announce();
}

void PrimarySide::execute(const primary::DropHeld&) {
  host_.gate->close();
  gate_closed_ = true;
  host_.guest_worker.post([gate = host_.gate.get()] { gate->drop_held(); });
}

void PrimarySide::execute(const primary::PauseGuest&) {
  if (!guest_) return;
  guest_runs_ = false;
  host_.guest_worker.post([weak = weak_from_this(), guest = guest_, &loop = host_.loop] {
    auto paused = guest->pause();
    if (paused) return;
    boost::asio::post(loop, [weak, error = paused.error()] {
      const auto self = weak.lock();
      if (!self) return;
      spdlog::warn("the guest could not be paused and is ended: {}", error.text());
      self->execute(primary::EndGuest{});
      self->feed(primary::GuestFailed{error});
    });
  });
}

void PrimarySide::execute(const primary::ResumeGuest&) {
  if (!guest_) return;
  guest_runs_ = true;
  host_.guest_worker.post([weak = weak_from_this(), guest = guest_, &loop = host_.loop] {
    auto runs = guest->resume();
    if (runs) return;
    boost::asio::post(loop, [weak, error = runs.error()] {
      const auto self = weak.lock();
      if (!self) return;
      spdlog::error("the guest does not go on and is ended: {}", error.text());
      self->execute(primary::EndGuest{});
      self->exit_failed_ = true;
      self->feed(primary::GuestFailed{error});
    });
  });
}

void PrimarySide::execute(const primary::EndGuest&) {
  end_watch_.reset();
  guest_runs_ = false;
  host_.gate->close();
  host_.guest_worker.post([guest = std::move(guest_)]() mutable { guest.reset(); });
  guest_.reset();
  lineage_.reset();
  lineage_name_.reset();
}

void PrimarySide::execute(const primary::EndSession& action) {
  if (session(action.session) == nullptr) return;
  if (session_->bulk) session_->bulk->stop();
  const Epoch epoch{committed_};
  switch (action.farewell) {
    case primary::Farewell::trouble:
      // Alive, and about to claim: the other side gives the head start that a suspicion gives.
      session_->lane->send(wire::Refuse{{"closed", action.reason, ""}}, core_.generation(), epoch);
      break;
    case primary::Farewell::leaving:
      session_->lane->send(wire::Goodbye{action.reason, false}, core_.generation(), epoch);
      break;
    case primary::Farewell::guest_ends:
      session_->lane->send(wire::Goodbye{action.reason, true}, core_.generation(), epoch);
      break;
  }
  session_->lane->close();
  // A task on the guest's thread may hold the session a moment longer, but the lane is the loop's.
  session_->lane.reset();
  session_.reset();
  lane_queue();
  host_.gate->room_again();
}

void PrimarySide::execute(const primary::TellGuestEnded& action) {
  if (session(action.session) == nullptr) return;
  session_->lane->send(wire::GuestEnded{action.reason, action.by_guest}, core_.generation(),
                       Epoch{committed_});
}

void PrimarySide::execute(const primary::AcquireResources&) {
  host_.acquire(HookCause::give_back, core_.generation(),
                [weak = weak_from_this()](const Result<void>& acquired) {
                  const auto self = weak.lock();
                  if (!self) return;
                  if (acquired) {
                    self->feed(primary::Acquired{});
                  } else {
                    self->feed(primary::AcquireFailed{acquired.error()});
                  }
                });
}

void PrimarySide::execute(const primary::ReleaseResources&) {
  host_.release(HookRunner::Of::acquired, HookCause::lost, core_.generation(), [] {});
}

void PrimarySide::execute(const primary::TellHandover& action) {
  if (session(action.session) == nullptr) return;
  session_->lane->send(wire::Handover{}, core_.generation(), action.epoch);
}

void PrimarySide::execute(const primary::TellGo& action) {
  if (session(action.session) == nullptr) return;
  session_->lane->send(wire::Go{}, core_.generation(), Epoch{committed_});
}

void PrimarySide::execute(const primary::TellCancel& action) {
  if (session(action.session) == nullptr) return;
  spdlog::warn("the switchover is cancelled: {}", action.reason);
  session_->lane->send(wire::Cancel{action.reason}, core_.generation(), Epoch{committed_});
}

void PrimarySide::execute(const primary::BecomeSecondary&) {
  const auto* left = std::get_if<primary::Left>(&core_.state());
  const std::uint64_t generation = left != nullptr ? left->generation.value : 0;
  ends_(
      SideJoins{host_.peer_name() + " runs the guest in generation " + std::to_string(generation)});
}

void PrimarySide::execute(const primary::Exit&) { ends_(SideExit{exit_failed_ ? 1 : 0}); }

}  // namespace colo::app
