// Executes the primary's actions as its engine does: what touches the guest one after the other.

#include <algorithm>

#include "tests/pair/world.h"

namespace colo::pair {

using std::chrono::milliseconds;

void World::on_guest(Duration takes, std::function<void()> happen) {
  guest_free_ = std::max(guest_free_, now_) + takes;
  later(guest_free_ - now_, Host::alpha, std::move(happen));
}

void World::execute(const primary::StartClaim& action) {
  const heartbeat::Claim asked{action.from, action.for_whom == primary::For::nobody ? "" : "alpha",
                               "run-alpha"};
  if (action.for_whom == primary::For::nobody) ended_on_purpose_ = true;
  claim(Host::alpha, asked, [this](Result<heartbeat::ClaimAnswer> answer) {
    if (answer) {
      const auto* lost = std::get_if<heartbeat::ClaimLost>(&*answer);
      const bool ours = lost != nullptr && lost->current.run == "run-alpha";
      feed(primary::Event(primary::ClaimAnswered{*answer, ours}));
    } else {
      feed(primary::Event(primary::ClaimUnanswered{answer.error()}));
    }
  });
}

void World::execute(const primary::BootGuest&) {
  on_guest(milliseconds(10), [this] {
    guest_.emplace();
    later(options_.guest_step, Host::alpha, [this] { guest_step(); });
    feed(primary::Event(primary::GuestRuns{}));
  });
}

void World::guest_step() {
  if (!guest_) return;
  later(options_.guest_step, Host::alpha, [this] { guest_step(); });
  if (!guest_->running) return;
  if (queue_.full()) {  // the engine does not read: the guest waits with its frame
    feed(primary::Event(primary::HoldFull{}));
    return;
  }
  const auto frame =
      std::make_shared<const Bytes>(encode_frame(guest_->step(story_, options_.told())));
  const compare::FrameId id = queue_.push(0, frame, now_);
  if (comparing_ && queue_.holding()) comparator_.primary_sent(id, 0, frame, now_);
  compare();
}

void World::pump() {
  while (const auto frame = queue_.pop_released()) {
    judge_.spoke({"alpha", primary_->generation(), decode_frame(*frame->frame), queue_.holding()},
                 owners_);
  }
}

void World::execute(const primary::AcceptPeer& action) {
  session_ = Session{action.session.value, true, false};
  send(Host::beta,
       [this, action] { welcomed(action.session.value, action.generation, action.base); });
}

void World::execute(const primary::RefusePeer& action) {
  send(Host::beta, [this, action] { join_failed(action.session.value, action.error); });
}

// What has to be sent before anything that is dirtied from now on.
void World::begin_lineage(const primary::SendPass& action) {
  if (!action.base) {
    lineage_ = Lineage{action.session.value, action.epoch, {}, {}};
    guest_->dirty.clear();
    for (const auto& [page, bytes] : guest_->memory) guest_->dirty.insert(page);
    return;
  }
  const bool acknowledged = *action.base == lineage_->epoch;
  if (*action.base == Epoch{0}) {
    for (const auto& [page, bytes] : guest_->memory) {
      bool held = lineage_->copies[page] < 2;
      if (held) {
        const PageId at = page;
        held = std::any_of(offered_.begin(), offered_.end(), [at](const PageRange& range) {
          return range.region == at.region && at.page >= range.first &&
                 at.page < range.first + range.count;
        });
      }
      if (!held) guest_->dirty.insert(page);
    }
  } else if (!acknowledged) {
    guest_->dirty.insert(lineage_->sent.begin(), lineage_->sent.end());
  }
  lineage_->sent.clear();
  lineage_->epoch = action.base->next();
}

void World::send_dirty(std::uint64_t session, Epoch epoch) {
  if (lineage_->epoch < epoch) {
    lineage_->epoch = epoch;
    lineage_->sent.clear();
  }
  for (const PageId page : guest_->dirty) {
    lineage_->sent.insert(page);
    if (epoch == Epoch{1}) ++lineage_->copies[page];
    send(Host::beta, [this, session, epoch, page, bytes = guest_->memory.at(page)] {
      if (session == session_.number && session_.open_secondary) {
        staged(session, cache_->put_page(epoch, page, bytes));
      }
    });
  }
  guest_->dirty.clear();
}

void World::execute(const primary::SendPass& action) {
  on_guest(milliseconds(2), [this, action] {
    if (!guest_ || action.session.value != session_.number) return;
    if (action.first) begin_lineage(action);
    const std::uint64_t pages = guest_->dirty.size();
    send_dirty(action.session.value, action.epoch);
    later({}, Host::alpha, [this, action, pages] {
      feed(primary::Event(primary::PassEnded{action.session, pages}));
    });
  });
}

void World::execute(const primary::Capture& action) {
  on_guest(milliseconds(2), [this, action] { capture_now(action, /*stays=*/false); });
}

void World::execute(const primary::CaptureAndStay& action) {
  on_guest(milliseconds(2), [this, action] {
    capture_now({action.session, action.epoch, false}, /*stays=*/true);
  });
}

// Executed for an ended session too: its cut then comes before the ReleaseAll behind it.
void World::capture_now(const primary::Capture& action, bool stays) {
  if (!guest_) return;
  const std::uint64_t session = action.session.value;
  if (captures_to_fail_ > 0) {
    --captures_to_fail_;
    later({}, Host::alpha, [this, action] {
      const Error error{"save-failed", "the device state could not be saved", ""};
      feed(primary::Event(primary::CaptureFailed{action.session, action.epoch, error}));
    });
    return;
  }
  if (stays) guest_->running = false;
  judge_.captured(session, action.epoch, guest_->memory, guest_->point);
  queue_.open(action.epoch.next());
  if (action.begins_hold) queue_.hold();
  if (comparing_) comparator_.cut(action.epoch.next());
  later({}, Host::alpha, [this, action] {
    feed(primary::Event(primary::StandstillEnded{action.session, action.epoch}));
  });
  if (session == session_.number) send_dirty(session, action.epoch);
  send(Host::beta, [this, session, epoch = action.epoch, state = encode_point(guest_->point)] {
    if (session != session_.number || !session_.open_secondary) return;
    staged(session, cache_->put_device_state(epoch, state));
  });
  tell_beta(session, secondary::StagedComplete{{session}, action.epoch});
  later(options_.captured_after, Host::alpha, [this, action] {
    feed(primary::Event(primary::Captured{action.session, action.epoch}));
    if (!options_.wrong_release_before_ack) return;
    queue_.release(action.epoch);
    pump();
  });
}

void World::tell_beta(std::uint64_t session, const secondary::Event& event) {
  send(Host::beta, [this, session, event] {
    if (session == session_.number && session_.open_secondary) feed(event);
  });
}

void World::execute(const primary::Release& action) {
  queue_.release(action.up_to);
  pump();
  if (comparing_) comparator_.committed(action.up_to);
  compare();
}

void World::execute(const primary::ReleaseAll&) {
  on_guest({}, [this] {
    queue_.release_all();
    pump();
  });
}

void World::execute(const primary::DropHeld&) {
  on_guest({}, [this] { queue_.drop_all(); });
}

void World::execute(const primary::PauseGuest&) {
  judge_.paused_by_core("alpha", owners_.empty() ? heartbeat::Ownership{} : owners_.back());
  on_guest({}, [this] {
    if (guest_) guest_->running = false;
  });
}

void World::execute(const primary::ResumeGuest&) {
  if (!resources_[0]) judge_.broken("hooks", "alpha resumes without its resources");
  on_guest({}, [this] {
    if (guest_) guest_->running = true;
  });
}

void World::execute(const primary::EndGuest&) { guest_.reset(); }

void World::execute(const primary::ReadOwnership&) {
  later(milliseconds(1), Host::alpha, [this] {
    if (!arbiter_reachable_) {
      const Error error{"arbiter-unreachable", "the shared directory does not answer", ""};
      feed(primary::Event(primary::OwnershipUnread{error}));
      return;
    }
    const auto owner = owners_.empty() ? heartbeat::Ownership{} : owners_.back();
    const bool ours = owner.owner == "alpha" && owner.run == "run-alpha";
    feed(primary::Event(primary::OwnershipRead{owner, ours}));
  });
}

void World::execute(const primary::AcquireResources&) {
  later(milliseconds(3), Host::alpha, [this] {
    resources_[0] = true;
    feed(primary::Event(primary::Acquired{}));
  });
}

void World::execute(const primary::ReleaseResources&) {
  later(milliseconds(1), Host::alpha, [this] { resources_[0] = false; });
}

void World::execute(const primary::BecomeSecondary&) {
  left_ = true;
  if (guest_) judge_.broken("L5", "alpha becomes the secondary and keeps its guest");
}

void World::execute(const primary::EndSession& action) {
  if (action.session.value != session_.number || !session_.open_primary) return;
  session_.open_primary = false;
  const Error error{"told", action.reason, ""};
  const secondary::Session session{action.session.value};
  if (action.farewell == primary::Farewell::trouble) {
    tell_beta(action.session.value, secondary::PeerSuspected{session, error, true});
  } else {
    const bool guest_ends = action.farewell == primary::Farewell::guest_ends;
    tell_beta(action.session.value, secondary::PeerGone{session, error, guest_ends});
  }
}

void World::execute(const primary::TellGuestEnded& action) {
  const Error error{"guest-ended", action.reason, ""};
  tell_beta(action.session.value,
            secondary::PeerGone{{action.session.value}, error, action.by_guest});
}

void World::execute(const primary::TellHandover& action) {
  tell_beta(action.session.value, secondary::HandoverAsked{{action.session.value}, action.epoch});
}

void World::execute(const primary::TellGo& action) {
  tell_beta(action.session.value, secondary::GoAsked{{action.session.value}});
}

void World::execute(const primary::TellCancel& action) {
  tell_beta(action.session.value, secondary::CancelAsked{{action.session.value}, action.reason});
}

void World::execute(const primary::Exit&) { kill(Host::alpha, false); }

void World::end_guest(bool by_guest) {
  if (!alive_[0] || !guest_) return;
  if (by_guest && !guest_->running) return;  // a paused guest does nothing
  guest_.reset();
  feed(primary::Event(
      primary::GuestEnded{by_guest ? "the guest shut down" : "QEMU was killed", by_guest}));
}

}  // namespace colo::pair
