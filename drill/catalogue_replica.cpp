// Faults that only COLO mode knows: of the replica, of the spare that will replace it, and of the
// primary while it is replaced.

#include "drill/catalogue.h"

namespace colo::drill {
namespace {

Drill of_colo(std::string name, std::string what, std::vector<Fault> faults,
              std::set<Outcome> allowed) {
  Drill made;
  made.name = std::move(name);
  made.what = std::move(what);
  made.faults = std::move(faults);
  made.allowed = std::move(allowed);
  made.clock = made.faults.size() - 1;
  made.periodic = false;
  return made;
}

Drill brief(Drill made, milliseconds time) {
  made.embedded = false;  // its replica has no process of its own
  made.lasts = time;
  return made;
}

Drill at_step(Drill made, const std::string& phase) {
  made.load = Load::heavy;
  made.phase = phase;
  made.phase_of = Role::secondary;
  return made;
}

Fault deed(Deed what, Part part, Role whose) { return {what, whose, part, {}, {}, 0}; }

Fault kill_primary_at(const std::string& step) {
  return {Deed::kill, Role::primary, Part::host, Moment{Role::secondary, "step: " + step}, {}, 0};
}

}  // namespace

void add_replica_drills(std::vector<Drill>& all) {
  const auto primary = Role::primary, secondary = Role::secondary;
  all.push_back(brief(of_colo("freeze-replica-briefly", "the replica hangs for a second",
                              {deed(Deed::freeze, Part::qemu, secondary)}, {Outcome::unharmed}),
                      milliseconds(1000)));
  all.push_back(
      brief(of_colo("kill-spare", "what will replace the replica is killed; a new one is made",
                    {deed(Deed::kill, Part::spare, secondary)}, {Outcome::unharmed}),
            milliseconds(3000)));
  all.push_back(brief(
      of_colo("freeze-spare", "what will replace the replica hangs for 3 s",
              {deed(Deed::freeze, Part::spare, secondary)}, {Outcome::unharmed, Outcome::kept}),
      milliseconds(3000)));

  // The newest checkpoint is complete and its replica does not run yet: it is finished first.
  Drill load = at_step(of_colo("kill-host-primary-in-load", "killed while the next replica loads",
                               {kill_primary_at("loading")}, {Outcome::taken_over}),
                       phase_load);
  load.embedded = false;  // its load is too short to be met
  all.push_back(load);
  all.push_back(
      at_step(of_colo("kill-host-primary-in-start", "killed when the next replica is told to run",
                      {kill_primary_at("starting")}, {Outcome::taken_over}),
              phase_start));
  Drill freeze = at_step(of_colo("freeze-host-primary-in-flush",
                                 "stands still while the replica is replaced, and wakes",
                                 {kill_primary_at("flushing")}, {Outcome::taken_over}),
                         phase_flush);
  freeze.faults.front().deed = Deed::freeze;
  all.push_back(freeze);

  // Two faults. What was released since the checkpoint is in nobody's past but theirs, so going
  // back to it would be worse than a guest that ended.
  all.push_back(brief(
      of_colo("kill-replica-and-primary", "the replica dies, and the primary right behind it",
              {deed(Deed::kill, Part::qemu, secondary), deed(Deed::kill, Part::host, primary)},
              {Outcome::ended}),
      milliseconds(3000)));
  all.push_back(brief(
      of_colo("kill-primary-and-replica", "the primary dies, and the replica right behind it",
              {deed(Deed::kill, Part::host, primary), deed(Deed::kill, Part::qemu, secondary)},
              {Outcome::ended}),
      milliseconds(3000)));
}

}  // namespace colo::drill
