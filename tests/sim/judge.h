// The laws, checked apart from the code under test: from what the client saw, what the arbiter
// granted, what was captured, committed, loaded and run. Knows nothing of the cores' states.
//
// A *copy* is a guest, or a complete checkpoint, that somebody may still go on with by what the
// arbiter granted: the owner's guest; a checkpoint of the current generation (a claim from it would
// be won); a checkpoint from which its host has just won. A checkpoint that was run as a replica is
// none any more: its replica is, where it is by now, as long as no newer checkpoint is complete. L1
// and L3 are statements about copies: what the client saw is part of each, and no decision of an
// engine makes the last one vanish.
//
// Threads: none.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/types.h"
#include "heartbeat/arbiter.h"
#include "tests/sim/frames.h"
#include "tests/sim/story.h"

namespace colo::sim {

inline constexpr std::array<const char*, 2> host_names{"alpha", "beta"};
inline std::size_t other(std::size_t host) { return 1 - host; }

inline constexpr PageIndex ram_pages = 7;  // the engine's own memory: outlives the guest's process
inline constexpr PageIndex video_pages = 3;  // lives and dies with the guest's process
inline constexpr std::size_t all_pages = ram_pages + video_pages;

// What each page holds, as the point at which it was written; 0: a zero page.
using Versions = std::array<Point, all_pages>;

class Judge {
 public:
  explicit Judge(const Story& story) : story_(story) {}

  // --- what happens --------------------------------------------------------------------------
  void granted(const heartbeat::Ownership& ownership, std::size_t asker, bool has_guest,
               Instant now);
  void engine_runs(std::size_t host, std::string run) { runs_[host] = std::move(run); }
  void booted(std::size_t host, std::uint64_t guest);
  // Returns the checkpoint's number, which travels in its device state.
  std::uint64_t captured(const Versions& versions, const Past& past);
  void committed(std::size_t host, std::uint64_t checkpoint, Generation generation);
  void forgotten(std::size_t host);
  // The memory over which this checkpoint's device state is loaded.
  void loaded(std::size_t host, std::uint64_t checkpoint, const Versions& memory);
  // The guest that was loaded last runs beside the owner's, as the checkpoint's incarnation.
  void replica_runs(std::size_t host, std::uint64_t guest, const Past& past);
  // Guests are numbered, over both hosts.
  void runs(std::size_t host, std::uint64_t guest, const Past& past);
  void stands(std::size_t host, std::uint64_t guest, Instant now);
  void steps(std::size_t host, std::uint64_t guest, const Past& past);
  void guest_gone(std::size_t host, std::uint64_t guest);
  // A frame left the host in the generation that it believes is its own. held: output commit is in
  // force there.
  void spoke(std::size_t host, Generation generation, const Words& words, bool held);
  void paused_by_core(std::size_t host);
  // The operator ended the guest, or lets it begin anew: what is lost now is lost by order.
  void ordered_end() { ordered_end_ = true; }
  void ordered_rollback() { rollback_ = true; }
  void broken(const std::string& law, const std::string& what);

  // After anything that may have cost a copy. by_fault: the simulator broke something.
  void check_copies(bool by_fault);
  // How long the owner's guest may stand without a fault of its own host.
  void check_pauses(Instant now, Duration bound);
  void forgive_pause(std::size_t host, Instant now);  // it was not the engine's doing

  // --- what is known -------------------------------------------------------------------------
  [[nodiscard]] bool copy(std::size_t host) const { return copy_of(host).has_value(); }
  [[nodiscard]] bool any_copy() const { return copy(0) || copy(1); }
  [[nodiscard]] bool running(std::size_t host) const {
    return hosts_[host].guest != 0 && hosts_[host].running;
  }
  [[nodiscard]] bool has_guest(std::size_t host) const { return hosts_[host].guest != 0; }
  [[nodiscard]] Point client_saw() const { return client_saw_; }
  // How often the guest began anew, or went back by order.
  [[nodiscard]] std::uint64_t beginnings() const { return beginnings_; }
  [[nodiscard]] std::uint64_t commits() const { return commits_; }
  [[nodiscard]] const heartbeat::Ownership& owner() const { return owners_.back(); }
  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
  [[nodiscard]] bool ordered_end_seen() const { return ordered_end_; }

 private:
  struct Checkpoint {
    Versions versions{};
    Past past;
  };
  struct HostView {
    std::uint64_t guest = 0;  // booted here, or loaded and run; 0: none
    bool running = false;
    Past past;
    std::optional<Instant> stands_since;
    std::uint64_t checkpoint = 0;  // complete here; 0: none
    std::uint64_t loaded = 0;      // into the standby, last
    Generation committed_in{0};    // a claim from this generation may take over from it
    Past newest_committed;         // even if it is gone again
    std::uint64_t replica = 0;     // the guest that runs beside the peer's; 0: none
    Past replica_past;             // of the last one, even if it is gone again
    std::uint64_t ran = 0;         // the checkpoint that it is of
  };
  [[nodiscard]] std::optional<Past> copy_of(std::size_t host) const;
  [[nodiscard]] bool contains(const Past& past, const Words& words) const;
  void forget_clients();
  [[nodiscard]] bool owns(std::size_t host) const {
    return owner_ == static_cast<int>(host) && owners_.back().run == runs_[host];
  }

  const Story& story_;
  std::vector<heartbeat::Ownership> owners_{heartbeat::Ownership{}};
  int owner_ = -1;  // -1: nobody
  // The peer claimed it for the owner, whose guest has not run on that news yet: it cannot know.
  bool given_ = false;
  std::array<std::string, 2> runs_;  // of the engine on each host; empty: none
  std::vector<Checkpoint> checkpoints_{Checkpoint{}};
  std::array<HostView, 2> hosts_;
  std::vector<int> speakers_;  // of each generation; -1: none yet
  Point client_saw_ = 0;
  AllReceived client_told_{};  // of its bytes, that they have arrived
  std::uint64_t beginnings_ = 0;
  std::uint64_t commits_ = 0;
  bool had_copy_ = false;
  bool ordered_end_ = false;
  bool rollback_ = false;
  std::vector<std::string> violations_;
};

}  // namespace colo::sim
