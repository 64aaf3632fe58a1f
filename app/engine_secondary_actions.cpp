// The secondary's side of the engine: the core's actions and the status.

#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>

#include "app/engine_secondary.h"
#include "base/check.h"
#include "io/clock.h"

namespace colo::app {

namespace {

constexpr auto spare_waits = std::chrono::milliseconds(400);

// A guest that was a replica before, on another host, has connections that go on being rewritten.
void open_gate(io::PacketGate& gate, const guest::Guest& guest, Epoch tag, ByteView flows) {
  const auto ports = inside_ports(guest);
  const auto rewritten =
      flows.empty() ? Result<void>(fail("no-flows", "")) : gate.open_replica(tag, ports, flows);
  if (rewritten) {
    // False: it was closed again meanwhile, by an EndGuest.
    (void)gate.take_over();
  } else {
    gate.open(ports);
    gate.release_all();
  }
}

}  // namespace

void announce(guest::Guest& guest) {
  if (auto announced = guest.announce(); !announced) {
    spdlog::warn("the network was not told of the guest's new place: {}", announced.error().text());
  }
}

void SecondarySide::execute(const secondary::Commit& action) {
  COLO_CHECK(session_ && session_->number == action.session);
  // One that is on its way is waited for before this checkpoint is run.
  committed_flows_.reset();
  if (!table_is_due(action.epoch) || session_->tables.whole(action.epoch)) {
    committed_flows_ = session_->tables.take(action.epoch);
  }
  set_origin();  // the table is kept with it
  // The stager verified every byte of it and the core its order: a refusal now is our own fault,
  // and going on could acknowledge what is not there.
  const auto committed = cache_->commit(action.epoch);
  if (!committed) spdlog::critical("commit failed: {}", committed.error().text());
  COLO_CHECK(committed.has_value());
  host_.gate->inbound_over(action.epoch);
  note_store_trouble();
}

void SecondarySide::execute(const secondary::Acknowledge& action) {
  session_->lane->send(wire::Committed{}, action.generation, action.epoch);
}

void SecondarySide::execute(const secondary::StartFlush&) {
  flush_worker_.post(
      [weak = weak_from_this(), cache = cache_, memory = memory_, &loop = host_.loop] {
        const auto flushed = cache->flush(*memory);
        const Epoch epoch = cache->figures().flushed;
        boost::asio::post(loop, [weak, flushed, epoch] {
          const auto self = weak.lock();
          if (!self) return;
          if (flushed) {
            self->feed(secondary::Flushed{epoch});
            return;
          }
          spdlog::error("flush failed: {}", flushed.error().text());
          self->feed(secondary::FlushFailed{flushed.error()});
        });
      });
}

void SecondarySide::execute(const secondary::StartClaim& action) {
  host_.claim(action.from, action.for_whom, peer_run_,
              [weak = weak_from_this()](Result<heartbeat::ClaimAnswer> answer) {
                const auto self = weak.lock();
                if (!self) return;
                if (!answer) {
                  spdlog::warn("the arbiter did not answer: {}", answer.error().text());
                  self->feed(secondary::ClaimUnanswered{answer.error()});
                  return;
                }
                if (self->takeover_ && std::holds_alternative<heartbeat::ClaimWon>(*answer)) {
                  self->takeover_->claimed_unix_ns = unix_now_ns();
                }
                self->feed(secondary::ClaimAnswered{*answer});
              });
}

void SecondarySide::execute(const secondary::EndSession& action) {
  if (!session_ || session_->number != action.session) return;
  drop_session(action.reason, action.returns);
}

void SecondarySide::execute(const secondary::Forget&) {
  // A flush that still runs keeps its own hold on it; the core joins again only after that.
  if (cache_) cache_->strike_out();
  cache_.reset();
  committed_flows_.reset();
  held_run_.clear();
}

// Beside a replica that has just begun it waits a little: starting it takes processor time from the
// replica, whose first words clients wait for.
void SecondarySide::execute(const secondary::PrepareStandby& action) {
  standby_due_ = action.replica ? guest::StandbyMemory::own_copies : guest::StandbyMemory::shared;
  if (standby_ || !replica_ || !replica_->runs || replica_->taken) return start_standby();
  standby_timer_.expires_after(spare_waits);
  standby_timer_.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto self = weak.lock();
    if (!error && self) self->start_standby();
  });
}

// The one that is due, if any: it is needed soon.
void SecondarySide::start_standby() {
  if (!standby_due_) return;
  const guest::StandbyMemory memory = *std::exchange(standby_due_, std::nullopt);
  standby_timer_.cancel();
  end_watch_.reset();
  memory_->set(nullptr);
  host_.guest_worker.post(
      [weak = weak_from_this(), old = std::move(standby_), memory, &host = host_]() mutable {
        old.reset();  // before its successor: both would use the same sockets
        Result<std::shared_ptr<guest::Guest>> result;
        if (auto standby = host.maker->standby(memory)) {
          result = std::shared_ptr<guest::Guest>(std::move(*standby));
        } else {
          result = fail(standby.error());
        }
        boost::asio::post(host.loop, [weak, result = std::move(result)] {
          if (const auto self = weak.lock()) self->standby_made(result);
        });
      });
  standby_.reset();
}

void SecondarySide::standby_made(Result<std::shared_ptr<guest::Guest>> standby) {
  if (!standby) {
    spdlog::error("no standby guest: {}", standby.error().text());
    feed(secondary::StandbyFailed{standby.error()});
    return;
  }
  standby_ = std::move(*standby);
  standby_spent_ = false;
  memory_->set(standby_);
  if (!kept_fits()) {
    feed(secondary::Tick{});
    return;
  }
  mark_process_memory_diverged();
  end_watch_ = EndWatch::start(host_.loop, standby_->end_fd(), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->on_standby_end();
  });
  feed(secondary::StandbyReady{});
}

