#include "tests/sim/secondary_side.h"

#include <cstring>

#include "base/check.h"
#include "tests/sim/world.h"

namespace colo::sim {

namespace {

constexpr int ticks_at_once_max = 100;

}  // namespace

Result<void> StandbyMemory::write_page(PageId page, ByteView bytes) {
  if (!standby_ || standby_->ended()) return fail("no-standby", "the standby guest ended");
  if (writes_left_ && (*writes_left_)-- <= 0) {
    return fail("write-failed", "a page could not be written");
  }
  const MutableBytes mapped = standby_->mapping(page.region);
  if (mapped.empty()) return standby_->write_page(page.region, page.page, bytes);
  std::memcpy(mapped.data() + page.page * page_bytes, bytes.data(), page_bytes);
  return {};
}

namespace {

std::optional<secondary::Kept> kept_of(const std::optional<KeptCache>& kept) {
  if (!kept || kept->kept.epoch == Epoch{0}) return std::nullopt;
  return kept->kept;
}

}  // namespace

SecondarySide::SecondarySide(Engine& engine, std::optional<KeptCache> kept)
    : engine_(engine), world_(engine.world), core_(engine.world.settings.secondary, kept_of(kept)) {
  if (!kept) return;
  cache_ = std::move(kept->cache);
  lineage_run_ = std::move(kept->lineage_run);
  lineage_ = kept->lineage;
  committed_in_ = kept->kept.generation;
  engine_.ram = std::move(kept->ram);
  if (kept->ran) ran_ = kept->kept.epoch;
  if (kept->kept.epoch != Epoch{0} && !kept->ran) {
    world_.judge.committed(engine_.host, checkpoint_of(*cache_->device_state()), committed_in_);
  }
}

SecondarySide::~SecondarySide() = default;

void SecondarySide::feed(secondary::Event event) {
  if (left_ || engine_.dead()) return;
  events_.push_back(std::move(event));
  if (feeding_) return;
  feeding_ = true;
  while (!events_.empty() && !left_) {
    const secondary::Event next = std::move(events_.front());
    events_.pop_front();
    std::vector<secondary::Action> actions;
    const auto before = world_.tracing() ? std::optional(core_.state()) : std::nullopt;
    const bool took = core_.keeps() == secondary::Keeps::takeable;
    core_.step(next, engine_.local_now(), actions);
    // It says itself that nobody goes on from here: that must not have been the last copy.
    if (took && core_.keeps() == secondary::Keeps::base) world_.judge.forgotten(engine_.host);
    world_.stepped(engine_.host, core_, next, before, actions);
    for (const secondary::Action& action : actions) {
      std::visit([this](const auto& known) { execute(known); }, action);
      engine_.acted();
      if (engine_.dead()) return;
    }
  }
  feeding_ = false;
  arm();
  if (std::holds_alternative<secondary::Live>(core_.state())) become_primary();
}

void SecondarySide::arm() {
  const auto deadline = core_.deadline();
  if (!deadline || left_) return;
  const Instant at = world_.true_time(engine_.host, *deadline);
  if (armed_ && *armed_ <= at) return;
  armed_ = at;
  world_.queue.add(at, static_cast<int>(engine_.host), [this] {
    armed_.reset();
    const auto due = core_.deadline();
    if (left_ || !due) return;
    if (*due > engine_.local_now()) {
      arm();
      return;
    }
    feed(secondary::Tick{});
    const auto next = core_.deadline();
    if (engine_.dead() || !next || *next > engine_.local_now()) {
      spins_ = 0;
    } else if (++spins_ > ticks_at_once_max) {
      world_.judge.broken("spin", "a secondary asks for a Tick at once, for ever");
      left_ = true;
    }
  });
}

void SecondarySide::become_primary() {
  if (!live_) return;  // done: the sides are swapped in the next turn
  memory_.set(nullptr);
  cache_.reset();
  world_.reach.mark(Mark::takeover_ran);
  if (standby_ && standby_ != live_) standby_->kill();
  standby_.reset();
  engine_.takes_over(std::move(live_), core_.generation(),
                     std::get<secondary::Live>(core_.state()).cause);
}

void SecondarySide::send(wire::Kind kind, Epoch epoch, Bytes frame) {
  Message message;
  message.kind = kind;
  message.generation = core_.generation();
  message.epoch = epoch;
  message.frame = std::move(frame);
  session_->lane->send(engine_.host, std::move(message));
}

// --- signs of life -------------------------------------------------------------------------------

void SecondarySide::heard(std::size_t link, Generation generation, wire::GuestHere guest) {
  alive(link);
  peer_says(generation, guest);
}

void SecondarySide::peer_says(Generation generation, wire::GuestHere guest) {
  if (guest == wire::GuestHere::runs) feed(secondary::PeerRuns{generation});
  if (guest == wire::GuestHere::paused) feed(secondary::PeerKeepsGuest{});
}

void SecondarySide::alive(std::size_t link) {
  if (!session_ || !session_->detector) return;
  session_->detector->heard(link, engine_.local_now());
  if (!session_->suspected) return;
  session_->suspected = false;
  feed(secondary::PeerHeard{session_->number});
}

void SecondarySide::stalled(Instant from, Instant now) {
  if (session_ && session_->detector) session_->detector->stalled(from, now);
}

void SecondarySide::beat(Instant now) {
  if (!session_) return;
  if (!session_->detector) {
    if (now - session_->since > world_.settings.stream_timeout) {
      join_failed({"no-answer", "the peer took the connection but did not answer", ""});
    }
    return;
  }
  send(wire::Kind::alive, {});
  if (session_->lane->stuck(engine_.host, world_.settings.stream_timeout)) {
    world_.reach.mark(Mark::lane_timed_out);
    lane_ended(session_->number, false);
    return;
  }
  if (session_->suspected || !session_->detector->suspected(now)) return;
  suspect(session_->number, {"silent", "nothing was heard on any link", ""}, false);
}

void SecondarySide::standby_ended(const SimGuest& guest) {
  if (replica_ && replica_->guest.get() == &guest) {
    return lose_replica({"replica-ended", "QEMU was killed", ""});
  }
  if (standby_.get() != &guest || standby_busy_) return;
  feed(secondary::StandbyFailed{{"standby-ended", "QEMU was killed", ""}});
}

void SecondarySide::end() {
  left_ = true;
  if (session_) {
    for (const auto& lane : {session_->lane, session_->bulk}) {
      if (lane) lane->abort(engine_.host);
    }
  }
  keep();
  if (standby_) standby_->kill();
}

// The engine's process ends; its cache in shared memory stays, and so does the standby's memory,
// with part of a flush in it that was under way.
void SecondarySide::keep() {
  if (!world_.settings.keeps_cache || !cache_ || run_ordered_) return;
  if (flush_runs_) {
    memory_.fail_after(world_.guest_random.between(0, static_cast<int>(all_pages)));
    (void)cache_->flush(memory_);
    world_.reach.mark(Mark::torn_flush);
  }
  cache_->end_session();
  KeptCache kept;
  kept.kept = {committed_in_, cache_->committed(), false};
  kept.cache = std::move(cache_);
  kept.lineage_run = lineage_run_;
  kept.lineage = lineage_;
  kept.ram = engine_.ram;
  kept.ran = ran_ != Epoch{0} && ran_ == kept.kept.epoch;
  world_.keep(engine_.host, std::move(kept));
}

}  // namespace colo::sim
