// The primary's side of a simulated engine: the core's actions.

#include "base/check.h"
#include "tests/sim/primary_side.h"
#include "tests/sim/world.h"

namespace colo::sim {

void PrimarySide::execute(const primary::StartClaim& action) {
  engine_.claim(action.from, action.for_whom, [this](Result<heartbeat::ClaimAnswer> answer) {
    if (!answer) {
      feed(primary::ClaimUnanswered{answer.error()});
      return;
    }
    bool ours = false;
    if (const auto* lost = std::get_if<heartbeat::ClaimLost>(&*answer)) {
      world_.reach.mark(Mark::claim_lost_by_primary);
      ours = lost->current.owner == engine_.name() && lost->current.run == engine_.run_name();
      if (ours) world_.reach.mark(Mark::given_back_by_answer);
    }
    feed(primary::ClaimAnswered{*answer, ours});
  });
}

void PrimarySide::execute(const primary::ReadOwnership&) {
  engine_.read_ownership([this](const Result<heartbeat::Ownership>& read) {
    if (!read) {
      feed(primary::OwnershipUnread{read.error()});
      return;
    }
    const bool ours = read->owner == engine_.name() && read->run == engine_.run_name();
    if (ours) world_.reach.mark(Mark::given_back_seen);
    feed(primary::OwnershipRead{*read, ours});
  });
}

void PrimarySide::execute(const primary::BootGuest&) {
  const auto boot = [this](const Result<void>& acquired) {
    if (ends_) return;  // an EndGuest overtook it
    auto& ails = world_.ails(engine_.host);
    if (!acquired) {
      feed(primary::GuestFailed{acquired.error()});
      return;
    }
    if (ails.boots > 0) {
      --ails.boots;
      feed(primary::GuestFailed{{"boot-failed", "QEMU did not start", ""}});
      return;
    }
    auto guest = SimGuest::boot(world_, engine_.host, engine_.ram);
    if (auto runs = guest->resume(); !runs) {
      world_.guest_broke(engine_.host);
      guest->kill();
      feed(primary::GuestFailed{runs.error()});
      return;
    }
    engine_.gate.open(guest);
    guest_ = std::move(guest);
    lineage_ = std::make_unique<primary::Lineage>(guest_identity().layout);
    guest_runs_ = true;
    feed(primary::GuestRuns{});
  };
  engine_.guest_worker.post(world_.settings.standby_takes, [this, boot] { engine_.acquire(boot); });
}

void PrimarySide::execute(const primary::AcceptPeer& action) {
  COLO_CHECK(asking_ && asking_->number == action.session);
  session_ = std::move(asking_);
  asking_.reset();
  session_->token = token_of(world_.fresh_number());
  session_->detector = std::make_unique<heartbeat::Detector>(
      world_.settings.detector, world_.settings.heartbeat_links + 1, engine_.local_now());
  Message welcome;
  welcome.kind = wire::Kind::welcome;
  welcome.generation = action.generation;
  Greeting greeting{engine_.run_name(), session_->token, action.base.has_value(), std::nullopt};
  if (action.base) {
    world_.reach.mark(*action.base == Epoch{0} ? Mark::resumed_first_copy : Mark::resumed);
    welcome.epoch = *action.base;
    primary::Base base{*lineage_token_, *action.base, {}};
    for (const auto& range : session_->held->pages) {
      base.pages.push_back({range.region, range.first, range.count});
    }
    session_->base = std::move(base);
  } else {
    lineage_token_ = session_->token;
  }
  welcome.greeting = std::make_shared<const Greeting>(std::move(greeting));
  const std::size_t side = engine_.host;
  session_->lane->send(side, std::move(welcome));
  if (engine_.rewrites()) {
    send(wire::Kind::flows, action.base.value_or(Epoch{0}));
  }
  const primary::Session number = action.session;
  session_->lane->start(side, {[this, number](Message& message) { on_frame(number, message); },
                               [this, number](bool certain) { lane_ended(number, certain); }});
}

void PrimarySide::execute(const primary::RefusePeer& action) {
  if (!asking_ || asking_->number != action.session) return;
  Message refuse;
  refuse.kind = wire::Kind::refuse;
  asking_->lane->send(engine_.host, std::move(refuse));
  asking_->lane->close(engine_.host);
  asking_.reset();
}

void PrimarySide::execute(const primary::SendPass& action) {
  engine_.guest_worker.post(
      world_.settings.guest_task, [this, action, session = session_, guest = guest_] {
        if (!session || !session->capturer) return;
        const bool forgets = world_.mutation == Mutation::resume_forgets_unacknowledged;
        if (forgets && action.base) mutant_forgets(*action.base);
        const auto figures = session->capturer->pass(action.epoch, action.first);
        if (!figures) {
          failed(figures.error());
          lose(action.session, figures.error(), false);
          return;
        }
        feed(primary::PassEnded{action.session, figures->pages});
      });
}

// A lineage at this checkpoint that knows what is pending, and nothing of what was sent since.
void PrimarySide::mutant_forgets(Epoch base) {
  auto mutant = std::make_unique<primary::Lineage>(guest_identity().layout);
  (void)mutant->begin(*lineage_token_);
  for (Epoch epoch{1}; epoch <= base; epoch = epoch.next()) {
    mutant->open(epoch);
    mutant->captured();
  }
  mutant->open(base.next());
  mutant->pending() = lineage_->pending();
  *lineage_ = *mutant;
}

void PrimarySide::failed(const Error& error) {
  if (error.word == "no-such-base" || error.word == "tracking-lost" || !lineage_->sound()) {
    lineage_token_.reset();
  }
}

void PrimarySide::execute(const primary::Capture& action) {
  run_capture(action.session, action.epoch, action.begins_hold, false);
}

void PrimarySide::execute(const primary::CaptureAndStay& action) {
  guest_runs_ = false;
  run_capture(action.session, action.epoch, false, true);
}

void PrimarySide::run_capture(primary::Session number, Epoch epoch, bool begins_hold, bool stays) {
  engine_.guest_worker.post(world_.settings.guest_task, [this, number, epoch, begins_hold, stays,
                                                         session = session_, guest = guest_] {
    if (!session || !session->capturer) return;
    guest->stay_at_resume(stays);
    const auto figures = session->capturer->capture(epoch, [&] {
      if (begins_hold) {
        engine_.gate.hold(epoch.next());
      } else {
        engine_.gate.cut(epoch.next());
      }
    });
    guest->stay_at_resume(false);
    Result<void> outcome;
    if (!figures) {
      outcome = fail(figures.error());
      failed(figures.error());
      if (stays) (void)guest->resume();
    }
    world_.queue.after(world_.settings.capture_tail, static_cast<int>(engine_.host),
                       [this, number, epoch, stays, outcome] {
                         if (stays && !outcome) guest_runs_ = guest_ && guest_->running();
                         captured(number, epoch, outcome);
                       });
  });
}

void PrimarySide::captured(primary::Session number, Epoch epoch, const Result<void>& outcome) {
  if (outcome) {
    feed(primary::Captured{number, epoch});
    if (world_.mutation == Mutation::release_before_commit) engine_.gate.release(epoch);
    return;
  }
  world_.reach.mark(Mark::capture_failed);
  if (outcome.error().word == "resume-failed" && guest_) {
    // It cannot be helped here; the secondary takes over.
    world_.guest_broke(engine_.host);
    guest_->kill();
    execute(primary::EndGuest{});
    feed(primary::GuestEnded{"the guest did not go on after a checkpoint", false});
    return;
  }
  feed(primary::CaptureFailed{number, epoch, outcome.error()});
}

void PrimarySide::execute(const primary::Release& action) { engine_.gate.release(action.up_to); }

void PrimarySide::execute(const primary::ReleaseAll&) {
  // Behind a capture that may be under way: its cut would hold the output again.
  engine_.guest_worker.post({}, [this, guest = guest_] {
    engine_.gate.release_all();
    if (guest && !guest->ended()) engine_.gate.open(guest);
  });
}

void PrimarySide::execute(const primary::DropHeld&) {
  engine_.gate.close();
  engine_.guest_worker.post({}, [this] { engine_.gate.drop_held(); });
}

void PrimarySide::execute(const primary::PauseGuest&) {
  if (!guest_) return;
  guest_runs_ = false;
  world_.judge.paused_by_core(engine_.host);
  engine_.guest_worker.post({}, [this, guest = guest_] {
    const auto paused = guest->pause();
    if (paused || guest != guest_) return;
    // One that cannot be stopped must not speak: it is ended.
    world_.guest_broke(engine_.host);
    guest->kill();
    execute(primary::EndGuest{});
    feed(primary::GuestFailed{paused.error()});
  });
}

void PrimarySide::execute(const primary::ResumeGuest&) {
  if (!guest_) return;
  if (std::holds_alternative<primary::Claiming>(core_.state())) {
    world_.reach.mark(Mark::guest_resumed_unanswered);
  }
  engine_.guest_worker.post({}, [this, guest = guest_] {
    if (guest->running() || guest != guest_) return;
    auto runs = guest->resume();
    if (!runs) runs = guest->resume();
    if (runs) {
      guest_runs_ = true;
      return;
    }
    world_.guest_broke(engine_.host);
    guest->kill();
    execute(primary::EndGuest{});
    feed(primary::GuestFailed{runs.error()});
  });
}

void PrimarySide::execute(const primary::AcquireResources&) {
  engine_.acquire([this](const Result<void>& acquired) {
    if (acquired) {
      feed(primary::Acquired{});
    } else {
      feed(primary::AcquireFailed{acquired.error()});
    }
  });
}

void PrimarySide::execute(const primary::ReleaseResources&) { engine_.release(nullptr); }

void PrimarySide::execute(const primary::EndGuest&) {
  ends_ = true;
  guest_runs_ = false;
  engine_.gate.close();
  engine_.guest_worker.post({}, [guest = std::move(guest_)] {
    if (guest) guest->kill();
  });
  guest_.reset();
}

void PrimarySide::execute(const primary::EndSession& action) {
  if (session(action.session) == nullptr) return;
  const std::size_t side = engine_.host;
  if (session_->bulk) session_->bulk->abort(side);
  switch (action.farewell) {
    case primary::Farewell::trouble:
      send(wire::Kind::refuse, {});
      break;
    case primary::Farewell::leaving:
      send(wire::Kind::goodbye, {});
      break;
    case primary::Farewell::guest_ends:
      send(wire::Kind::goodbye, {}, true);
      break;
  }
  session_->lane->close(side);
  session_.reset();
}

void PrimarySide::execute(const primary::TellGuestEnded& action) {
  if (session(action.session) == nullptr) return;
  send(wire::Kind::guest_ended, {}, action.by_guest);
}

void PrimarySide::execute(const primary::TellHandover& action) {
  if (session(action.session) != nullptr) send(wire::Kind::handover, action.epoch);
}

void PrimarySide::execute(const primary::TellGo& action) {
  if (session(action.session) != nullptr) send(wire::Kind::go, {});
}

void PrimarySide::execute(const primary::TellCancel& action) {
  if (session(action.session) != nullptr) send(wire::Kind::cancel, {});
}

void PrimarySide::execute(const primary::BecomeSecondary&) { engine_.becomes_secondary(); }

void PrimarySide::execute(const primary::Exit&) { engine_.exit(); }

}  // namespace colo::sim
