// Executes the secondary's actions as its engine does.

#include "tests/pair/world.h"

namespace colo::pair {

using std::chrono::milliseconds;

void World::execute(const secondary::Join&) {
  const std::uint64_t number = ++sessions_;
  dialling_ = number;
  const Error unreachable{"unreachable", "alpha does not answer", ""};
  if (cut_ || !alive_[0] || left_) {
    later(milliseconds(200), Host::beta,
          [this, number, unreachable] { join_failed(number, unreachable); });
    return;
  }
  send(Host::alpha, [this, hello = hello()] { peer_asks(hello); });
  later(milliseconds(1000), Host::beta, [this, number] {
    join_failed(number, {"unreachable", "no welcome", ""});
  });
}

World::Hello World::hello() {
  Hello hello{sessions_, cache_lineage_, secondary_->held(), {}};
  if (cache_ && cache_->committed() == Epoch{0}) {
    hello.held = secondary::Held{};
    hello.pages = cache_->held_pages(4096);
  }
  return hello;
}

void World::execute(const secondary::StopJoin&) { dialling_.reset(); }

void World::join_failed(std::uint64_t number, const Error& error) {
  if (dialling_ != number) return;
  dialling_.reset();
  feed(secondary::Event(secondary::JoinFailed{error}));
}

void World::peer_asks(const Hello& hello) {
  if (left_) return;
  primary::PeerAsks asks{{hello.number}, "beta", std::nullopt};
  if (hello.held && lineage_ && guest_ && lineage_->name == hello.lineage) {
    asks.held = primary::Held{hello.held->generation, hello.held->epoch};
    offered_ = hello.pages;
  }
  feed(primary::Event(asks));
}

void World::welcomed(std::uint64_t number, Generation generation, std::optional<Epoch> base) {
  if (number != session_.number) return;
  if (dialling_ != number || !alive_[1]) {  // given up meanwhile: its connection is closed
    const Error error{"lane-ended", "the connection was reset", ""};
    tell_alpha(number, primary::PeerLost{{number}, error, /*certain=*/true});
    return;
  }
  dialling_.reset();
  session_.open_secondary = true;
  suspected_ = false;
  feed(secondary::Event(secondary::Joined{{number}, "alpha", generation, base}));
  if (!alive_[1] || session_.number != number || !session_.open_secondary) return;
  if (!cache_) {
    cache_ = std::make_shared<cache::Cache>(model_layout(), model_mirrored(), cache::CacheLimits{});
    cache_->write_through(this);
    cache_lineage_ = number;
  }
  tell_alpha(number, primary::BulkAttached{{number}});
}

void World::tell_alpha(std::uint64_t session, const primary::Event& event) {
  send(Host::alpha, [this, session, event] {
    if (session == session_.number && session_.open_primary) feed(event);
  });
}

// What arrives and cannot be staged ends the lane.
void World::staged(std::uint64_t session, const Result<void>& put) {
  if (put) return;
  tell_alpha(session, primary::PeerLost{{session}, put.error(), false});
  feed(secondary::Event(secondary::PeerSuspected{{session}, put.error(), true}));
}

void World::execute(const secondary::Commit& action) {
  if (const auto ok = cache_->commit(action.epoch); !ok) {
    judge_.broken("L2", "a commit failed: " + ok.error().text());
  }
  committed_session_ = action.session.value;
  struck_ = false;
  judge_.committed(committed_session_, action.epoch, secondary_->generation());
}

void World::execute(const secondary::Acknowledge& action) {
  if (std::exchange(drop_ack_, false)) return;
  tell_alpha(action.session.value,
             primary::CommitAcknowledged{{action.session.value}, action.generation, action.epoch});
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
  heartbeat::Claim asked{action.from, "beta", run_of_beta()};
  if (action.for_whom == secondary::For::peer) asked = {action.from, "alpha", "run-alpha"};
  if (action.for_whom == secondary::For::nobody) {
    asked.owner.clear();
    ended_on_purpose_ = true;
  }
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
  if (cache_) cache_->end_session();
  const Error error{"told", action.reason, ""};
  tell_alpha(action.session.value,
             primary::PeerLost{{action.session.value}, error, !action.returns});
}

void World::execute(const secondary::Forget&) {
  cache_.reset();
  struck_ = false;
  judge_.forgotten();
}

void World::execute(const secondary::PrepareStandby& action) {
  standby_alive_ = false;
  standby_private_ = action.replica;
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
  if (loading_) return;
  feed(secondary::Event(secondary::StandbyFailed{{"standby-ended", "QEMU was killed", ""}}));
}

void World::execute(const secondary::Load&) {
  loading_ = true;
  const Epoch epoch = secondary_->committed();
  const Bytes state(cache_->device_state()->begin(), cache_->device_state()->end());
  later(milliseconds(10), Host::beta, [this, epoch, state] {
    loading_ = false;
    if (loads_to_fail_ > 0 || !standby_alive_) {
      if (loads_to_fail_ > 0) --loads_to_fail_;
      feed(secondary::Event(
          secondary::LoadFailed{{"load-failed", "QEMU refused the device state", ""}}));
      return;
    }
    loaded_point_ = decode_point(state);
    // A checkpoint that came, or went, while this one loaded: it is never run.
    if (epoch == secondary_->committed()) {
      judge_.loaded(committed_session_, epoch, standby_memory_, state);
    }
    feed(secondary::Event(secondary::Loaded{}));
  });
}

void World::execute(const secondary::AcquireResources&) {
  later(milliseconds(3), Host::beta, [this] {
    if (hooks_to_fail_ > 0) {
      --hooks_to_fail_;
      feed(secondary::Event(secondary::AcquireFailed{{"hook-failed", "vip exited with 1", ""}}));
      return;
    }
    resources_[1] = true;
    feed(secondary::Event(secondary::Acquired{}));
  });
}

void World::execute(const secondary::ReleaseResources&) {
  later(milliseconds(1), Host::beta, [this] {
    resources_[1] = false;
    feed(secondary::Event(secondary::Released{}));
  });
}

void World::execute(const secondary::TellLoaded& action) {
  tell_alpha(action.session.value, primary::PeerLoaded{{action.session.value}, action.epoch});
}

void World::execute(const secondary::TellLoadFailed& action) {
  tell_alpha(action.session.value,
             primary::PeerLoadFailed{{action.session.value}, action.epoch, action.error});
}

void World::execute(const secondary::TellTookOver& action) {
  tell_alpha(action.session.value, primary::PeerTookOver{{action.session.value}});
}

void World::execute(const secondary::Run& action) {
  if (!resources_[1]) judge_.broken("hooks", "beta runs the guest without its resources");
  if (action.replica) return run_replica_on();
  loading_ = ordered_ = true;
  later(milliseconds(1), Host::beta, [this] {
    loading_ = false;
    if (!standby_alive_) {
      feed(secondary::Event(secondary::LoadFailed{{"standby-ended", "QEMU was killed", ""}}));
      return;
    }
    taken_over_ = std::make_unique<GuestModel>();
    taken_over_->memory = standby_memory_;
    taken_over_->point = loaded_point_;
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

void World::execute(const secondary::EndGuest&) {
  standby_alive_ = false;
  lose_replica();
}
void World::execute(const secondary::Exit&) { kill(Host::beta, false); }

}  // namespace colo::pair
