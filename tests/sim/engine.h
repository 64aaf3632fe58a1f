// One engine process of a simulated host: what app/engine*.cpp does around the cores, without
// threads and sockets. Which side it is follows from the arbiter at its start, and changes after a
// takeover. Nothing here decides what a law depends on.
//
// Ownership: a side that was left stays until the process ends, deaf, since tasks may name it.
// Threads: none.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "heartbeat/arbiter.h"
#include "heartbeat/claim_for.h"
#include "primary/events.h"
#include "tests/sim/gate.h"
#include "tests/sim/network.h"
#include "wire/decoder.h"

namespace colo::sim {

class PrimarySide;
class SecondarySide;

// What a heartbeat says, beside that its sender lives.
struct Beat {
  std::uint64_t run = 0;
  Generation generation;
  wire::GuestHere guest = wire::GuestHere::none;
};

// Tasks of one thread, one after the other.
class Worker {
 public:
  Worker(World& world, std::size_t host) : world_(world), host_(host) {}
  template <class Task>
  void post(Duration takes, Task task);

 private:
  World& world_;
  const std::size_t host_;
  Instant free_{};
};

class Engine {
 public:
  Engine(World& world, std::size_t host, std::uint64_t run);
  ~Engine();

  void start();
  // The process ends: of itself, or killed. Its guest and what it held end with it.
  void end();
  [[nodiscard]] bool dead() const { return dead_; }

  // --- the world ---------------------------------------------------------------------------
  [[nodiscard]] bool listening() const;
  void opened(const std::shared_ptr<Lane>& lane, const Message& opening);
  void datagram(std::size_t link, std::uint64_t count, const Beat& beat);
  void output_full();
  void track(const std::shared_ptr<SimGuest>& guest);
  // The planted bugs of the secondary.
  void mutant_acknowledges(Epoch epoch);
  void mutant_flushes(const wire::Frame& frame);
  void guest_ended(const SimGuest& guest, bool by_guest);
  [[nodiscard]] Generation generation() const;
  [[nodiscard]] Beat beat() const;
  [[nodiscard]] std::shared_ptr<SimGuest> guest() const;  // of this side, a standby too
  [[nodiscard]] std::shared_ptr<SimGuest> replica() const;

  // --- the gate's words ----------------------------------------------------------------------
  void epoch_began(Epoch tag, const Bytes& flows);
  void inbound(Epoch tag, const Bytes& frame);
  void checkpoint_wanted(Epoch tag, primary::CheckpointReason reason);
  void replica_asks(Epoch tag);
  void replica_sent(Epoch tag, const Bytes& frame);
  void replica_behind();

  // --- commands of an operator: false where they are refused ---------------------------------
  void ask_takeover();
  void ask_stop();
  void ask_switchover();
  void ask_give_back();
  void ask_checkpoint();
  void set_delay(Duration delay);
  void set_mode(primary::Mode mode);
  [[nodiscard]] bool starts() const;  // a guest that boots, or asks whether it may
  [[nodiscard]] bool takeover_failed() const;
  // A takeover asked now may go back behind what clients saw: only the operator can order that.
  [[nodiscard]] bool takeover_rolls_back() const;
  [[nodiscard]] bool waits() const { return takeable_.has_value(); }

  // --- for its sides -------------------------------------------------------------------------
  [[nodiscard]] Instant local_now() const;
  // This process stood still for longer than the peer waits: it may have taken over since.
  [[nodiscard]] bool stood_still() const;
  void timer(Instant local, std::function<void()> fire);
  void claim(Generation from, heartbeat::For whom,
             std::function<void(Result<heartbeat::ClaimAnswer>)> answer);
  void read_ownership(std::function<void(Result<heartbeat::Ownership>)> answer);
  void acted();  // an action was executed; a fault may strike with it
  void takes_over(std::shared_ptr<SimGuest> guest, Generation generation, std::string cause);
  void becomes_secondary();
  void exit();
  // The hooks that acquire and release what the guest needs, one after the other.
  void acquire(std::function<void(Result<void>)> answer);
  void release(std::function<void()> answer);
  [[nodiscard]] bool acquired() const { return acquired_; }
  // The peer's run: of the last welcome, or of the arbiter's record when this engine started.
  // This guest has, or had, connections that are rewritten: each checkpoint comes with their table.
  void rewrites(bool is) { rewrites_ = is; }
  [[nodiscard]] bool rewrites() const { return rewrites_; }
  void peer_run(std::string name) { peer_run_name_ = std::move(name); }
  [[nodiscard]] const std::string& run_name() const { return run_name_; }
  [[nodiscard]] const char* name() const { return host_names[host]; }

  World& world;
  const std::size_t host;
  const std::uint64_t run;
  Ram ram;
  Gate gate;
  Worker guest_worker;
  Worker flush_worker;
  Worker replica_worker;
  Worker hook_worker;

 private:
  using Ask = std::function<void(std::function<void()> done)>;
  void read_arbiter();
  void on_ownership(const Result<heartbeat::Ownership>& ownership);
  void become_primary(Generation from);
  void become_secondary(const heartbeat::Ownership* at_start);
  void wait_and_ask();
  void tick();
  void ask_arbiter(Ask ask);
  void next_ask();

  const std::string run_name_;
  std::string peer_run_name_;
  bool acquired_ = false;
  bool rewrites_ = false;
  bool dead_ = false;
  std::vector<std::weak_ptr<SimGuest>> guests_;
  std::optional<Generation> takeable_;
  Instant last_tick_{};
  std::uint64_t last_heard_[4] = {};
  std::uint64_t peer_run_ = 0;
  std::deque<Ask> asks_;  // the arbiter's thread: one after the other
  bool asking_ = false;
  std::unique_ptr<PrimarySide> primary_;
  std::unique_ptr<SecondarySide> secondary_;
  std::vector<std::unique_ptr<PrimarySide>> left_primaries_;
  std::vector<std::unique_ptr<SecondarySide>> left_secondaries_;
};

}  // namespace colo::sim
