// What an operator learns of a running engine: one word, a reason, the next command, then figures.
//
// Role: plain values; the engine fills a fresh Status for each request. A figure that does not
//   exist (yet) is an empty optional, null in JSON, and absent or "-" in the text.
// Units: in the names. Times ending in _unix_ns are of CLOCK_REALTIME. Threads: none.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace colo::app {

enum class State {
  starting,
  waiting,       // needs the operator or the peer before the guest may start
  solo,          // the guest runs with no replica
  syncing,       // first full copy
  protected_,    // primary only: a takeover would work now
  reconnecting,  // the peer is out of reach, and may come back before anybody claims
  handing_over,  // a switchover is under way
  joining,       // secondary: dialing the primary
  standby,       // secondary that holds a complete checkpoint
  claiming,
  taking_over,
  lost,  // another host owns the guest
  failed,
  ended,
};
// "PROTECTED", "TAKING-OVER": the words of the documentation.
[[nodiscard]] const char* word(State state);

struct GuestStatus {
  std::string kind, version, machine, accelerator;
  std::uint64_t memory_bytes = 0;
  bool running = false;
  std::optional<int> pid;  // none: it has no process of its own
};

struct LinkStatus {
  std::string name;   // the peer's address
  std::string state;  // "quiet" (nothing heard yet), "alive", "silent"
  std::optional<double> silence_ms;
};

struct PeerStatus {
  std::string host;
  bool connected = false;
  std::vector<LinkStatus> links;
};

struct InitialCopy {
  std::uint64_t sent_pages = 0, remaining_pages = 0, total_pages = 0;
};

struct PauseFigures {
  double p50 = 0, p99 = 0, max = 0;
};

struct DirtyPageFigures {
  std::uint64_t p50 = 0, max = 0;
};

// How often for each reason, in the order in which they shall be read; a JSON object.
using Counts = std::vector<std::pair<std::string, std::uint64_t>>;

// What a mode comes to at the moment: "auto" holds periodically where the guests differ too often,
// and no replica is compared with before it runs.
struct EffectiveMode {
  std::string mode;                           // "periodic", "colo"
  std::string reason;                         // why it is not what was configured; else empty
  std::optional<std::int64_t> since_unix_ns;  // with a reason
  std::optional<double> left_ms;              // until it is tried again
};

struct CheckpointStatus {
  std::uint64_t committed = 0;
  Counts by_reason;  // why they were taken
  std::optional<PauseFigures> pause_ms;
  std::optional<DirtyPageFigures> dirty_pages;
  std::uint64_t sent_bytes = 0;
};

struct HoldStatus {
  std::uint64_t packets = 0, bytes = 0;
  std::optional<double> oldest_ms;  // none: nothing is held
};

// Primary: what both guests said. equal: frames that left because of it; different: checkpoints
// that were asked for, by reason.
struct CompareStatus {
  std::uint64_t equal = 0;
  Counts different;
  std::uint64_t held_packets = 0;   // wait for the other guest to say the same
  std::optional<double> oldest_ms;  // none: nothing waits
};

// Secondary: the guest that runs beside the primary's. Its diverged pages are those it wrote
// itself; the checkpoint's content of each is kept besides (preimage_bytes), up to limit_bytes.
struct ReplicaStatus {
  bool running = false;
  std::uint64_t epoch = 0;  // the checkpoint that it went on from
  std::uint64_t diverged_pages = 0, preimage_bytes = 0, limit_bytes = 0;
};

struct CacheStatus {
  std::uint64_t staged_pages = 0, received_pages = 0, diverged_pages = 0, bytes = 0;
};

// Filled on whichever side noticed a loss. resumed is empty where the guest never stopped.
struct TakeoverStatus {
  std::string cause;
  std::optional<std::int64_t> detected_unix_ns, claimed_unix_ns, resumed_unix_ns;
};

// How the session that is under way began.
struct SessionStatus {
  bool resumed = false;          // by the difference only; otherwise everything was copied
  std::uint64_t base_epoch = 0;  // resumed: from this checkpoint on
  std::optional<std::uint64_t> difference_pages;  // primary: sent for its first checkpoint
};

struct OwnerStatus {
  std::uint64_t generation = 0;
  std::string owner;
};

struct Status {
  std::string name, host;
  int pid = 0;
  std::string version;
  std::string role;  // "primary", "secondary" or "none"
  State state = State::starting;
  std::string step;  // of a state that has steps, "loading"; else empty
  std::string reason;
  std::string next;                             // a command to run, or empty
  std::string mode = "periodic";                // as configured or set: "periodic", "colo", "auto"
  std::optional<EffectiveMode> effective_mode;  // none: nothing is protected by any
  double delay_ms = 0;
  bool tls = true;
  bool unsafe = false;  // no arbiter: a cut lets both hosts speak
  std::uint64_t generation = 0, epoch = 0;
  std::optional<GuestStatus> guest;
  std::optional<PeerStatus> peer;
  std::optional<SessionStatus> session;
  std::optional<InitialCopy> initial_copy;
  std::optional<CheckpointStatus> checkpoints;
  std::optional<HoldStatus> hold;
  std::optional<CompareStatus> compare;
  std::optional<CacheStatus> cache;
  std::optional<ReplicaStatus> replica;
  std::optional<TakeoverStatus> takeover;
  std::vector<OwnerStatus> owners;  // oldest first
};

// One line of JSON, every key present.
[[nodiscard]] std::string to_json(const Status& status);
// Errors: "bad-status" names the key that is missing or of the wrong type.
[[nodiscard]] Result<Status> status_from_json(const std::string& json);
// For a terminal, at most 80 columns wide where the names allow it.
[[nodiscard]] std::string to_text(const Status& status);

}  // namespace colo::app
