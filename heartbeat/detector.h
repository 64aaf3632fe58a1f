// Decides from heartbeats whether the peer may be lost. Pure: time is an argument.
//
// Each link counts for itself; the peer is suspected only when every link has been silent for
// `lost_after`. A suspicion is not certain: only a claim at the arbiter may follow from it.
// Threads: none.
#pragma once

#include <optional>
#include <vector>

#include "base/types.h"

namespace colo::heartbeat {

struct DetectorConfig {
  Duration interval = std::chrono::milliseconds(100);     // what the peer sends at
  Duration lost_after = std::chrono::milliseconds(1000);  // silence on every link
};

enum class LinkState { quiet, alive, silent };  // quiet: nothing heard since the start

struct LinkReport {
  LinkState state = LinkState::quiet;
  Duration silence{};
};

class Detector {
 public:
  // The links are silent from `now` on until something is heard.
  Detector(DetectorConfig config, std::size_t links, Instant now);

  // Something authentic of the peer arrived on this link (any frame counts, not heartbeats only).
  void heard(std::size_t link, Instant now);
  // Our own process stood still (SIGSTOP, swap, a paused host) from `from` to `now`: that time says
  // nothing of the peer, so the silence starts anew.
  void stalled(Instant from, Instant now);

  [[nodiscard]] bool suspected(Instant now) const;
  // When suspected() becomes true if nothing is heard.
  [[nodiscard]] Instant deadline() const;
  [[nodiscard]] std::vector<LinkReport> report(Instant now) const;

 private:
  DetectorConfig config_;
  struct Link {
    Instant last;
    bool heard = false;
  };
  std::vector<Link> links_;
};

}  // namespace colo::heartbeat
