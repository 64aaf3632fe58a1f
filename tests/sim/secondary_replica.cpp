// The secondary's side of a simulated engine: the replica, as app/engine_secondary_replica.cpp and
// app/engine_secondary_words.cpp do.

#include "tests/sim/secondary_side.h"
#include "tests/sim/world.h"

namespace colo::sim {

namespace {

constexpr Duration between_looks = std::chrono::milliseconds(40);

}  // namespace

// --- the primary's words -------------------------------------------------------------------------

bool SecondarySide::on_replica_word(secondary::Session number, const Message& message) {
  switch (message.kind) {
    case wire::Kind::packets:
      engine_.gate.deliver(message.epoch, message.frame);
      return true;
    case wire::Kind::flows:
      on_flows(number, message);
      return true;
    case wire::Kind::mode:
      mode_told({number, message.epoch, message.flag});
      return true;
    default:
      return false;
  }
}

// A checkpoint whose connections are rewritten is of no use without the table of them.
void SecondarySide::on_flows(secondary::Session number, const Message& message) {
  const Epoch checkpoint = message.epoch;
  if (checkpoint <= session_->base.value_or(Epoch{0})) {
    session_->tables_come = true;
    return;
  }
  if (checkpoint <= core_.committed() && committed_flows_) return;
  if (checkpoint == core_.committed() && session_->detector) {
    committed_flows_ = message.frame;
    return start_replica();
  }
  session_->tables[checkpoint] = message.frame;
  if (session_->staged != checkpoint) return;
  session_->staged.reset();
  feed(secondary::StagedComplete{number, checkpoint});
}

bool SecondarySide::table_is_due(Epoch checkpoint) const {
  if (session_->tables_come) return true;
  return session_->run_from && checkpoint >= *session_->run_from;
}

void SecondarySide::mode_told(const secondary::ModeTold& told) {
  if (!session_->detector) {  // the primary has our bulk lane before we hear of it
    session_->early.push_back(told);
    return;
  }
  session_->run_from.reset();
  if (told.colo) session_->run_from = told.from;
  feed(told);
  // The checkpoint may be here before the word that its table does not come.
  if (session_ && session_->staged && !table_is_due(*session_->staged)) {
    const Epoch staged = *std::exchange(session_->staged, std::nullopt);
    feed(secondary::StagedComplete{session_->number, staged});
  }
}

// --- its begin -----------------------------------------------------------------------------------

void SecondarySide::execute(const secondary::RunReplica& action) {
  memory_.set(nullptr);
  replica_ = std::make_unique<RunningReplica>();
  replica_->guest = std::move(standby_);
  replica_->epoch = action.epoch;
  standby_.reset();
  start_replica();
}

// The table of its connections comes over the control lane, and may be behind the checkpoint.
void SecondarySide::start_replica() {
  if (!replica_ || replica_->told || replica_->epoch != core_.committed()) return;
  if (!committed_flows_) {
    if (!session_ || session_->closed) replica_failed({"no-flow-table", "the session ended", ""});
    return;
  }
  replica_->told = true;
  ran_ = replica_->epoch;
  engine_.replica_worker.post(std::chrono::milliseconds(1), [this, guest = replica_->guest] {
    Result<void> runs = fail("no-replica", "it ended");
    if (guest && !guest->ended()) {
      guest->become_replica();
      runs = guest->resume().map([](const auto&) {});
    }
    replica_resumed(guest, runs);
  });
}

void SecondarySide::replica_resumed(const std::shared_ptr<SimGuest>& guest,
                                    const Result<void>& runs) {
  if (!is_replica(guest)) {  // told to end meanwhile
    if (guest) guest->kill();
    return;
  }
  const auto opened = runs.and_then(
      [&] { return engine_.gate.open_replica(replica_->epoch.next(), guest, *committed_flows_); });
  if (!opened) {
    replica_failed(opened.error());
    return;
  }
  world_.reach.mark(Mark::replica_ran);
  if (replica_->held || !session_ || session_->closed) engine_.gate.hold_replica();
  replica_->runs = true;
  look_at_replica();
  feed(secondary::ReplicaRuns{});
}

void SecondarySide::replica_failed(const Error& error) {
  world_.reach.mark(Mark::replica_failed);
  drop_replica();
  feed(secondary::ReplicaFailed{error});
}

// --- its end -------------------------------------------------------------------------------------

void SecondarySide::drop_replica(std::function<void()> ended) {
  if (replica_ && replica_->runs) engine_.gate.close_replica();
  engine_.replica_worker.post({}, [guest = replica(), ended = std::move(ended)] {
    if (guest) guest->kill();
    if (ended) ended();
  });
  replica_.reset();
}

void SecondarySide::execute(const secondary::EndReplica&) {
  if (!replica_) return;
  drop_replica([this] { feed(secondary::ReplicaEnded{{"replaced", "", ""}}); });
}

void SecondarySide::lose_replica(const Error& error) {
  if (!replica_ || replica_->taken) return;  // Run answers for one that is taken
  world_.reach.mark(Mark::replica_lost);
  drop_replica();
  feed(secondary::ReplicaEnded{error});
}

void SecondarySide::replica_behind() {
  const Error error{"replica-behind", "more frames wait for the replica than may", ""};
  world_.reach.mark(Mark::replica_behind);
  if (replica_) {
    world_.replica_broke();
    lose_replica(error);
  } else if (session_) {
    suspect(session_->number, error, true);
  }
}

// --- what it says --------------------------------------------------------------------------------

void SecondarySide::execute(const secondary::HoldReplica&) { hold_replica(); }

void SecondarySide::hold_replica() {
  if (!replica_) return;
  replica_->held = true;
  if (replica_->runs) engine_.gate.hold_replica();
}

void SecondarySide::execute(const secondary::TellReplicaRuns& action) {
  if (current(action.session)) send(wire::Kind::replica_runs, action.epoch);
}

void SecondarySide::execute(const secondary::TellReplicaLost& action) {
  if (current(action.session)) send(wire::Kind::replica_lost, core_.committed());
}

void SecondarySide::replica_sent(Epoch tag, const Bytes& frame) {
  if (!replica_ || replica_->held || tag != replica_->epoch.next()) return;
  if (!session_ || session_->closed) return;
  send(wire::Kind::packets, tag, frame);
}

void SecondarySide::ask_for_checkpoint(Epoch tag) {
  if (!replica_ || tag != replica_->epoch.next() || replica_->held) return;
  if (!session_ || session_->closed) return;
  world_.reach.mark(Mark::replica_asked);
  send(wire::Kind::ask, replica_->epoch);
}

// --- looking at it -------------------------------------------------------------------------------

void SecondarySide::look_at_replica() {
  world_.queue.after(
      between_looks, static_cast<int>(engine_.host), [this, guest = replica_->guest] {
        if (left_ || !is_replica(guest) || replica_->taken) return;
        if (guest->ended()) return;  // its end is news of its own
        const Instant now = engine_.local_now();
        if (!guest->hangs()) replica_->hangs_since.reset();
        if (guest->hangs() && !replica_->hangs_since) replica_->hangs_since = now;
        if (replica_->hangs_since && now - *replica_->hangs_since >= world_.settings.behind) {
          world_.reach.mark(Mark::replica_hung);
          return lose_replica({"replica-hangs", "QEMU does not answer", ""});
        }
        bound_replica();
        look_at_replica();
      });
}

// Near the limit a checkpoint is asked for; at it the replica waits for the one that replaces it.
void SecondarySide::bound_replica() {
  const std::uint64_t limit = world_.settings.diverged_limit;
  const std::uint64_t pages = replica_->guest->own_pages();
  if (pages + 1 >= limit && !std::exchange(replica_->asked, true)) {
    ask_for_checkpoint(replica_->epoch.next());
  }
  if (pages < limit || replica_->paused) return;
  replica_->paused = true;
  world_.reach.mark(Mark::replica_at_its_limit);
  engine_.replica_worker.post({}, [guest = replica_->guest] { (void)guest->pause(); });
}

// --- the takeover --------------------------------------------------------------------------------

void SecondarySide::run_replica() {
  replica_->taken = true;
  engine_.replica_worker.post(std::chrono::milliseconds(1), [this, guest = replica_->guest] {
    if (!is_replica(guest)) return;
    auto goes_on = guest;
    if (world_.mutation == Mutation::takeover_goes_back_to_the_checkpoint) {
      goes_on = mutant_goes_back();
    }
    const auto runs = goes_on->take_over();
    if (!runs) {
      run_ordered_ = false;
      drop_replica();
      feed(secondary::LoadFailed{runs.error()});
      return;
    }
    cache_.reset();
    engine_.gate.take_over();
    world_.reach.mark(Mark::replica_taken_over);
    live_ = goes_on;
    replica_.reset();
    feed(secondary::GuestRuns{});
  });
}

// A planted bug: what ran is thrown away, and its checkpoint is loaded again.
std::shared_ptr<SimGuest> SecondarySide::mutant_goes_back() {
  replica_->guest->kill();
  auto guest = SimGuest::standby(world_, engine_.host, engine_.ram, true);
  memory_.set(guest);
  cache_->mark_diverged({1, 0}, video_pages);
  (void)cache_->flush(memory_);
  (void)guest->load_device_state(*cache_->device_state());
  (void)engine_.gate.open_replica(replica_->epoch.next(), guest, *committed_flows_);
  return guest;
}

}  // namespace colo::sim
