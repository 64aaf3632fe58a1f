#include "app/flow_tables.h"

#include "compare/rewriter.h"
#include "io/clock.h"

namespace colo::app {

Result<bool> FlowTables::add(Epoch checkpoint, const wire::Flows& part) {
  const auto known = tables_.find(checkpoint);
  if (known == tables_.end() && tables_.size() >= tables_max) {
    return fail("too-many-flows", "tables of rewritten connections came for too many checkpoints");
  }
  Table& table = tables_[checkpoint];
  if (std::exchange(table.whole, false)) table.bytes.clear();
  if (table.bytes.size() + part.part.size() > wire::flows_bytes_max) {
    return fail("flows-too-large", "a table of rewritten connections is larger than any can be");
  }
  table.bytes.insert(table.bytes.end(), part.part.begin(), part.part.end());
  if (!part.last) return false;
  // Before anything depends on it.
  compare::Rewriter probe{compare::RewriterLimits{}};
  if (auto fits = probe.import_table(table.bytes, io::steady_now()); !fits) {
    return fail(fits.error());
  }
  table.whole = true;
  return true;
}

bool FlowTables::whole(Epoch checkpoint) const {
  const auto known = tables_.find(checkpoint);
  return known != tables_.end() && known->second.whole;
}

Bytes FlowTables::take(Epoch checkpoint) {
  Bytes taken;
  if (const auto known = tables_.find(checkpoint); known != tables_.end() && known->second.whole) {
    taken = std::move(known->second.bytes);
  }
  tables_.erase(tables_.begin(), tables_.upper_bound(checkpoint));
  return taken;
}

}  // namespace colo::app
