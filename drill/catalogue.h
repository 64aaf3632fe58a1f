// All drills there are, with the outcomes they allow. docs/drills.md says why.
#pragma once

#include <vector>

#include "drill/drill.h"

namespace colo::drill {

[[nodiscard]] const std::vector<Drill>& catalogue();

// Parts of it.
void add_death_drills(std::vector<Drill>& all);
void add_link_drills(std::vector<Drill>& all);
void add_arbiter_drills(std::vector<Drill>& all);
void add_phase_drills(std::vector<Drill>& all);
void add_double_drills(std::vector<Drill>& all);
void add_replica_drills(std::vector<Drill>& all);
void add_switchover_drills(std::vector<Drill>& all);

}  // namespace colo::drill
