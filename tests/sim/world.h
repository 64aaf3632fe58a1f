// One schedule: two hosts, the network between them, the arbiter, the faults. Everything is drawn
// from one seed, so a schedule is a pure function of it.
//
//   safety:   faults are put, the judge watches L1, L2, L3, L4
//   healing:  everything works again; engines that ended are started again
//   liveness: exactly one side runs within a bound (L5, L6), then the pair is protected again
//
// Threads: none.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "primary/capture.h"
#include "tests/sim/arbiter.h"
#include "tests/sim/clients.h"
#include "tests/sim/engine.h"
#include "tests/sim/faults.h"
#include "tests/sim/judge.h"
#include "tests/sim/network.h"
#include "tests/sim/queue.h"
#include "tests/sim/reach.h"
#include "tests/sim/secondary_side.h"
#include "tests/sim/settings.h"

namespace colo::sim {

// What fails on a host, and how many times more.
struct Ailments {
  int saves = 0, pauses = 0, scans = 0, resumes = 0, boots = 0, runs = 0;
  int loads = 0, flushes = 0, standbys = 0, bad_states = 0, hooks = 0;
  bool slow_flush = false;
};

// What a secondary's cache in shared memory leaves to the next run of its engine.
struct KeptCache {
  secondary::Kept kept;
  bool ran = false;  // as a replica: there may be no other one of it
  std::shared_ptr<cache::Cache> cache;
  std::string lineage_run;
  wire::Token lineage{};
  Ram ram;
};

struct WorldOptions {
  std::uint64_t seed = 1;
  std::uint64_t faults = ~std::uint64_t{0};  // which strikes of the plan are put
  Mutation mutation = Mutation::none;
  bool trace = false;
};

class World {
 public:
  World(const WorldOptions& options, Reach& reach);
  ~World();

  void run();
  [[nodiscard]] const std::vector<std::string>& violations() const { return judge.violations(); }
  [[nodiscard]] std::uint64_t hash() const { return hash_; }
  [[nodiscard]] const std::vector<std::string>& lines() const { return lines_; }

  // --- parts -------------------------------------------------------------------------------
  const WorldOptions options;
  const Mutation mutation;
  Reach& reach;
  Random settings_random, plan_random;
  Random network_random, arbiter_random, guest_random, world_random;
  Settings settings;
  Queue queue;
  Story story;
  Judge judge{story};
  Network network{*this};
  SimArbiter arbiter{*this};
  Clients network_clients{*this};
  std::array<std::uint64_t, 2> beats{};

  // --- for the parts -------------------------------------------------------------------------
  [[nodiscard]] Instant local(std::size_t host, Instant at) const;
  [[nodiscard]] Instant true_time(std::size_t host, Instant local) const;
  [[nodiscard]] bool powered(std::size_t host) const { return machines_[host].powered; }
  [[nodiscard]] bool frozen(std::size_t host) const { return machines_[host].guest_frozen > 0; }
  [[nodiscard]] bool listening(std::size_t host) const;
  [[nodiscard]] Engine* engine(std::size_t host) const { return machines_[host].engine.get(); }
  [[nodiscard]] Generation generation_of(std::size_t host) const;
  [[nodiscard]] Beat beat_of(std::size_t host) const;
  Ailments& ails(std::size_t host) { return machines_[host].ails; }
  void bad_state(std::uint64_t checkpoint) { bad_states_.insert(checkpoint); }
  [[nodiscard]] bool is_bad_state(std::uint64_t checkpoint) const {
    return !bad_states_.empty() && bad_states_.contains(checkpoint);
  }
  void keep(std::size_t host, KeptCache kept) { machines_[host].kept = std::move(kept); }
  std::optional<KeptCache> take_kept(std::size_t host);
  // The host keeps a checkpoint from which its own earlier run went on to win this generation.
  [[nodiscard]] bool keeps_newer(std::size_t host, Generation owned) const;
  void guest_sent(std::size_t host, const SimGuest& guest);
  void to_hosts(const Bytes& frame);
  void to_clients(const Bytes& frame);
  void saved(std::uint64_t checkpoint, GuestState state) {
    saved_.resize(checkpoint + 1);
    saved_[checkpoint] = std::move(state);
  }
  [[nodiscard]] const GuestState& saved(std::uint64_t checkpoint) const {
    return saved_[checkpoint];
  }
  void datagram(std::size_t from, std::size_t link, std::uint64_t count, const Beat& beat);
  void granted(const heartbeat::Ownership& ownership, std::size_t asker);
  void acted(std::size_t host);
  void exited(std::size_t host);
  [[nodiscard]] std::uint64_t fresh_number() { return ++numbers_; }
  // What a page holds that was written while nobody told its guest anything: like no point.
  [[nodiscard]] Point idle_version() { return idle_version_++; }
  void track(std::size_t host, const std::shared_ptr<SimGuest>& guest);
  [[nodiscard]] std::unique_ptr<primary::FrameSink> sink(std::shared_ptr<Lane> lane,
                                                         std::size_t side,
                                                         std::shared_ptr<SimGuest> guest);
  // A guest that its engine gave up, because it did what a fault made it do.
  void guest_broke(std::size_t host) {
    machines_[host].guest_died = true;
    by_fault_ = true;
  }
  // Too slow for what came, which is a harm like any other: it is given up, as it must be.
  void replica_broke() { by_fault_ = true; }
  void mutate_frame(std::size_t host, const wire::Frame& frame);

