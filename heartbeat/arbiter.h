// Who owns the guest (law L4). The arbiter decides between two hosts that cannot hear each other:
// a claim is the atomic request "generation g -> g+1, owner = me".
//
// Threads: calls may block for as long as the storage does; never call them from the engine's
//   loop. One thread at a time.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace colo::heartbeat {

// The owner of one generation. owner is empty where the guest was ended on purpose (nobody).
struct Ownership {
  Generation generation;
  std::string owner;
  std::string run;  // a random word per engine process: a restarted engine is not the same owner
  friend bool operator==(const Ownership&, const Ownership&) = default;
};

struct Claim {
  Generation from;  // what the claimant believes is current
  std::string owner;
  std::string run;
};

struct ClaimWon {
  Generation generation;
};
struct ClaimLost {
  Ownership current;
};
using ClaimAnswer = std::variant<ClaimWon, ClaimLost>;

class Arbiter {
 public:
  virtual ~Arbiter() = default;
  // An error means unanswered: the claim may have been won or not. Repeating the same claim is
  // safe: it is won again if it was won before.
  virtual Result<ClaimAnswer> claim(const Claim& claim) = 0;
  // The current ownership; generation 0 and no owner when there has been none.
  virtual Result<Ownership> current() = 0;
  // Every ownership, oldest first: who held the guest, in order.
  virtual Result<std::vector<Ownership>> history() = 0;
};

}  // namespace colo::heartbeat
