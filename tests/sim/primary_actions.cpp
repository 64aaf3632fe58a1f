// The primary's side of a simulated engine: the core's actions.

#include "base/check.h"
#include "tests/sim/primary_side.h"
#include "tests/sim/world.h"

namespace colo::sim {

void PrimarySide::execute(const primary::StartClaim& action) {
  engine_.claim(action.from, action.nobody, [this](Result<heartbeat::ClaimAnswer> answer) {
    if (!answer) {
      feed(primary::ClaimUnanswered{answer.error()});
      return;
    }
    if (std::holds_alternative<heartbeat::ClaimLost>(*answer)) {
      world_.reach.mark(Mark::claim_lost_by_primary);
    }
    feed(primary::ClaimAnswered{*answer});
  });
}

void PrimarySide::execute(const primary::BootGuest&) {
  engine_.guest_worker.post(world_.settings.standby_takes, [this] {
    auto& ails = world_.ails(engine_.host);
    if (ails.boots > 0) {
      --ails.boots;
      feed(primary::GuestFailed{{"boot-failed", "QEMU did not start", ""}});
      return;
    }
    auto guest = SimGuest::boot(world_, engine_.host, engine_.ram);
    if (auto runs = guest->resume(); !runs) {
      guest->kill();
      feed(primary::GuestFailed{runs.error()});
      return;
    }
    engine_.gate.open(guest);
    guest_ = std::move(guest);
    guest_runs_ = true;
    feed(primary::GuestRuns{});
  });
}

void PrimarySide::execute(const primary::AcceptPeer& action) {
  COLO_CHECK(asking_ && asking_->number == action.session);
  session_ = std::move(asking_);
  asking_.reset();
  session_->token = world_.fresh_number();
  session_->detector = std::make_unique<heartbeat::Detector>(
      world_.settings.detector, world_.settings.heartbeat_links + 1, engine_.local_now());
  Message welcome;
  welcome.kind = wire::Kind::welcome;
  welcome.generation = action.generation;
  welcome.greeting =
      std::make_shared<const Greeting>(Greeting{engine_.run_name(), session_->token});
  const std::size_t side = engine_.host;
  session_->lane->send(side, std::move(welcome));
  const primary::Session number = action.session;
  session_->lane->start(
      side, {[this, number](Message& message) { on_frame(number, message); },
             [this, number](bool) { lose(number, {"lane-ended", "the lane ended", ""}); }});
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
        const auto figures = session->capturer->pass(action.epoch, action.first);
        if (!figures) {
          lose(action.session, figures.error());
          return;
        }
        feed(primary::PassEnded{action.session, figures->pages});
      });
}

void PrimarySide::execute(const primary::Capture& action) {
  engine_.guest_worker.post(
      world_.settings.guest_task, [this, action, session = session_, guest = guest_] {
        if (!session || !session->capturer) return;
        auto figures = session->capturer->capture(action.epoch, [&] {
          if (action.begins_hold) {
            engine_.gate.hold(action.epoch.next());
          } else {
            engine_.gate.cut(action.epoch.next());
          }
        });
        world_.queue.after(world_.settings.capture_tail, static_cast<int>(engine_.host),
                           [this, action, figures = std::move(figures)] {
                             captured(action, figures);
                           });
      });
}

void PrimarySide::captured(const primary::Capture& action,
                           Result<primary::CheckpointFigures> figures) {
  if (figures) {
    feed(primary::Captured{action.session, action.epoch});
    if (world_.mutation == Mutation::release_before_commit) engine_.gate.release(action.epoch);
    return;
  }
  world_.reach.mark(Mark::capture_failed);
  if (figures.error().word == "resume-failed" && guest_) {
    // It cannot be helped here; the secondary takes over.
    guest_->kill();
    execute(primary::EndGuest{});
    feed(primary::GuestEnded{"the guest did not go on after a checkpoint", false});
    return;
  }
  feed(primary::CaptureFailed{action.session, action.epoch, figures.error()});
}

void PrimarySide::execute(const primary::Release& action) { engine_.gate.release(action.up_to); }

void PrimarySide::execute(const primary::ReleaseAll&) {
  // Behind a capture that may be under way: its cut would hold the output again.
  engine_.guest_worker.post({}, [this] { engine_.gate.release_all(); });
}

void PrimarySide::execute(const primary::DropHeld&) {
  engine_.gate.close();
  engine_.guest_worker.post({}, [this] { engine_.gate.drop_held(); });
}

void PrimarySide::execute(const primary::PauseGuest&) {
  if (!guest_) return;
  guest_runs_ = false;
  world_.judge.paused_by_core(engine_.host);
  engine_.guest_worker.post({}, [guest = guest_] { (void)guest->pause(); });
}

void PrimarySide::execute(const primary::EndGuest&) {
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

void PrimarySide::execute(const primary::Exit&) { engine_.exit(); }

}  // namespace colo::sim
