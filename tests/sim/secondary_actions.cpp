// The secondary's side of a simulated engine: the core's actions.

#include "base/check.h"
#include "tests/sim/secondary_side.h"
#include "tests/sim/world.h"
#include "wire/pages.h"

namespace colo::sim {

void SecondarySide::execute(const secondary::Commit& action) {
  const auto committed = cache_->commit(action.epoch);
  if (!committed) {
    world_.judge.broken("L2", "a commit failed: " + committed.error().text());
    return;
  }
  world_.judge.committed(engine_.host, checkpoint_of(*cache_->device_state()), core_.generation());
  committed_in_ = core_.generation();
  ran_ = Epoch{0};
  // One that is on its way is waited for before this checkpoint is run.
  committed_flows_.reset();
  auto& tables = session_->tables;
  if (const auto table = tables.find(action.epoch); table != tables.end()) {
    committed_flows_ = std::move(table->second);
  } else if (!table_is_due(action.epoch)) {
    committed_flows_ = Bytes();
  }
  tables.erase(tables.begin(), tables.upper_bound(action.epoch));
}

void SecondarySide::execute(const secondary::Acknowledge& action) {
  if (world_.mutation == Mutation::acknowledge_before_verify) return;  // it was sent before
  COLO_CHECK(action.generation == core_.generation());
  send(wire::Kind::committed, action.epoch);
}

void SecondarySide::execute(const secondary::StartFlush&) {
  auto& ails = world_.ails(engine_.host);
  const Duration takes = world_.settings.flush_takes * (ails.slow_flush ? 20 : 1);
  flush_runs_ = true;
  engine_.flush_worker.post(takes, [this, cache = cache_] {
    flush_runs_ = false;
    if (!cache) return;
    auto& fails = world_.ails(engine_.host).flushes;
    if (fails > 0) {
      --fails;
      memory_.fail_after(world_.guest_random.between(0, 4));
      world_.reach.mark(Mark::torn_flush);
    }
    const auto flushed = cache->flush(memory_);
    memory_.fail_after(std::nullopt);
    if (flushed) {
      feed(secondary::Flushed{cache->figures().flushed});
    } else {
      feed(secondary::FlushFailed{flushed.error()});
    }
  });
}

void SecondarySide::execute(const secondary::StartClaim& action) {
  if (world_.mutation == Mutation::takeover_without_claim &&
      action.for_whom == heartbeat::For::me) {
    world_.queue.after({}, static_cast<int>(engine_.host), [this, from = action.from] {
      feed(secondary::ClaimAnswered{heartbeat::ClaimWon{from.next()}});
    });
    return;
  }
  engine_.claim(action.from, action.for_whom, [this](Result<heartbeat::ClaimAnswer> answer) {
    if (!answer) {
      feed(secondary::ClaimUnanswered{answer.error()});
      return;
    }
    if (std::holds_alternative<heartbeat::ClaimLost>(*answer)) {
      world_.reach.mark(Mark::claim_lost_by_secondary);
    }
    feed(secondary::ClaimAnswered{*answer});
  });
}

void SecondarySide::execute(const secondary::EndSession& action) {
  if (!current(action.session)) return;
  if (action.reason.empty()) return drop_session(Parting::silent);
  drop_session(action.returns ? Parting::returns : Parting::goodbye);
}

void SecondarySide::execute(const secondary::Forget&) {
  cache_.reset();
  committed_flows_.reset();
  world_.judge.forgotten(engine_.host);
}

void SecondarySide::execute(const secondary::PrepareStandby& action) {
  memory_.set(nullptr);
  engine_.guest_worker.post(world_.settings.standby_takes, [this, own_copies = action.replica,
                                                            old = std::move(standby_)] {
    if (old) old->kill();
    auto& fails = world_.ails(engine_.host).standbys;
    if (fails > 0) {
      --fails;
      feed(secondary::StandbyFailed{{"standby-failed", "QEMU did not start", ""}});
      return;
    }
    standby_ = SimGuest::standby(world_, engine_.host, engine_.ram, own_copies);
    memory_.set(standby_);
    mark_process_memory_diverged();
    feed(secondary::StandbyReady{});
  });
  standby_.reset();
}

void SecondarySide::execute(const secondary::Load&) {
  // Taken away from the memory first: nothing is flushed into a guest that loads.
  memory_.set(nullptr);
  standby_busy_ = true;
  engine_.guest_worker.post(
      world_.settings.load_takes, [this, standby = standby_, state = cache_->device_state()] {
        standby_busy_ = false;
        Result<void> loaded = fail("no-device-state", "the checkpoint has no device state");
        if (!standby) {
          loaded = fail("no-standby", "the standby guest ended");
        } else if (state) {
          loaded = standby->load_device_state(*state);
        }
        if (loaded) {
          feed(secondary::Loaded{});
        } else {
          feed(secondary::LoadFailed{loaded.error()});
        }
      });
}

void SecondarySide::execute(const secondary::AcquireResources&) {
  engine_.acquire([this](const Result<void>& acquired) {
    if (acquired) {
      feed(secondary::Acquired{});
    } else {
      feed(secondary::AcquireFailed{acquired.error()});
    }
  });
}

void SecondarySide::execute(const secondary::ReleaseResources&) {
  engine_.release([this] { feed(secondary::Released{}); });
}

void SecondarySide::execute(const secondary::Run& action) {
  run_ordered_ = true;
  engine_.rewrites(action.replica || (committed_flows_ && !committed_flows_->empty()));
  if (action.replica) return run_replica();
  standby_busy_ = true;
  engine_.guest_worker.post(std::chrono::milliseconds(1), [this, standby = standby_] {
    standby_busy_ = false;
    Result<void> runs = fail("no-standby", "the standby guest ended");
    if (standby) {
      if (auto resumed = standby->resume(); !resumed) {
        runs = fail(resumed.error());
      } else {
        runs = {};
      }
    }
    if (!runs) {
      run_ordered_ = false;
      feed(secondary::LoadFailed{runs.error()});
      return;
    }
    // The guest writes to this memory from now on: what was kept of its past is none any more.
    cache_.reset();
    live_ = standby;
    open_gate(standby);
    feed(secondary::GuestRuns{});
  });
}

// A guest that was a replica before, on another host, has connections that go on being rewritten.
void SecondarySide::open_gate(const std::shared_ptr<SimGuest>& guest) {
  const Bytes flows = committed_flows_.value_or(Bytes());
  if (!flows.empty() &&
      engine_.gate.open_replica(core_.committed().next(), guest, flows).has_value()) {
    engine_.gate.take_over();
    return;
  }
  engine_.gate.open(guest);
  engine_.gate.release_all();
}

void SecondarySide::execute(const secondary::TellLoaded& action) {
  if (current(action.session)) send(wire::Kind::loaded, action.epoch);
}

void SecondarySide::execute(const secondary::TellLoadFailed& action) {
  if (current(action.session)) send(wire::Kind::load_failed, action.epoch);
}

void SecondarySide::execute(const secondary::TellTookOver& action) {
  if (current(action.session)) send(wire::Kind::took_over, {});
}

void SecondarySide::execute(const secondary::EndGuest&) {
  drop_replica();
  memory_.set(nullptr);
  engine_.gate.close();
  engine_.guest_worker.post({}, [standby = std::move(standby_)] {
    if (standby) standby->kill();
  });
  standby_.reset();
}

void SecondarySide::mutant_acknowledges(Epoch epoch) {
  if (!session_) return;
  send(wire::Kind::committed, epoch);
}

void SecondarySide::mutant_flushes(const wire::Frame& frame) {
  const auto batch = wire::decode_pages(frame.body, guest_identity().layout);
  if (!batch || core_.committed() == Epoch{0}) return;
  for (std::size_t i = 0; i < batch->data.size(); ++i) {
    (void)memory_.write_page({batch->region, batch->data[i]},
                             batch->contents.subspan(i * page_bytes, page_bytes));
  }
}

void SecondarySide::execute(const secondary::Exit&) { engine_.exit(); }

}  // namespace colo::sim