// How it ended is asked on the guest's thread, which may be in the middle of a command to it.
void SecondarySide::on_standby_end() {
  if (!standby_) return;
  end_watch_.reset();
  host_.guest_worker.post([weak = weak_from_this(), standby = standby_, &loop = host_.loop] {
    boost::asio::post(loop, [weak, standby, reason = standby->end().reason] {
      const auto self = weak.lock();
      if (!self || self->standby_ != standby || self->standby_spent_) return;
      self->standby_spent_ = true;
      self->standby_end_ = reason;
      spdlog::warn("the standby guest ended: {}", reason);
      self->feed(secondary::StandbyFailed{{"standby-ended", reason, ""}});
    });
  });
}

// Regions that live in the guest's process are empty in a fresh one: every page is restored.
void SecondarySide::mark_process_memory_diverged() {
  if (!cache_ || !standby_) return;
  const MemoryLayout& layout = standby_->identity().layout;
  for (RegionIndex region = 0; region < layout.size(); ++region) {
    if (!layout[region].mapped) cache_->mark_diverged({region, 0}, layout[region].pages);
  }
}

void SecondarySide::execute(const secondary::Load&) {
  // Taken away from the memory first: nothing is flushed into a guest that loads.
  memory_->set(nullptr);
  host_.guest_worker.post([weak = weak_from_this(), standby = standby_,
                           state = cache_->device_state(), &loop = host_.loop] {
    Result<void> loaded = fail("no-device-state", "the checkpoint has no device state", "");
    if (state) loaded = standby->load_device_state(*state);
    boost::asio::post(loop, [weak, loaded] {
      const auto self = weak.lock();
      if (!self) return;
      if (loaded) {
        self->feed(secondary::Loaded{});
        return;
      }
      spdlog::error("the device state does not load: {}", loaded.error().text());
      self->standby_spent_ = true;
      self->feed(secondary::LoadFailed{loaded.error()});
    });
  });
}

void SecondarySide::execute(const secondary::Run& action) {
  spdlog::info("taking over in generation {}{}", action.generation.value,
               action.replica ? " with the replica that runs" : "");
  remove_kept();  // its memory is the guest's from here on
  rewritten_ = action.replica || (committed_flows_ && !committed_flows_->empty());
  if (action.replica) {
    run_replica();
    return;
  }
  host_.guest_worker.post([weak = weak_from_this(), standby = standby_, &host = host_,
                           tag = core_.committed().next(),
                           flows = committed_flows_.value_or(Bytes())] {
    auto runs = standby->resume();
    const std::int64_t resumed = unix_now_ns();
    if (runs) {
      // Not before: a guest whose resume failed is loaded again from the checkpoint, so nothing
      // that it may have said can have left.
      open_gate(*host.gate, *standby, tag, flows);
      announce(*standby);
    }
    boost::asio::post(host.loop, [weak, standby, resumed, runs = std::move(runs)] {
      const auto self = weak.lock();
      if (!self) return;
      if (!runs) {
        self->standby_spent_ = true;
        self->feed(secondary::LoadFailed{runs.error()});
        return;
      }
      self->live_ = standby;
      self->standby_.reset();
      self->went_live(resumed);
    });
  });
}

void SecondarySide::went_live(std::int64_t resumed) {
  if (takeover_) takeover_->resumed_unix_ns = resumed;
  feed(secondary::GuestRuns{});
}

void SecondarySide::execute(const secondary::AcquireResources&) {
  const auto* takeover = std::get_if<secondary::TakingOver>(&core_.state());
  const bool switchover = takeover != nullptr && takeover->switchover;
  host_.acquire(switchover ? HookCause::switchover : HookCause::takeover, core_.generation(),
                [weak = weak_from_this()](const Result<void>& acquired) {
                  const auto self = weak.lock();
                  if (!self) return;
                  if (acquired) {
                    self->feed(secondary::Acquired{});
                    return;
                  }
                  spdlog::error("a resource of the guest is not acquired: {}",
                                acquired.error().text());
                  self->feed(secondary::AcquireFailed{acquired.error()});
                });
}

void SecondarySide::execute(const secondary::ReleaseResources&) {
  const bool back = std::holds_alternative<secondary::GivingBack>(core_.state());
  host_.release(HookRunner::Of::acquired, back ? HookCause::give_back : HookCause::lost,
                core_.generation(), [weak = weak_from_this()] {
                  if (const auto self = weak.lock()) self->feed(secondary::Released{});
                });
}

void SecondarySide::execute(const secondary::TellLoaded& action) {
  if (!session_ || session_->number != action.session) return;
  session_->lane->send(wire::Loaded{}, core_.generation(), action.epoch);
}

void SecondarySide::execute(const secondary::TellLoadFailed& action) {
  if (!session_ || session_->number != action.session) return;
  session_->lane->send(wire::LoadFailed{action.error}, core_.generation(), action.epoch);
}

void SecondarySide::execute(const secondary::TellTookOver& action) {
  if (!session_ || session_->number != action.session) return;
  session_->lane->send(wire::TookOver{}, core_.generation(), core_.committed());
}

void SecondarySide::execute(const secondary::EndGuest&) {
  standby_due_.reset();
  drop_replica();
  end_watch_.reset();
  memory_->set(nullptr);
  host_.gate->close();
  host_.guest_worker.post([standby = std::move(standby_)]() mutable { standby.reset(); });
  standby_.reset();
}

void SecondarySide::execute(const secondary::Exit&) {
  remove_kept();
  ends_(SideExit{0});
}

}  // namespace colo::app
