// The primary's tables of rewritten connections, as they arrive in parts: one for each checkpoint
// of a guest that is compared, or that was a replica itself.
//
// Bounded: a few tables, each of wire::flows_bytes_max. Threads: none.
// Errors: "flows-too-large", "too-many-flows" (what no primary sends); "bad-flow-table".
#pragma once

#include <map>

#include "base/result.h"
#include "base/types.h"
#include "wire/messages.h"

namespace colo::app {

class FlowTables {
 public:
  // True: this part made the table whole.
  Result<bool> add(Epoch checkpoint, const wire::Flows& part);
  [[nodiscard]] bool whole(Epoch checkpoint) const;
  // Empty where none came. Older ones are forgotten.
  [[nodiscard]] Bytes take(Epoch checkpoint);

 private:
  // A primary has one checkpoint under way, and cuts it once.
  static constexpr std::size_t tables_max = 4;
  struct Table {
    Bytes bytes;
    bool whole = false;
  };
  std::map<Epoch, Table> tables_;
};

}  // namespace colo::app
