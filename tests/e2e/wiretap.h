// The client's end of both cables, listened to by the test: who of the two hosts speaks.
//
// REQUIRES: no conversation holds the cables. Threads: one.
#pragma once

#include <string>

#include "base/unique_fd.h"
#include "tests/e2e/pair_fixture.h"

namespace colo::e2e {

class Wiretap {
 public:
  explicit Wiretap(const Pair& pair);

  // Asks the guest on both cables, again and again, until it has answered so often on this host's.
  [[nodiscard]] testing::AssertionResult hears(const std::string& host, int answers = 20);
  // Frames that came over this host's cable since the start.
  [[nodiscard]] int frames(const std::string& host) const;

 private:
  struct Cable {
    std::string host;
    UniqueFd socket;
    std::filesystem::path engine;
    int frames = 0;
  };
  void ask();
  void listen();

  std::vector<Cable> cables_;
};

// Makes the guest of this host crash, as a client can ask it to.
void crash_guest(const Pair& pair, const std::string& host);

}  // namespace colo::e2e
