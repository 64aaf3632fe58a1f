#include "drill/catalogue.h"

namespace colo::drill {
namespace {

using std::chrono::seconds;

Fault kill(Part part, Role whose) { return {Deed::kill, whose, part, {}, {}, 0}; }
Fault freeze(Part part, Role whose) { return {Deed::freeze, whose, part, {}, {}, 0}; }
Fault link(Deed deed, Role whose = Role::primary) { return {deed, whose, Part::host, {}, {}, 0}; }
Fault arbiter_down() { return {Deed::arbiter_down, Role::primary, Part::host, {}, {}, 0}; }
Fault arbiter_cut(Role whose) { return {Deed::arbiter_cut, whose, Part::host, {}, {}, 0}; }

Drill drill(std::string name, std::string what, std::vector<Fault> faults,
            std::set<Outcome> allowed) {
  Drill made;
  made.name = std::move(name);
  made.what = std::move(what);
  made.faults = std::move(faults);
  made.allowed = std::move(allowed);
  made.clock = made.faults.size() - 1;
  return made;
}

Drill lasting(Drill made, milliseconds time) {
  made.lasts = time;
  return made;
}

// Output waits for the arbiter; the guest answers once it is back.
Drill waiting(Drill made) {
  made.lasts = milliseconds(2000);
  made.silent = true;
  return made;
}

Drill in_colo(Drill made, InColo other) {
  made.in_colo = std::move(other);
  return made;
}

Drill of_qemu(Drill made) {
  made.embedded = false;
  return made;
}

constexpr auto unharmed = Outcome::unharmed;
constexpr auto kept = Outcome::kept;
constexpr auto taken_over = Outcome::taken_over;

}  // namespace

const std::vector<Drill>& catalogue() {
  static const std::vector<Drill> all = [] {
    std::vector<Drill> made;
    add_death_drills(made);
    add_link_drills(made);
    add_arbiter_drills(made);
    add_phase_drills(made);
    add_double_drills(made);
    add_replica_drills(made);
    add_switchover_drills(made);
    return made;
  }();
  return all;
}

void add_death_drills(std::vector<Drill>& all) {
  all.push_back(drill("kill-host-primary", "everything on the primary's host is killed",
                      {kill(Part::host, Role::primary)}, {taken_over}));
  all.push_back(drill("kill-engine-primary", "the primary's engine is killed, and so its guest",
                      {kill(Part::engine, Role::primary)}, {taken_over}));
  all.push_back(of_qemu(drill("kill-qemu-primary", "the guest's process is killed",
                              {kill(Part::qemu, Role::primary)}, {taken_over})));
  all.push_back(drill("kill-host-secondary", "everything on the secondary's host is killed",
                      {kill(Part::host, Role::secondary)}, {kept}));
  all.push_back(drill("kill-engine-secondary", "the secondary's engine is killed",
                      {kill(Part::engine, Role::secondary)}, {kept}));
  all.push_back(
      in_colo(of_qemu(lasting(
                  drill("kill-qemu-secondary", "the standby's process is killed; a new one is made",
                        {kill(Part::qemu, Role::secondary)}, {unharmed}),
                  seconds(3))),
              {{kept}, "the replica's is: it is lost, and the primary goes on", {}, phase_idle}));

  all.push_back(drill("freeze-host-primary",
                      "the primary's host stands still, and wakes when the other took over",
                      {freeze(Part::host, Role::primary)}, {taken_over}));
  all.push_back(of_qemu(drill("freeze-engine-primary",
                              "the primary's engine stands still; its guest runs on, unheard",
                              {freeze(Part::engine, Role::primary)}, {taken_over})));
  Drill hang = of_qemu(drill("freeze-qemu-primary", "the guest's process hangs for good",
                             {freeze(Part::qemu, Role::primary)}, {taken_over}));
  hang.reachable = seconds(30);  // the bounds of QEMU's commands, one after the other
  all.push_back(hang);
  all.push_back(lasting(drill("freeze-host-primary-briefly", "half of lost_after, then it wakes",
                              {freeze(Part::host, Role::primary)}, {unharmed}),
                        milliseconds(500)));
  all.push_back(
      of_qemu(lasting(drill("freeze-qemu-primary-briefly", "the guest's process hangs for a second",
                            {freeze(Part::qemu, Role::primary)}, {unharmed}),
                      seconds(1))));
  all.push_back(drill("freeze-host-secondary", "the secondary's host stands still, and wakes",
                      {freeze(Part::host, Role::secondary)}, {kept}));
  all.push_back(of_qemu(drill("freeze-engine-secondary", "the secondary's engine stands still",
                              {freeze(Part::engine, Role::secondary)}, {kept})));
  all.push_back(in_colo(
      of_qemu(lasting(drill("freeze-qemu-secondary", "the standby's process stands still for 3 s",
                            {freeze(Part::qemu, Role::secondary)}, {unharmed}),
                      seconds(3))),
      {{kept, unharmed},
       "the replica's does, for longer than colo.behind: lost, or replaced first",
       {},
       phase_idle}));
}

void add_link_drills(std::vector<Drill>& all) {
  all.push_back(drill("silent-drop", "the link swallows everything both ways; nobody is reset",
                      {link(Deed::cut)}, {kept}));
  all.push_back(of_qemu(drill("unplugged", "the cable is out: both hosts lose the carrier",
                              {link(Deed::unplug)}, {kept})));
  all.push_back(drill("one-way-to-primary", "what the secondary sends does not arrive",
                      {link(Deed::silence_to, Role::primary)}, {kept}));
  // Only the secondary suspects. It tells nobody but the arbiter, and its claim is the first.
  all.push_back(drill("one-way-to-secondary", "what the primary sends does not arrive",
                      {link(Deed::silence_to, Role::secondary)}, {kept, taken_over}));
  // Certain news on both sides: whoever claims first.
  all.push_back(drill("reset-link", "every connection is reset; both hosts live",
                      {link(Deed::reset_link)}, {kept, taken_over}));
  all.push_back(
      lasting(drill("blip-0.1", "the link is silent for 0.1 s", {link(Deed::cut)}, {unharmed}),
              milliseconds(100)));
  // As long as lost_after: either side may just have begun to suspect.
  all.push_back(
      lasting(drill("blip-1", "the link is silent for 1 s", {link(Deed::cut)}, {unharmed, kept}),
              seconds(1)));
  all.push_back(lasting(drill("blip-5", "the link is silent for 5 s", {link(Deed::cut)}, {kept}),
                        seconds(5)));
  Drill grace = lasting(
      drill("blip-5-within-grace", "the link is silent for 5 s, and both sides wait for 10 s",
            {link(Deed::cut)}, {unharmed}),
      seconds(5));
  grace.grace_ms = 10'000;
  all.push_back(grace);
}

void add_arbiter_drills(std::vector<Drill>& all) {
  const auto primary = Role::primary, secondary = Role::secondary;
  all.push_back(lasting(drill("arbiter-down", "no host reaches the arbiter; nothing else happens",
                              {arbiter_down()}, {unharmed}),
                        seconds(2)));
  all.push_back(lasting(
      drill("arbiter-cut-from-primary", "nothing else happens", {arbiter_cut(primary)}, {unharmed}),
      seconds(2)));
  all.push_back(lasting(drill("arbiter-cut-from-secondary", "nothing else happens",
                              {arbiter_cut(secondary)}, {unharmed}),
                        seconds(2)));
  all.push_back(waiting(drill("arbiter-down-kill-primary", "nobody may go live until it is back",
                              {arbiter_down(), kill(Part::host, primary)}, {taken_over})));
  all.push_back(waiting(drill("arbiter-down-kill-secondary",
                              "the guest runs, its output waits until the arbiter is back",
                              {arbiter_down(), kill(Part::host, secondary)}, {kept})));
  all.push_back(waiting(drill("arbiter-cut-from-secondary-kill-primary",
                              "the secondary cannot claim until it reaches the arbiter",
                              {arbiter_cut(secondary), kill(Part::host, primary)}, {taken_over})));
  all.push_back(waiting(drill("arbiter-cut-from-primary-kill-secondary",
                              "the primary cannot claim until it reaches the arbiter",
                              {arbiter_cut(primary), kill(Part::host, secondary)}, {kept})));
}

void add_double_drills(std::vector<Drill>& all) {
  const auto primary = Role::primary, secondary = Role::secondary;
  all.push_back(drill("cut-and-kill-primary", "the link falls silent and the primary dies",
                      {link(Deed::cut), kill(Part::host, primary)}, {taken_over}));
  all.push_back(drill("cut-and-kill-secondary", "the link falls silent and the secondary dies",
                      {link(Deed::cut), kill(Part::host, secondary)}, {kept}));
  all.push_back(drill("cut-and-arbiter-cut-from-primary",
                      "only the secondary can claim; the primary's output waits",
                      {arbiter_cut(primary), link(Deed::cut)}, {taken_over}));
  all.push_back(drill("cut-and-arbiter-cut-from-secondary", "only the primary can claim",
                      {arbiter_cut(secondary), link(Deed::cut)}, {kept}));
  all.push_back(waiting(drill("cut-and-arbiter-down", "nobody can claim",
                              {arbiter_down(), link(Deed::cut)}, {kept, taken_over})));
  all.push_back(drill("freeze-primary-and-arbiter-cut-from-it",
                      "it wakes and cannot ask whether it still owns the guest",
                      {arbiter_cut(primary), freeze(Part::host, primary)}, {taken_over}));
  // An acknowledgement waits in the socket of an engine that stands still. When it wakes, the other
  // host owns the guest: nothing may leave by that acknowledgement.
  Drill late =
      drill("freeze-primary-before-acknowledgement",
            "it wakes with an acknowledgement from before the takeover",
            {link(Deed::silence_to, primary), freeze(Part::host, primary), link(Deed::mend)},
            {taken_over});
  late.faults[1].after = milliseconds(600);  // more than a checkpoint, less than lost_after
  late.clock = 1;
  all.push_back(late);
  Drill stuck = of_qemu(drill(
      "freeze-standby-and-kill-primary", "the standby hangs when it is needed: a fresh one is made",
      {freeze(Part::qemu, secondary), kill(Part::host, primary)}, {taken_over}));
  stuck.reachable = seconds(30);
  all.push_back(in_colo(stuck, {{Outcome::ended},
                                "the replica is all there was to go on from, and it hangs",
                                seconds(5),
                                {}}));
  Drill slow = drill("slow-link-and-kill-primary", "killed while checkpoints crawl",
                     {link(Deed::slow_link), kill(Part::host, primary)}, {taken_over});
  slow.faults[0].bytes_per_second = 2'000'000;
  slow.faults[1].after = milliseconds(700);
  all.push_back(slow);
}

}  // namespace colo::drill
