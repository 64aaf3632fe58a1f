#include "tests/pair/faults.h"

namespace colo::pair {

using std::chrono::milliseconds;

namespace {

constexpr int always = 1'000'000;

void kill_primary(World& world) { world.kill(Host::alpha, false); }

void switch_over(World& world) {
  world.ask(Host::alpha, primary::Event(primary::SwitchoverAsked{}));
}
void take_over(World& world) {
  world.ask(Host::beta, secondary::Event(secondary::TakeoverAsked{}));
}

// A link that comes back, and an engine that does.
std::vector<Fault> faults_of_return() {
  return {
      {"the link flaps",
       [](World& w) {
         for (int i = 0; i < 3; ++i) {
           w.cut();
           w.run(milliseconds(1150));
           w.heal();
           w.run(milliseconds(350));
         }
       }},
      {"the link is cut for as long as the detectors wait",
       [](World& w) {
         w.cut();
         w.run(milliseconds(1001));
         w.heal();
       }},
      {"the link is cut into the grace",
       [](World& w) {
         w.cut();
         w.run(milliseconds(1200));
         w.heal();
       }},
      {"the link is cut and comes back as the grace ends",
       [](World& w) {
         w.cut();
         w.run(milliseconds(1396));
         w.heal();
       }},
      {"an acknowledgement is lost with the link, which comes back",
       [](World& w) {
         w.drop_next_ack();
         w.run(milliseconds(30));
         w.cut();
         w.run(milliseconds(1100));
         w.heal();
       }},
      {"the secondary's engine restarts with its checkpoint",
       [](World& w) { w.restart_secondary(); }, true},
      {"the secondary's engine restarts, then the primary is killed",
       [](World& w) {
         w.restart_secondary();
         w.run(milliseconds(700));
         kill_primary(w);
       }},
      {"the primary is killed, then the secondary's engine restarts before it claims",
       [](World& w) {
         w.kill(Host::alpha, true);
         w.run(milliseconds(900));
         w.restart_secondary();
       },
       false, false, true},
  };
}

std::vector<Fault> faults_of_handing_over() {
  return {
      {"the operator asks for a switchover", switch_over},
      {"a switchover whose load fails",
       [](World& w) {
         w.fail_loads(1);
         switch_over(w);
       },
       true},
      {"a switchover whose capture fails",
       [](World& w) {
         w.fail_captures(1);
         switch_over(w);
       },
       true},
      {"a switchover whose hook fails",
       [](World& w) {
         w.fail_hooks(always);
         switch_over(w);
       }},
      {"a switchover, and the arbiter is unreachable",
       [](World& w) {
         w.arbiter_reachable(false);
         switch_over(w);
       }},
      {"a switchover, and the target's claim is answered to nobody",
       [](World& w) {
         w.lose_next_answer();
         switch_over(w);
       }},
      {"a takeover whose loads fail is given back",
       [](World& w) {
         w.fail_loads(always);
         take_over(w);
       }},
      {"a takeover whose hook fails is given back",
       [](World& w) {
         w.fail_hooks(always);
         take_over(w);
       }},
      {"a takeover whose loads fail while the link is cut",
       [](World& w) {
         w.fail_loads(always);
         take_over(w);
         w.run(milliseconds(3));
         w.cut();
       }},
      {"a hook fails, the primary is gone, the operator tries again",
       [](World& w) {
         w.fail_hooks(1);
         kill_primary(w);
         w.run(milliseconds(400));
         take_over(w);
       }},
      {"the guest of a loser dies",
       [](World& w) {
         take_over(w);
         w.run(milliseconds(6));
         w.end_guest(false);
       }},
  };
}

std::vector<Fault> make_faults() {
  const primary::Event stop_primary = primary::StopAsked{};
  const secondary::Event stop_secondary = secondary::StopAsked{};
  return {
      {"kill the primary", kill_primary},
      {"lose the primary's host", [](World& w) { w.kill(Host::alpha, true); }},
      {"kill the secondary", [](World& w) { w.kill(Host::beta, false); }, true},
      {"lose the secondary's host", [](World& w) { w.kill(Host::beta, true); }, true},
      {"cut the link", [](World& w) { w.cut(); }},
      {"cut the link for half a second",
       [](World& w) {
         w.cut();
         w.run(milliseconds(500));
         w.heal();
       }},
      {"drop the next acknowledgement", [](World& w) { w.drop_next_ack(); }},
      {"the guest's QEMU dies", [](World& w) { w.end_guest(false); }},
      {"the guest shuts down", [](World& w) { w.end_guest(true); }, false, true},
      {"a flush fails", [](World& w) { w.fail_flushes(1); }, true},
      {"flushes fail for ever", [](World& w) { w.fail_flushes(always); }, true},
      {"a flush fails, then the primary is killed",
       [](World& w) {
         w.fail_flushes(2);
         kill_primary(w);
       }},
      {"the load fails once",
       [](World& w) {
         w.fail_loads(1);
         kill_primary(w);
       }},
      {"the load fails always",
       [](World& w) {
         w.fail_loads(always);
         kill_primary(w);
       },
       false, true},
      {"the arbiter is unreachable for a while", [](World& w) { w.arbiter_reachable(false); },
       true},
      {"the arbiter is unreachable and the link is cut",
       [](World& w) {
         w.arbiter_reachable(false);
         w.cut();
       }},
      {"a claim's answer is lost while the link is cut",
       [](World& w) {
         w.lose_next_answer();
         w.cut();
       }},
      {"the standby dies", [](World& w) { w.end_standby(); }, true},
      {"the standby dies with the primary",
       [](World& w) {
         w.end_standby();
         kill_primary(w);
       }},
      {"the standby dies during the takeover",
       [](World& w) {
         kill_primary(w);
         w.run(milliseconds(8));
         w.end_standby();
       }},
      {"a capture fails", [](World& w) { w.fail_captures(1); }, true},
      {"captures fail for ever", [](World& w) { w.fail_captures(always); }},
      {"the operator asks for a takeover",
       [](World& w) { w.ask(Host::beta, secondary::Event(secondary::TakeoverAsked{})); }},
      {"the primary is stopped", [stop_primary](World& w) { w.ask(Host::alpha, stop_primary); },
       false, true},
      {"the secondary is stopped",
       [stop_secondary](World& w) { w.ask(Host::beta, stop_secondary); }, true},
  };
}

}  // namespace

const std::vector<Fault>& all_faults() {
  static const std::vector<Fault> faults = [] {
    std::vector<Fault> all = make_faults();
    for (Fault& fault : faults_of_return()) all.push_back(std::move(fault));
    for (Fault& fault : faults_of_handing_over()) all.push_back(std::move(fault));
    return all;
  }();
  return faults;
}

Options matrix_options() {
  Options options;
  options.primary.answer_timeout = milliseconds(1500);
  options.primary.capture_retry = milliseconds(200);
  return options;
}

Options colo_options() {
  Options options = matrix_options();
  options.primary.mode = primary::Mode::colo;
  options.primary.max_interval = milliseconds(200);
  return options;
}

const std::vector<Fault>& colo_faults() {
  static const std::vector<Fault> faults = {
      {"the replica dies", [](World& w) { w.end_replica(); }, true},
      {"the replica differs", [](World& w) { w.replica_differs(); }, true},
      {"the replica does not run once", [](World& w) { w.fail_replicas(1); }, true},
      {"no replica ever runs", [](World& w) { w.fail_replicas(always); }, true},
      {"loads fail for ever", [](World& w) { w.fail_loads(always); }, true},
      {"a replica does not run once, then the primary is killed",
       [](World& w) {
         w.fail_replicas(1);
         w.run(milliseconds(215));
         kill_primary(w);
       }},
      {"no replica ever runs, and the primary is killed as it is told",
       [](World& w) {
         w.fail_replicas(always);
         // As it is told, if it ever is; until then there are steps to be taken.
         for (int i = 0; i < 2000 && !w.told_of_a_lost_replica(); ++i) w.step();
         w.fail_replicas(0);
         kill_primary(w);
       }},
      {"the mode is set to periodic",
       [](World& w) { w.ask(Host::alpha, primary::Event(primary::ModeSet{})); }, true},
      {"the mode is set to periodic and back",
       [](World& w) {
         w.ask(Host::alpha, primary::Event(primary::ModeSet{}));
         w.run(milliseconds(5));
         w.ask(Host::alpha, primary::Event(primary::ModeSet{primary::Mode::colo}));
       },
       true},
      {"the mode is set to periodic, then the primary is killed",
       [](World& w) {
         w.ask(Host::alpha, primary::Event(primary::ModeSet{}));
         w.run(milliseconds(9));
         kill_primary(w);
       }},
      {"the replica differs, then the primary is killed",
       [](World& w) {
         w.replica_differs();
         w.run(milliseconds(60));
         kill_primary(w);
       }},
      {"the operator takes over, and the replica dies with the claim",
       [](World& w) {
         take_over(w);
         w.run(milliseconds(1));
         w.end_replica();
       }},
      {"the operator takes over, and the replica dies before its hooks are through",
       [](World& w) {
         take_over(w);
         w.run(milliseconds(4));
         w.end_replica();
       }},
  };
  return faults;
}

void run_with(World& world, std::uint64_t steps, const Fault& fault) {
  while (world.steps() < steps && world.step()) {
  }
  fault.put(world);
  world.run(milliseconds(3000));
  world.heal();
  world.arbiter_reachable(true);
  world.run(milliseconds(2500));
}

std::vector<std::string> complaints(World& world, const Fault& fault, bool was_committed) {
  const Point before = world.judge().client_saw();
  world.run(milliseconds(1000));
  std::vector<std::string> all = world.judge().violations();
  const bool alpha = world.alpha_runs();
  const bool beta = world.beta_runs();
  const bool may_end = fault.may_end_guest || !was_committed;
  if (alpha && beta) all.push_back("L4: both guests run");
  if (!alpha && !beta && !may_end) all.push_back("L5: no guest runs");
  if (fault.spares_primary && !alpha) all.push_back("L6: the primary's guest does not run");
  if ((alpha || beta) && world.judge().client_saw() == before) {
    all.push_back("L5: a guest runs, but the client hears nothing of it");
  }
  return all;
}

}  // namespace colo::pair
