// What became of a guest, and whether that is allowed: rules over what was seen from outside.
//
// Role: pure; it looks at a record and at what the network and the arbiter showed. Threads: none.
#pragma once

#include <string>
#include <vector>

#include "demo/speakers.h"
#include "drill/record.h"

namespace colo::drill {

// What was seen besides what the record has already.
struct Seen {
  std::string primary;                   // the host that ran the guest before the fault
  std::uint64_t generation = 0;          // the newest before the fault
  std::vector<demo::Spoken> frames;      // over the whole round
  bool answers = false;                  // the guest answered the client in the end
  std::uint64_t replies_in_silence = 0;  // while a drill that is `silent` lasted
};

// From the owners in the record.
[[nodiscard]] Outcome outcome_of(const Drill& drill, const Record& record, const Seen& seen);

// "alpha", "beta": who was heard, each time it was another one than before.
[[nodiscard]] std::vector<std::string> speakers_of(const std::vector<demo::Spoken>& frames);
// Empty if each host spoke in generations of its own only, else what was heard against that.
[[nodiscard]] std::string out_of_turn(const std::vector<demo::Spoken>& frames,
                                      const std::vector<Owner>& owners);

// Fills outcome, speakers and checks.
void judge(const Drill& drill, const Seen& seen, Record& record);

}  // namespace colo::drill
