// Executes the secondary's actions as its engine does.

#include "tests/pair/world.h"

namespace colo::pair {

using std::chrono::milliseconds;

void World::execute(const secondary::Join&) {
  const std::uint64_t number = ++sessions_;
  const auto failed = [this, number](const char* why) {
    return [this, number, why] {
      const bool joined = session_.number == number && session_.open_secondary;
      if (joined || sessions_ != number) return;
      feed(secondary::Event(secondary::JoinFailed{{"unreachable", why, ""}}));
    };
  };
  if (cut_ || !alive_[0]) {
    later(milliseconds(200), Host::beta, failed("alpha does not answer"));
    return;
  }
  send(Host::alpha, [this, number] { peer_asks(number); });
  later(milliseconds(1000), Host::beta, [this, number] {
    const auto* joining = std::get_if<secondary::Joining>(&secondary_->state());
    if (joining == nullptr || !joining->asking || sessions_ != number) return;
    ++sessions_;  // its welcome comes too late
    feed(secondary::Event(secondary::JoinFailed{{"unreachable", "no welcome", ""}}));
  });
}

void World::peer_asks(std::uint64_t number) {
  if (!session_.open_primary) session_ = Session{number, false, false};
  feed(primary::Event(primary::PeerAsks{{number}, "beta"}));
}

void World::welcomed(std::uint64_t number, Generation generation) {
  if (number != session_.number) return;
  if (number != sessions_ || !alive_[1]) {  // given up meanwhile: its connection is closed
    send(Host::alpha, [this, number] {
      if (session_.number != number || !session_.open_primary) return;
      const Error error{"lane-ended", "the connection was reset", ""};
      feed(primary::Event(primary::PeerLost{{number}, error}));
    });
    return;
  }
  session_.open_secondary = true;
  suspected_ = false;
  cache_ = std::make_shared<cache::Cache>(model_layout(), model_mirrored(), cache::CacheLimits{});
  cache_->write_through(this);
  cache_session_ = number;
  feed(secondary::Event(secondary::Joined{{number}, "alpha", generation}));
  send(Host::alpha, [this, number] {
    if (session_.number != number) return;
    feed(primary::Event(primary::BulkAttached{{number}}));
  });
}

// What arrives and cannot be staged ends the lane.
void World::staged(std::uint64_t session, const Result<void>& put) {
  if (put) return;
  session_.open_secondary = false;
  send(Host::alpha, [this, session, error = put.error()] {
    if (session_.number != session || !session_.open_primary) return;
    feed(primary::Event(primary::PeerLost{{session}, error}));
  });
  feed(secondary::Event(secondary::PeerSuspected{{session}, put.error(), true}));
}

void World::execute(const secondary::Commit& action) {
  if (const auto ok = cache_->commit(action.epoch); !ok) {
    judge_.broken("L2", "a commit failed: " + ok.error().text());
  }
  judge_.committed(cache_session_, action.epoch, secondary_->generation());
}

void World::execute(const secondary::Acknowledge& action) {
  if (std::exchange(drop_ack_, false)) return;
  send(Host::alpha, [this, action] {
    if (action.session.value != session_.number || !session_.open_primary) return;
    feed(primary::Event(
        primary::CommitAcknowledged{{action.session.value}, action.generation, action.epoch}));
  });
}

Result<void> World::write_page(PageId page, ByteView bytes) {
  if (!standby_alive_) return fail("no-standby", "the standby guest has ended");
  if (writes_until_failure_ && (*writes_until_failure_)-- == 0) {
    return fail("write-failed", "a page could not be written");
  }
  if (options_.wrong_flush_skips_a_page && page == PageId{1, 1}) return {};
  standby_memory_.at(page).assign(bytes.begin(), bytes.end());
  return {};
}

void World::execute(const secondary::StartFlush&) {
  later(milliseconds(6), Host::beta, [this, cache = cache_] {
    if (!cache) return;
    if (flushes_to_fail_ > 0) {
      --flushes_to_fail_;
      writes_until_failure_ = 1;
    }
    const auto flushed = cache->flush(*this);
    writes_until_failure_.reset();
    if (flushed) {
      feed(secondary::Event(secondary::Flushed{cache->figures().flushed}));
    } else {
      feed(secondary::Event(secondary::FlushFailed{flushed.error()}));
    }
  });
}

void World::execute(const secondary::StartClaim& action) {
  const heartbeat::Claim asked{action.from, action.nobody ? "" : "beta", "run-beta"};
  if (action.nobody) ended_on_purpose_ = true;
  claim(Host::beta, asked, [this](Result<heartbeat::ClaimAnswer> answer) {
    if (answer) {
      feed(secondary::Event(secondary::ClaimAnswered{*answer}));
    } else {
      feed(secondary::Event(secondary::ClaimUnanswered{answer.error()}));
    }
  });
}

void World::execute(const secondary::EndSession& action) {
  if (action.session.value != session_.number || !session_.open_secondary) return;
  session_.open_secondary = false;
  cache_->discard_staged();
  send(Host::alpha, [this, action] {
    if (action.session.value != session_.number || !session_.open_primary) return;
    const Error error{"told", action.reason, ""};
    feed(primary::Event(primary::PeerLost{{action.session.value}, error}));
  });
}

void World::execute(const secondary::Forget&) {
  cache_.reset();
  judge_.forgotten();
}

void World::execute(const secondary::PrepareStandby&) {
  standby_alive_ = false;
  const std::uint64_t mine = ++standbys_;
  later(milliseconds(30), Host::beta, [this, mine] {
    if (mine != standbys_) return;
    standby_alive_ = true;
    for (auto& [page, bytes] : standby_memory_) {
      if (!in_process(page)) continue;
      bytes.assign(page_bytes, std::byte{0xee});  // whatever a fresh process holds there
      if (cache_) cache_->mark_diverged(page, 1);
    }
    feed(secondary::Event(secondary::StandbyReady{}));
  });
}

void World::end_standby() {
  if (!alive_[1] || !standby_alive_) return;
  standby_alive_ = false;
  feed(secondary::Event(secondary::StandbyFailed{{"standby-ended", "QEMU was killed", ""}}));
}

void World::execute(const secondary::Load&) {
  later(milliseconds(10), Host::beta, [this] {
    if (loads_to_fail_ > 0 || !standby_alive_) {
      if (loads_to_fail_ > 0) --loads_to_fail_;
      feed(secondary::Event(
          secondary::LoadFailed{{"load-failed", "QEMU refused the device state", ""}}));
      return;
    }
    judge_.loaded(cache_session_, secondary_->committed(), standby_memory_,
                  *cache_->device_state());
    feed(secondary::Event(secondary::Loaded{}));
  });
}

void World::execute(const secondary::Run&) {
  later(milliseconds(1), Host::beta, [this] {
    if (!standby_alive_) {
      feed(secondary::Event(secondary::LoadFailed{{"standby-ended", "QEMU was killed", ""}}));
      return;
    }
    taken_over_ = std::make_unique<GuestModel>();
    taken_over_->memory = standby_memory_;
    taken_over_->point = decode_point(*cache_->device_state());
    judge_.resumed(taken_over_->point);
    later(options_.guest_step, Host::beta, [this] { taken_over_step(); });
    feed(secondary::Event(secondary::GuestRuns{}));
  });
}

void World::taken_over_step() {
  if (!taken_over_) return;
  later(options_.guest_step, Host::beta, [this] { taken_over_step(); });
  const Point point = taken_over_->step(story_);
  judge_.spoke({"beta", secondary_->generation(), point, false}, owners_);
}

void World::execute(const secondary::EndGuest&) { standby_alive_ = false; }
void World::execute(const secondary::Exit&) { kill(Host::beta, false); }

}  // namespace colo::pair
