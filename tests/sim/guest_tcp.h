// The TCP of the simulated guest: a server that answers each request. What it has received and what
// it answers follows from what it was told; its own numbers, clocks and segments are its own.
// Threads: none.
#pragma once

#include <array>
#include <deque>
#include <string>

#include "tests/sim/clients.h"
#include "tests/sim/frames.h"
#include "tests/sim/random.h"

namespace colo::sim {

class GuestTcp {
 public:
  // Takes a client's segment. The bytes of a request that are new in it; none: it said nothing new.
  [[nodiscard]] std::string take(const Bytes& frame, std::uint32_t clock, Random& random,
                                 std::deque<Bytes>& outbox);
  // The answer to that request, of the guest at this point.
  void answer(const Connection& connection, Point point, std::uint32_t clock, Random& random,
              std::deque<Bytes>& outbox);
  [[nodiscard]] AllReceived received() const;

 private:
  struct Flow {
    Connection connection;
    bool open = false;
    std::uint32_t isn = 0;
    std::uint32_t clock = 0;  // what is added to the guest's
    std::uint32_t received = 0;
    std::uint32_t acknowledged = 0;  // of what was said
    std::string unacknowledged;
    std::uint32_t stamp = 0;  // the client's
    Point point = 0;          // of the last answer
  };
  static Bytes say(const Flow& flow, std::uint8_t flags, std::uint32_t from, std::uint32_t size,
                   std::uint32_t clock);

  std::array<Flow, clients> flows_;
};

}  // namespace colo::sim
