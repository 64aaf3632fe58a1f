// The planned move, undisturbed and interrupted at each of its steps.

#include "drill/catalogue.h"

namespace colo::drill {
namespace {

Fault ask() { return {Deed::switchover, Role::primary, Part::host, {}, {}, 0}; }

Drill switchover(std::string name, std::string what, std::set<Outcome> allowed) {
  Drill made;
  made.name = std::move(name);
  made.what = std::move(what);
  made.faults = {ask()};
  made.allowed = std::move(allowed);
  return made;
}

}  // namespace

void add_switchover_drills(std::vector<Drill>& all) {
  all.push_back(switchover("switchover", "the guest is moved on purpose", {Outcome::moved}));
  Drill takeover = switchover("takeover-asked", "the operator lets the secondary take over",
                              {Outcome::taken_over});
  takeover.faults.front().deed = Deed::takeover;
  all.push_back(takeover);

  for (const std::string step : {"passing", "saving", "loading", "claiming"}) {
    const Moment at{Role::primary, "HANDING-OVER/" + step};
    const bool returns = step != "claiming";  // before the point of no return
    const auto interrupted = [&](const std::string& name, Fault fault, std::set<Outcome> allowed) {
      Drill made =
          switchover("switchover-" + name + "-in-" + step,
                     "switchover; " + describe(fault) + " while it is " + step, std::move(allowed));
      fault.at = at;
      made.faults.push_back(std::move(fault));
      made.clock = 1;
      if (step == "passing") made.load = Load::heavy;  // or it is too short to be met
      made.phase = step;
      all.push_back(std::move(made));
    };
    interrupted("kill-source", {Deed::kill, Role::primary, Part::host, {}, {}, 0},
                {Outcome::moved});
    interrupted("kill-target", {Deed::kill, Role::secondary, Part::host, {}, {}, 0},
                returns ? std::set{Outcome::kept}
                        : std::set{Outcome::kept, Outcome::given_back, Outcome::moved});
    interrupted("freeze-target", {Deed::freeze, Role::secondary, Part::host, {}, {}, 0},
                returns ? std::set{Outcome::kept}
                        : std::set{Outcome::kept, Outcome::given_back, Outcome::moved});
    interrupted("cut", {Deed::cut, Role::primary, Part::host, {}, {}, 0},
                returns ? std::set{Outcome::kept, Outcome::moved}
                        : std::set{Outcome::kept, Outcome::given_back, Outcome::moved});
  }
}

}  // namespace colo::drill
