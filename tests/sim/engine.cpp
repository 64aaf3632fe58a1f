#include "tests/sim/engine.h"

#include "heartbeat/start.h"
#include "tests/sim/primary_side.h"
#include "tests/sim/secondary_side.h"
#include "tests/sim/world.h"

namespace colo::sim {

namespace {

constexpr const char* first_primary = host_names[0];
constexpr Duration arbiter_poll = std::chrono::milliseconds(300);

}  // namespace

Engine::Engine(World& in, std::size_t of, std::uint64_t number)
    : world(in),
      host(of),
      run(number),
      ram(make_ram()),
      gate(in, of),
      guest_worker(in, of),
      flush_worker(in, of),
      replica_worker(in, of),
      hook_worker(in, of),
      run_name_(std::string(host_names[of]) + "-" + std::to_string(number)) {}

Engine::~Engine() = default;

void Engine::start() {
  world.judge.engine_runs(host, run_name_);
  last_tick_ = local_now();
  tick();
  read_arbiter();
}

// REQUIRES: the world keeps this object until nothing of it is on the stack.
void Engine::end() {
  if (dead_) return;
  dead_ = true;
  gate.close();
  world.queue.kill(static_cast<int>(host));
  if (primary_) primary_->end();
  if (secondary_) secondary_->end();
  for (const auto& one : guests_) {
    if (const auto guest = one.lock()) guest->kill();
  }
  world.judge.forgotten(host);
  world.judge.engine_runs(host, "");
}

void Engine::exit() {
  if (dead_) return;
  end();
  world.exited(host);
}

Instant Engine::local_now() const { return world.local(host, world.queue.now()); }

// --- the role ------------------------------------------------------------------------------------

void Engine::read_arbiter() {
  read_ownership([this](const Result<heartbeat::Ownership>& ownership) {
    if (!primary_ && !secondary_) on_ownership(ownership);
  });
}

void Engine::on_ownership(const Result<heartbeat::Ownership>& ownership) {
  if (!ownership) {
    wait_and_ask();
    return;
  }
  switch (heartbeat::decide_start(*ownership, name(), first_primary)) {
    case heartbeat::Start::claim:
      become_primary(ownership->generation);
      return;
    case heartbeat::Start::join:
      become_secondary(&*ownership);
      return;
    case heartbeat::Start::wait:
      // An earlier run won and had not let the guest run yet: what it kept can still go on.
      if (world.keeps_newer(host, ownership->generation)) {
        become_secondary(&*ownership);
        return;
      }
      world.reach.mark(Mark::host_waits);
      takeable_ = ownership->generation;
      wait_and_ask();
      return;
  }
}

void Engine::wait_and_ask() {
  world.queue.after(arbiter_poll, static_cast<int>(host), [this] {
    if (!primary_ && !secondary_) read_arbiter();
  });
}

void Engine::become_primary(Generation from) {
  takeable_.reset();
  (void)world.take_kept(host);  // a guest that boots here writes to its memory
  primary_ = std::make_unique<PrimarySide>(*this, from);
  primary_->feed(primary::Tick{});
}

// What an earlier run kept counts only if nobody can have gone on from it since.
void Engine::become_secondary(const heartbeat::Ownership* at_start) {
  takeable_.reset();
  std::optional<KeptCache> kept;
  if (at_start != nullptr) {
    peer_run_name_ = world.arbiter.last_run_of(host_names[other(host)]);
    kept = world.take_kept(host);
  }
  if (kept) {
    const bool won_before = at_start->owner == name();
    kept->kept.takeable = won_before || (at_start->generation == kept->kept.generation &&
                                         at_start->owner == host_names[other(host)]);
    if (kept->ran) {
      world.reach.mark(Mark::kept_but_ran);
      kept->kept.takeable = false;
    }
    if (won_before) kept->kept.generation = at_start->generation;
    if (world.mutation == Mutation::base_taken_over_from) {
      kept->kept.takeable = true;
      kept->kept.generation =
          at_start->generation;  // or its claim would be lost, and nothing harmed
    }
    world.reach.mark(kept->kept.takeable ? Mark::kept_takeable : Mark::kept_as_base);
  }
  secondary_ = std::make_unique<SecondarySide>(*this, std::move(kept));
  secondary_->feed(secondary::Tick{});
}

// Sides are swapped in the next turn: the side that ends is still on the stack.
void Engine::takes_over(std::shared_ptr<SimGuest> guest, Generation generation, std::string cause) {
  world.queue.after({}, static_cast<int>(host),
                    [this, guest = std::move(guest), generation, cause = std::move(cause)] {
                      secondary_->leave();
                      left_secondaries_.push_back(std::move(secondary_));
                      primary_ = std::make_unique<PrimarySide>(*this, guest, generation, cause);
                      primary_->feed(primary::Tick{});
                      if (guest->ended()) guest_ended(*guest, false);
                    });
}

void Engine::becomes_secondary() {
  world.reach.mark(Mark::became_secondary);
  world.queue.after({}, static_cast<int>(host), [this] {
    primary_->leave();
    left_primaries_.push_back(std::move(primary_));
    become_secondary(nullptr);
  });
}

// --- the world -----------------------------------------------------------------------------------

bool Engine::listening() const { return primary_ != nullptr; }

void Engine::opened(const std::shared_ptr<Lane>& lane, const Message& opening) {
  primary_->opened(lane, opening);
}

void Engine::datagram(std::size_t link, std::uint64_t count, const Beat& beat) {
  // Not newer than the last of its link: dropped.
  if (beat.run == peer_run_ && count <= last_heard_[link]) {
    world.reach.mark(Mark::datagram_overtaken);
    return;
  }
  peer_run_ = beat.run;
  last_heard_[link] = count;
  if (primary_) primary_->heard(link, beat.generation, beat.guest);
  if (secondary_) secondary_->heard(link, beat.generation, beat.guest);
}

void Engine::output_full() {
  world.reach.mark(Mark::hold_full);
  if (primary_) primary_->feed(primary::HoldFull{});
}

void Engine::guest_ended(const SimGuest& guest, bool by_guest) {
  if (primary_ && primary_->guest().get() == &guest) primary_->guest_ended(by_guest);
  if (secondary_) secondary_->standby_ended(guest);
}

Generation Engine::generation() const {
  if (primary_) return primary_->core().generation();
  if (secondary_) return secondary_->core().generation();
  return {};
}

Beat Engine::beat() const {
  const bool live =
      secondary_ && std::holds_alternative<secondary::Live>(secondary_->core().state());
  const auto guest =
      primary_ ? primary_->guest_here() : (live ? wire::GuestHere::runs : wire::GuestHere::none);
  return {run, generation(), guest};
}

bool Engine::starts() const {
  if (!primary_ && !secondary_) return !takeable_;
  return primary_ && std::holds_alternative<primary::Starting>(primary_->core().state());
}

bool Engine::takeover_failed() const {
  if (!secondary_) return false;
  const auto* takeover = std::get_if<secondary::TakingOver>(&secondary_->core().state());
  return takeover != nullptr && takeover->step == secondary::Step::failed;
}

bool Engine::takeover_rolls_back() const {
  if (secondary_) return secondary_->core().keeps() == secondary::Keeps::last_resort;
  if (!primary_) return takeable_.has_value();
  const auto* lost = std::get_if<primary::Lost>(&primary_->core().state());
  return lost != nullptr && lost->guest_kept;
}

std::shared_ptr<SimGuest> Engine::guest() const {
  if (primary_) return primary_->guest();
  return secondary_ ? secondary_->standby() : nullptr;
}

std::shared_ptr<SimGuest> Engine::replica() const {
  return secondary_ ? secondary_->replica() : nullptr;
}

bool Engine::stood_still() const {
  if (local_now() - last_tick_ <= world.settings.detector.lost_after) return false;
  world.reach.mark(Mark::host_stood_still);
  return true;
}

void Engine::tick() {
  const Instant now = local_now();
  const Instant before = std::exchange(last_tick_, now);
  if (now - before > world.settings.detector.lost_after / 2) {
    world.reach.mark(Mark::engine_stalled);
    if (primary_) primary_->stalled(before, now);
    if (secondary_) secondary_->stalled(before, now);
  }
  world.network.beat(host);
  if (primary_) {
    primary_->beat(now);
  } else if (secondary_) {
    secondary_->beat(now);
  }
  if (dead_) return;
  timer(now + world.settings.detector.interval, [this] { tick(); });
}

void Engine::track(const std::shared_ptr<SimGuest>& guest) { guests_.push_back(guest); }

void Engine::mutant_acknowledges(Epoch epoch) {
  if (secondary_) secondary_->mutant_acknowledges(epoch);
}

void Engine::mutant_flushes(const wire::Frame& frame) {
  if (secondary_) secondary_->mutant_flushes(frame);
}

// --- the gate's words ----------------------------------------------------------------------------

void Engine::epoch_began(Epoch tag, const Bytes& flows) {
  if (primary_) primary_->epoch_began(tag, flows);
}

void Engine::inbound(Epoch tag, const Bytes& frame) {
  if (primary_) primary_->inbound(tag, frame);
}

void Engine::checkpoint_wanted(Epoch tag, primary::CheckpointReason reason) {
  if (primary_) primary_->checkpoint_wanted(tag, reason);
}

void Engine::replica_asks(Epoch tag) {
  if (secondary_) secondary_->ask_for_checkpoint(tag);
}

void Engine::replica_sent(Epoch tag, const Bytes& frame) {
  if (secondary_) secondary_->replica_sent(tag, frame);
}

void Engine::replica_behind() {
  if (secondary_) secondary_->replica_behind();
}

// --- the operator --------------------------------------------------------------------------------

void Engine::ask_takeover() {
  if (secondary_) {
    secondary_->feed(secondary::TakeoverAsked{});
  } else if (primary_) {
    primary_->feed(primary::TakeoverAsked{});
  } else if (takeable_) {
    world.reach.mark(Mark::booted_anew);
    become_primary(*takeable_);
  }
}

void Engine::ask_stop() {
  if (primary_) {
    primary_->feed(primary::StopAsked{});
  } else if (secondary_) {
    secondary_->feed(secondary::StopAsked{});
  } else {
    exit();
  }
}

void Engine::ask_switchover() {
  if (primary_) primary_->feed(primary::SwitchoverAsked{});
}

void Engine::ask_give_back() {
  if (secondary_) secondary_->feed(secondary::GiveBackAsked{});
}

void Engine::ask_checkpoint() {
  if (primary_) primary_->feed(primary::CheckpointAsked{});
}

void Engine::set_delay(Duration delay) {
  if (primary_) primary_->feed(primary::DelaySet{delay});
}

void Engine::set_mode(primary::Mode mode) {
  if (primary_) primary_->feed(primary::ModeSet{mode});
}

// --- for its sides -------------------------------------------------------------------------------

void Engine::timer(Instant local, std::function<void()> fire) {
  world.queue.add(world.true_time(host, local), static_cast<int>(host), std::move(fire));
}

void Engine::claim(Generation from, heartbeat::For whom,
                   std::function<void(Result<heartbeat::ClaimAnswer>)> answer) {
  heartbeat::Claim claim{from, name(), run_name_};
  if (whom == heartbeat::For::nobody) claim.owner.clear();
  if (whom == heartbeat::For::peer) {
    claim.owner = host_names[other(host)];
    claim.run = peer_run_name_;
  }
  ask_arbiter([this, claim = std::move(claim), answer = std::move(answer)](auto done) {
    world.arbiter.claim(host, claim, [answer, done](Result<heartbeat::ClaimAnswer> answered) {
      answer(std::move(answered));
      done();
    });
  });
}

void Engine::acquire(std::function<void(Result<void>)> answer) {
  hook_worker.post(world.settings.hook_takes, [this, answer = std::move(answer)] {
    auto& fails = world.ails(host).hooks;
    if (fails > 0) {
      --fails;
      world.reach.mark(Mark::hook_failed);
      answer(fail("hook-failed", "a hook did not acquire its resource"));
      return;
    }
    acquired_ = true;
    answer({});
  });
}

void Engine::release(std::function<void()> answer) {
  hook_worker.post(world.settings.hook_takes, [this, answer = std::move(answer)] {
    acquired_ = false;
    if (answer) answer();
  });
}

void Engine::read_ownership(std::function<void(Result<heartbeat::Ownership>)> answer) {
  ask_arbiter([this, answer = std::move(answer)](auto done) {
    world.arbiter.current(host, [answer, done](Result<heartbeat::Ownership> answered) {
      answer(std::move(answered));
      done();
    });
  });
}

void Engine::ask_arbiter(Ask ask) {
  asks_.push_back(std::move(ask));
  if (!asking_) next_ask();
}

void Engine::next_ask() {
  asking_ = !asks_.empty() && !dead_;
  if (!asking_) return;
  const Ask ask = std::move(asks_.front());
  asks_.pop_front();
  ask([this] { next_ask(); });
}

void Engine::acted() { world.acted(host); }

}  // namespace colo::sim