  // --- faults --------------------------------------------------------------------------------
  void strike(const Strike& strike);
  void crash(std::size_t host);
  void start_engine(std::size_t host);

  // --- trace ---------------------------------------------------------------------------------
  [[nodiscard]] bool tracing() const { return options.trace; }
  template <class Core, class Event, class State, class Action>
  void stepped(std::size_t host, const Core& core, const Event& event,
               const std::optional<State>& before, const std::vector<Action>& actions);
  void note(const std::string& who, const std::string& what);
  void mix(std::uint64_t value) { hash_ = (hash_ ^ value) * 0x100000001b3ULL + (hash_ >> 29); }

 private:
  struct Machine {
    bool powered = true;
    int guest_frozen = 0;
    int engine_frozen = 0;
    std::uint64_t runs = 0;
    std::uint32_t actions = 0;
    bool guest_died = false;  // by a fault, since it ran last
    Ailments ails;
    std::optional<KeptCache> kept;
    std::unique_ptr<Engine> engine;
  };

  void step();
  void run_until(Instant until);
  void end_guest(const Strike& strike);
  void end_replica(const Strike& strike);
  void strike_network(const Strike& strike);
  void strike_guest(const Strike& strike);
  void strike_arbiter(const Strike& strike);
  void strike_operator(const Strike& strike);
  void freeze(std::size_t host, bool guest_too, Duration lasts);
  void thaw(std::size_t host, bool guest_too);
  void cut(std::size_t first, std::size_t last, int directions, Duration lasts);
  void heal();
  void help_takeover();
  void help();  // what an operator does where the pair cannot know
  void live();
  [[nodiscard]] bool one_runs() const;
  void complain();

  std::array<Machine, 2> machines_;
  std::vector<std::unique_ptr<Engine>> graveyard_;
  std::vector<Strike> plan_;
  std::unordered_set<std::uint64_t> bad_states_;
  std::uint64_t numbers_ = 0;
  Point idle_version_ = 0x80000000U;
  std::uint64_t beginnings_ = 0;
  std::vector<GuestState> saved_;  // by checkpoint
  bool by_fault_ = false;
  bool healed_ = false;
  Instant next_help_{};
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
  std::vector<std::string> lines_;
};

template <class Task>
void Worker::post(Duration takes, Task task) {
  free_ = std::max(free_, world_.queue.now()) + takes;
  world_.queue.add(free_, static_cast<int>(host_), std::move(task));
}

// A session's token as a number, which no other session has.
[[nodiscard]] wire::Token token_of(std::uint64_t number);

// The number in a device state of the simulated guest; 0: it is none.
std::uint64_t checkpoint_of(ByteView state);

}  // namespace colo::sim
