// Death in each phase of a checkpoint. The heavy load makes the phases long enough to be met; the
// logs tell afterwards whether one was.

#include "drill/catalogue.h"

namespace colo::drill {
namespace {

Fault kill_at(Part part, Role whose, std::optional<Moment> at) {
  return {Deed::kill, whose, part, std::move(at), {}, 0};
}

Drill in_phase(const std::string& name, const std::string& phase, Role phase_of, Fault fault,
               std::set<Outcome> allowed) {
  Drill made;
  made.name = name + "-in-" + phase;
  made.what = describe(fault) + ", in the phase " + phase;
  made.faults = {std::move(fault)};
  made.allowed = std::move(allowed);
  made.load = Load::heavy;
  made.phase = phase;
  made.phase_of = phase_of;
  return made;
}

// Both begin in the middle of the first copy, over a link that makes it long.
void add_first_copy(std::vector<Drill>& all) {
  Drill primary = in_phase("kill-host-primary", phase_initial_copy, Role::primary,
                           kill_at(Part::host, Role::primary, {}), {Outcome::ended});
  Drill secondary = in_phase("kill-host-secondary", phase_initial_copy, Role::primary,
                             kill_at(Part::host, Role::secondary, {}), {Outcome::unharmed});
  for (Drill* drill : {&primary, &secondary}) {
    drill->start = Start::first_copy;
    drill->lasts = milliseconds(1500);
    all.push_back(*drill);
  }
}

void add_of_primary(std::vector<Drill>& all) {
  const auto primary = Role::primary, secondary = Role::secondary;
  struct Case {
    const char* phase;
    const char* line;
  };
  for (const Case& one :
       {Case{phase_pass, "step: pass "}, Case{phase_standstill, "step: standstill "},
        Case{phase_stream, "step: sending "}, Case{phase_commit, "step: awaiting "}}) {
    all.push_back(in_phase("kill-host-primary", one.phase, primary,
                           kill_at(Part::host, primary, Moment{primary, one.line}),
                           {Outcome::taken_over}));
    all.push_back(in_phase("kill-host-secondary", one.phase, primary,
                           kill_at(Part::host, secondary, Moment{primary, one.line}),
                           {Outcome::kept}));
    Drill crash =
        in_phase("kill-qemu-primary", one.phase, primary,
                 kill_at(Part::qemu, primary, Moment{primary, one.line}), {Outcome::taken_over});
    crash.embedded = false;
    all.push_back(crash);
  }
  // The commit happened, but its acknowledgement never arrives.
  Drill unheard = in_phase("kill-host-primary", phase_commit, primary,
                           kill_at(Part::host, primary, {}), {Outcome::taken_over});
  unheard.faults.front().after = milliseconds(600);  // more than a checkpoint, less than lost_after
  unheard.name = "kill-host-primary-before-acknowledgement";
  unheard.what = "a checkpoint is committed, its acknowledgement is lost, the primary dies";
  unheard.faults.insert(unheard.faults.begin(), {Deed::silence_to, primary, Part::host, {}, {}, 0});
  unheard.clock = 1;
  all.push_back(unheard);
}

void add_of_secondary(std::vector<Drill>& all) {
  const auto primary = Role::primary, secondary = Role::secondary;
  all.push_back(in_phase("kill-host-primary", phase_flush, secondary,
                         kill_at(Part::host, primary, Moment{secondary, "step: flushing"}),
                         {Outcome::taken_over}));
  all.push_back(in_phase("kill-engine-secondary", phase_flush, secondary,
                         kill_at(Part::engine, secondary, Moment{secondary, "step: flushing"}),
                         {Outcome::kept}));
  // Two faults: the primary dies, and what was to replace it dies while it loads. A fresh standby
  // loads the checkpoint, which is kept.
  Drill load = in_phase("kill-qemu-secondary", phase_load, secondary,
                        kill_at(Part::qemu, secondary, Moment{secondary, "step: loading"}),
                        {Outcome::taken_over});
  load.what = "the primary dies, and the standby too while it loads";
  load.faults.insert(load.faults.begin(), kill_at(Part::host, primary, {}));
  load.load = Load::light;
  load.embedded = false;  // its load is too short to be met, and it has no process of its own
  load.reachable = milliseconds(20'000);
  load.colo = false;  // a replica that runs is not loaded: see kill-primary-and-replica
  all.push_back(load);
}

}  // namespace

void add_phase_drills(std::vector<Drill>& all) {
  add_first_copy(all);
  add_of_primary(all);
  add_of_secondary(all);
}

}  // namespace colo::drill
