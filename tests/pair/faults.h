// The faults that are put at every step, and what must hold after each.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/pair/world.h"

namespace colo::pair {

struct Fault {
  std::string name;
  std::function<void(World&)> put;
  // Nothing of the primary's host is touched: its guest goes on there (L6).
  bool spares_primary = false;
  // The guest may end for good: the operator asked, or it cannot be loaded.
  bool may_end_guest = false;
  // It takes the replica and the primary's guest: without a checkpoint to go back to, in COLO mode
  // that is the end.
  bool may_end_in_colo = false;
};

const std::vector<Fault>& all_faults();

// Of a replica; only for a world in COLO mode.
const std::vector<Fault>& colo_faults();

Options matrix_options();
Options colo_options();

// Runs `steps` steps, puts the fault, lets time pass, heals, lets time pass.
void run_with(World& world, std::uint64_t steps, const Fault& fault);

// What is broken after run_with(); empty if nothing is.
std::vector<std::string> complaints(World& world, const Fault& fault, bool was_committed);

}  // namespace colo::pair
