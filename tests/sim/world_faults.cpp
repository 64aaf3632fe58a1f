// Faults and the operator of a schedule: what a strike does, how it ends, and healing.

#include "tests/sim/world.h"

namespace colo::sim {

using std::chrono::milliseconds;

void World::strike(const Strike& strike) {
  if (healed_) return;
  reach.fault(strike.fault);
  mix(static_cast<std::uint64_t>(strike.fault) + 7000);
  if (tracing()) note("fault", describe(strike));
  by_fault_ = true;
  if (strike.fault < Fault::cut) {
    strike_guest(strike);
  } else if (strike.fault < Fault::capture_fails) {
    strike_network(strike);
  } else if (strike.fault < Fault::arbiter_down) {
    strike_guest(strike);
  } else if (strike.fault < Fault::ask_takeover) {
    strike_arbiter(strike);
  } else {
    strike_operator(strike);
  }
}

// --- processes and guests ------------------------------------------------------------------------

void World::crash(std::size_t host) {
  Engine* there = engine(host);
  if (there == nullptr || there->dead()) return;
  by_fault_ = true;
  there->end();
}

void World::freeze(std::size_t host, bool guest_too, Duration lasts) {
  Machine& machine = machines_[host];
  ++machine.engine_frozen;
  if (guest_too) ++machine.guest_frozen;
  queue.freeze(static_cast<int>(host));
  queue.after(lasts, no_process, [this, host, guest_too] {
    if (!healed_) thaw(host, guest_too);
  });
}

void World::thaw(std::size_t host, bool guest_too) {
  Machine& machine = machines_[host];
  if (guest_too) --machine.guest_frozen;
  if (--machine.engine_frozen > 0) return;
  queue.thaw(static_cast<int>(host));
  judge.forgive_pause(host, queue.now());
  network.retry_lanes();
}

void World::strike_guest(const Strike& strike) {
  const std::size_t host = strike.host;
  Machine& machine = machines_[host];
  Ailments& ails = machine.ails;
  switch (strike.fault) {
    case Fault::engine_crash:
      crash(host);
      queue.after(strike.lasts, no_process, [this, host] { start_engine(host); });
      return;
    case Fault::host_power_loss:
      network.vanish(host);
      crash(host);
      machine.kept.reset();
      machine.powered = false;
      queue.after(strike.lasts, no_process, [this, host] {
        machines_[host].powered = true;
        start_engine(host);
      });
      return;
    case Fault::engine_freeze:
      return freeze(host, false, strike.lasts);
    case Fault::host_freeze:
      return freeze(host, true, strike.lasts);
    case Fault::guest_dies:
    case Fault::guest_shuts_down:
    case Fault::standby_dies:
      return end_guest(strike);
    case Fault::replica_dies:
    case Fault::replica_hangs:
      return end_replica(strike);
    case Fault::capture_fails:
      ails.saves += strike.times;
      return;
    case Fault::pause_fails:
      ails.pauses += strike.times;
      return;
    case Fault::scan_fails:
      ails.scans += 1;
      return;
    case Fault::resume_fails:
      ails.resumes += strike.times;
      return;
    case Fault::boot_fails:
      ails.boots += 1;
      return;
    case Fault::flush_fails:
      ails.flushes += strike.times;
      return;
    case Fault::flush_slow:
      ails.slow_flush = true;
      return;
    case Fault::load_fails:
      ails.loads += strike.times;
      return;
    case Fault::state_never_loads:
      ails.bad_states += 1;
      return;
    case Fault::run_fails:
      ails.runs += strike.times;
      return;
    case Fault::standby_fails:
      ails.standbys += strike.times;
      return;
    case Fault::hook_fails:
      ails.hooks += strike.times;
      return;
    default:
      return;
  }
}

// Not before its engine has a chance to notice: its end is news like any other.
void World::end_guest(const Strike& strike) {
  Engine* there = engine(strike.host);
  if (there == nullptr || there->dead()) return;
  const auto guest = there->guest();
  if (!guest || guest->ended()) return;
  const bool standby = strike.fault == Fault::standby_dies;
  if (standby == guest->live()) return;
  const bool by_guest = strike.fault == Fault::guest_shuts_down;
  if (by_guest && !guest->running()) return;
  if (by_guest) judge.ordered_end();
  machines_[strike.host].guest_died = true;
  guest->kill();
  queue.after(std::chrono::microseconds(300), static_cast<int>(strike.host),
              [there, guest, by_guest] { there->guest_ended(*guest, by_guest); });
}

// One that hangs is noticed by its engine, or by the operator's takeover.
void World::end_replica(const Strike& strike) {
  Engine* there = engine(strike.host);
  if (there == nullptr || there->dead()) return;
  const auto replica = there->replica();
  if (!replica || replica->ended()) return;
  machines_[strike.host].guest_died = true;
  if (strike.fault == Fault::replica_hangs) return replica->hang();  // as good as dead
  replica->kill();
  queue.after(std::chrono::microseconds(300), static_cast<int>(strike.host),
              [there, replica] { there->guest_ended(*replica, false); });
}

// --- network -------------------------------------------------------------------------------------

void World::cut(std::size_t first, std::size_t last, int directions, Duration lasts) {
  for (std::size_t path = first; path < last; ++path) {
    for (std::size_t from = 0; from < 2; ++from) {
      if ((directions >> from & 1) == 0) continue;
      network.take_down(path, from);
      queue.after(lasts, no_process, [this, path, from] {
        if (!healed_) network.bring_up(path, from);
      });
    }
  }
}

void World::strike_network(const Strike& strike) {
  const std::size_t all = network.paths();
  const int one_way = strike.host == 0 ? 1 : 2;
  switch (strike.fault) {
    case Fault::cut:
      return cut(0, all, 3, strike.lasts);
    case Fault::one_way_cut:
      return cut(0, all, one_way, strike.lasts);
    case Fault::cut_lanes:
      return cut(0, 1, strike.times == 1 ? one_way : 3, strike.lasts);
    case Fault::cut_heartbeats:
      return cut(settings.shared_path ? 0 : 1, all, strike.times == 1 ? one_way : 3, strike.lasts);
    case Fault::blip:
      return cut(0, all, 3, settings.detector.lost_after * strike.times / 2);
    case Fault::lossy:
      network.make_lossy(600);
      return;
    case Fault::slow_link:
      network.make_slow(milliseconds(20 * strike.times));
      return;
    case Fault::reset_lanes:
      return network.reset_lanes();
    default:
      return;
  }
}

// --- arbiter and operator ------------------------------------------------------------------------

void World::strike_arbiter(const Strike& strike) {
  const auto down = [&](std::size_t host) {
    arbiter.down(host, true);
    queue.after(strike.lasts, no_process, [this, host] {
      if (!healed_) arbiter.down(host, false);
    });
  };
  switch (strike.fault) {
    case Fault::arbiter_down:
      down(0);
      down(1);
      return;
    case Fault::arbiter_down_here:
      return down(strike.host);
    case Fault::arbiter_slow:
      arbiter.slow(true);
      queue.after(strike.lasts, no_process, [this] { arbiter.slow(false); });
      return;
    case Fault::arbiter_answer_lost:
      return arbiter.lose_answers(strike.times);
    case Fault::arbiter_late:
      return arbiter.be_late(strike.times);
    default:
      return;
  }
}

void World::strike_operator(const Strike& strike) {
  Engine* there = engine(strike.host);
  if (there == nullptr || there->dead()) return;
  if (queue.frozen(static_cast<int>(strike.host))) return;
  switch (strike.fault) {
    case Fault::ask_takeover:
      // An operator who orders that has made sure that no other copy can go on.
      if (there->takeover_rolls_back()) {
        if (judge.any_copy()) return;
        judge.ordered_rollback();
      }
      return there->ask_takeover();
    case Fault::ask_stop:
      judge.ordered_end();
      return there->ask_stop();
    case Fault::ask_checkpoint:
      return there->ask_checkpoint();
    case Fault::ask_switchover:
      return there->ask_switchover();
    case Fault::ask_give_back:
      return there->ask_give_back();
    case Fault::set_mode:
      reach.mark(Mark::mode_changed);
      return there->set_mode(static_cast<primary::Mode>(strike.times % 3));
    case Fault::set_delay:
      return there->set_delay(settings.primary.delay * strike.times / 2);
    default:
      return;
  }
}

// --- healing -------------------------------------------------------------------------------------

void World::heal() {
  healed_ = true;
  bad_states_.clear();
  settings.staged_pages = 1024;
  settings.inbox = 1024;
  if (tracing()) note("world", "everything heals");
  network.heal();
  arbiter.heal();
  for (std::size_t host = 0; host < 2; ++host) {
    Machine& machine = machines_[host];
    machine.ails = {};
    machine.guest_frozen = 0;
    if (std::exchange(machine.engine_frozen, 0) > 0) queue.thaw(static_cast<int>(host));
    judge.forgive_pause(host, queue.now());
    machine.powered = true;
    if (machine.engine && !machine.engine->dead()) continue;
    queue.after(world_random.between(Duration{}, Duration(milliseconds(300))), no_process,
                [this, host] { start_engine(host); });
  }
  network.retry_lanes();
}

// What the pair cannot know by itself and an operator sees to: where no copy is left, the owner's
// engine (or, where nobody owns the guest, the first primary's) is started again and let boot.
void World::help() {
  if (queue.now() < next_help_) return;
  if (judge.any_copy()) return help_takeover();
  for (std::size_t host = 0; host < 2; ++host) {
    Engine* there = engine(host);
    if (there == nullptr || there->dead() || there->waits() || !there->takeover_rolls_back()) {
      continue;
    }
    if (tracing())
      note("operator", std::string("goes on with what is left on ") + host_names[host]);
    reach.mark(Mark::went_back);
    judge.ordered_rollback();
    next_help_ = queue.now() + 2 * settings.arbiter_timeout + milliseconds(1500);
    there->ask_takeover();
    return;
  }
  std::size_t host = 0;
  if (judge.owner().owner == host_names[1]) host = 1;
  Engine* there = engine(host);
  if (there == nullptr || there->dead() || there->starts()) return;
  // Another engine that only starts has not looked yet at what its host kept; whoever boots anew
  // asks it first.
  if (machines_[other(host)].kept) return;
  reach.mark(Mark::operator_needed);
  next_help_ =
      queue.now() + 2 * (settings.arbiter_timeout + settings.standby_takes) + milliseconds(1500);
  if (there->waits()) {
    if (tracing()) note("operator", std::string("lets ") + host_names[host] + " boot anew");
    there->ask_takeover();
    return;
  }
  if (tracing()) note("operator", std::string("restarts the engine of ") + host_names[host]);
  crash(host);
  start_engine(host);
}

// A takeover that failed where the peer has no guest any more: nothing but a retry is left.
void World::help_takeover() {
  for (std::size_t host = 0; host < 2; ++host) {
    Engine* there = engine(host);
    if (there == nullptr || there->dead() || !there->takeover_failed()) continue;
    if (judge.has_guest(other(host))) continue;
    reach.mark(Mark::operator_needed);
    next_help_ = queue.now() + milliseconds(1500);
    there->ask_takeover();
  }
}

}  // namespace colo::sim
