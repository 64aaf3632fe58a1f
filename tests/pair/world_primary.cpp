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
  const heartbeat::Claim asked{action.from, action.nobody ? "" : "alpha", "run-alpha"};
  if (action.nobody) ended_on_purpose_ = true;
  claim(Host::alpha, asked, [this](Result<heartbeat::ClaimAnswer> answer) {
    if (answer) {
      feed(primary::Event(primary::ClaimAnswered{*answer}));
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
  queue_.push(0, encode_point(guest_->step(story_)), now_);
  pump();
}

void World::pump() {
  while (const auto frame = queue_.pop_released()) {
    judge_.spoke({"alpha", primary_->generation(), decode_point(frame->bytes), queue_.holding()},
                 owners_);
  }
}

void World::execute(const primary::AcceptPeer& action) {
  session_.open_primary = true;
  send(Host::beta, [this, action] { welcomed(action.session.value, action.generation); });
}

void World::execute(const primary::RefusePeer& action) {
  send(Host::beta,
       [this, error = action.error] { feed(secondary::Event(secondary::JoinFailed{error})); });
}

void World::send_dirty(std::uint64_t session, Epoch epoch) {
  for (const PageId page : guest_->dirty) {
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
    if (action.first) {
      for (const auto& [page, bytes] : guest_->memory) guest_->dirty.insert(page);
    }
    const std::uint64_t pages = guest_->dirty.size();
    send_dirty(action.session.value, action.epoch);
    later({}, Host::alpha, [this, action, pages] {
      feed(primary::Event(primary::PassEnded{action.session, pages}));
    });
  });
}

void World::execute(const primary::Capture& action) {
  on_guest(milliseconds(2), [this, action] { capture_now(action); });
}

// Executed for an ended session too: its cut then comes before the ReleaseAll behind it.
void World::capture_now(const primary::Capture& action) {
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
  judge_.captured(session, action.epoch, guest_->memory, guest_->point);
  queue_.open(action.epoch.next());
  if (action.begins_hold) queue_.hold();
  send_dirty(session, action.epoch);
  send(Host::beta, [this, session, epoch = action.epoch, state = encode_point(guest_->point)] {
    if (session != session_.number || !session_.open_secondary) return;
    staged(session, cache_->put_device_state(epoch, state));
  });
  send(Host::beta, [this, session, epoch = action.epoch] {
    if (session != session_.number || !session_.open_secondary) return;
    feed(secondary::Event(secondary::StagedComplete{{session}, epoch}));
  });
  later(options_.captured_after, Host::alpha, [this, action] {
    feed(primary::Event(primary::Captured{action.session, action.epoch}));
    if (!options_.wrong_release_before_ack) return;
    queue_.release(action.epoch);
    pump();
  });
}

void World::execute(const primary::Release& action) {
  queue_.release(action.up_to);
  pump();
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

void World::execute(const primary::EndGuest&) { guest_.reset(); }

void World::execute(const primary::EndSession& action) {
  if (action.session.value != session_.number || !session_.open_primary) return;
  session_.open_primary = false;
  send(Host::beta, [this, action] {
    if (action.session.value != session_.number || !session_.open_secondary) return;
    const Error error{"told", action.reason, ""};
    const secondary::Session session{action.session.value};
    if (action.farewell == primary::Farewell::trouble) {
      feed(secondary::Event(secondary::PeerSuspected{session, error, true}));
    } else {
      const bool guest_ends = action.farewell == primary::Farewell::guest_ends;
      feed(secondary::Event(secondary::PeerGone{session, error, guest_ends}));
    }
  });
}

void World::execute(const primary::TellGuestEnded& action) {
  send(Host::beta, [this, action] {
    if (action.session.value != session_.number || !session_.open_secondary) return;
    const Error error{"guest-ended", action.reason, ""};
    feed(secondary::Event(secondary::PeerGone{{action.session.value}, error, action.by_guest}));
  });
}

void World::execute(const primary::Exit&) { kill(Host::alpha, false); }

void World::end_guest(bool by_guest) {
  if (!alive_[0] || !guest_) return;
  guest_.reset();
  feed(primary::Event(
      primary::GuestEnded{by_guest ? "the guest shut down" : "QEMU was killed", by_guest}));
}

}  // namespace colo::pair
