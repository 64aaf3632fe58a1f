// The secondary's side of a simulated engine: executes its core's actions and feeds back what
// happened, as app/engine_secondary*.cpp does. Threads: none.
#pragma once

#include <deque>
#include <map>
#include <memory>

#include "cache/cache.h"
#include "heartbeat/detector.h"
#include "secondary/core.h"
#include "secondary/stager.h"
#include "tests/sim/engine.h"
#include "wire/decoder.h"

namespace colo::sim {

struct KeptCache;

struct SecondarySession {
  secondary::Session number;
  Generation generation;
  std::optional<Epoch> base;  // that the primary goes on from
  std::string peer_run;
  wire::Token token{};
  std::shared_ptr<Lane> lane;
  std::shared_ptr<Lane> bulk;
  std::unique_ptr<secondary::Stager> stager;
  std::unique_ptr<wire::FrameDecoder> decoder;
  std::unique_ptr<heartbeat::Detector> detector;
  Instant since{};
  bool welcomed = false;
  bool suspected = false;
  bool closed = false;
  // COLO mode: words that came before this side heard that it joined; tables of rewritten
  // connections, by checkpoint; one that is whole but for its table.
  std::vector<secondary::ModeTold> early;
  std::map<Epoch, Bytes> tables;
  std::optional<Epoch> staged;
  std::optional<Epoch> run_from;
  bool tables_come = false;
};

// A guest that runs beside the primary's.
struct RunningReplica {
  std::shared_ptr<SimGuest> guest;
  Epoch epoch;
  bool told = false;   // to run
  bool runs = false;   // it answered so
  bool held = false;   // it says nothing more to the primary
  bool taken = false;  // Run answers for it
  bool asked = false;
  bool paused = false;
  std::optional<Instant> hangs_since;
};

// Where a flush writes: the standby's memory, as secondary::GuestMemory, with a write that can
// fail.
class StandbyMemory final : public cache::FlushTarget {
 public:
  void set(std::shared_ptr<SimGuest> standby) { standby_ = std::move(standby); }
  void fail_after(std::optional<int> writes) { writes_left_ = writes; }
  Result<void> write_page(PageId page, ByteView bytes) override;

 private:
  std::shared_ptr<SimGuest> standby_;
  std::optional<int> writes_left_;
};

class SecondarySide {
 public:
  SecondarySide(Engine& engine, std::optional<KeptCache> kept);
  ~SecondarySide();

  void feed(secondary::Event event);
  void heard(std::size_t link, Generation generation, wire::GuestHere guest);
  void stalled(Instant from, Instant now);
  void beat(Instant now);
  void standby_ended(const SimGuest& guest);
  void replica_sent(Epoch tag, const Bytes& frame);
  void ask_for_checkpoint(Epoch tag);
  void replica_behind();
  void leave() { left_ = true; }
  void end();
  // Planted bugs: acknowledges what is not verified; writes what is only staged.
  void mutant_acknowledges(Epoch epoch);
  void mutant_flushes(const wire::Frame& frame);
  [[nodiscard]] const secondary::Core& core() const { return core_; }
  [[nodiscard]] std::shared_ptr<SimGuest> standby() const { return standby_; }
  [[nodiscard]] std::shared_ptr<SimGuest> replica() const {
    return replica_ ? replica_->guest : nullptr;
  }

 private:
  void arm();
  void become_primary();
  void alive(std::size_t link);
  void peer_says(Generation generation, wire::GuestHere guest);
  void on_word(secondary::Session number, const Message& message);
  [[nodiscard]] std::optional<wire::Held> offer();
  void new_cache();
  void keep();
  void on_lane(const std::shared_ptr<Lane>& lane);
  void on_frame(secondary::Session number, const Message& message);
  void on_welcome(const Message& message);
  void on_bulk(secondary::Session number, const std::shared_ptr<Lane>& lane);
  void on_bulk_frame(secondary::Session number, Message& message);
  void join_failed(const Error& error);
  void gone(secondary::Session number, const Error& error, bool guest_ends);
  void suspect(secondary::Session number, const Error& error, bool lane_closed);
  void staged(secondary::Session number, Epoch epoch);
  void lane_ended(secondary::Session number, bool certain);
  void bulk_ended(secondary::Session number);
  void refused_by_peer();
  enum class Parting { silent, goodbye, returns };
  void drop_session(Parting parting);
  void send(wire::Kind kind, Epoch epoch, Bytes frame = {});
  [[nodiscard]] bool current(secondary::Session number) const {
    return session_ && session_->number == number;
  }

  void execute(const secondary::Join& action);
  void execute(const secondary::StopJoin& action);
  void execute(const secondary::Commit& action);
  void execute(const secondary::Acknowledge& action);
  void execute(const secondary::StartFlush& action);
  void execute(const secondary::StartClaim& action);
  void execute(const secondary::EndSession& action);
  void execute(const secondary::Forget& action);
  void execute(const secondary::PrepareStandby& action);
  void execute(const secondary::Load& action);
  void execute(const secondary::AcquireResources& action);
  void execute(const secondary::ReleaseResources& action);
  void execute(const secondary::Run& action);
  void execute(const secondary::TellLoaded& action);
  void execute(const secondary::TellLoadFailed& action);
  void execute(const secondary::TellTookOver& action);
  void execute(const secondary::EndGuest& action);
  void execute(const secondary::Exit& action);
  void execute(const secondary::RunReplica& action);
  void execute(const secondary::EndReplica& action);
  void execute(const secondary::HoldReplica& action);
  void execute(const secondary::TellReplicaRuns& action);
  void execute(const secondary::TellReplicaLost& action);
  void mark_process_memory_diverged();

  bool on_replica_word(secondary::Session number, const Message& message);
  void on_flows(secondary::Session number, const Message& message);
  [[nodiscard]] bool table_is_due(Epoch checkpoint) const;
  void mode_told(const secondary::ModeTold& told);
  void start_replica();
  void replica_resumed(const std::shared_ptr<SimGuest>& guest, const Result<void>& runs);
  void replica_failed(const Error& error);
  void drop_replica(std::function<void()> ended = nullptr);
  void lose_replica(const Error& error);
  void look_at_replica();
  void bound_replica();
  void hold_replica();
  void run_replica();
  std::shared_ptr<SimGuest> mutant_goes_back();
  void open_gate(const std::shared_ptr<SimGuest>& guest);
  [[nodiscard]] bool is_replica(const std::shared_ptr<SimGuest>& guest) const {
    return replica_ && replica_->guest == guest;
  }

  Engine& engine_;
  World& world_;
  secondary::Core core_;
  std::shared_ptr<SimGuest> standby_;
  StandbyMemory memory_;
  std::shared_ptr<cache::Cache> cache_;
  // What names the lineage of what the cache holds.
  std::string lineage_run_;
  wire::Token lineage_{};
  Generation committed_in_;
  bool offers_ = true;         // false after a cache that was too small
  bool standby_busy_ = false;  // a load or a run is under way, and answers for its standby
  bool flush_runs_ = false;
  std::unique_ptr<RunningReplica> replica_;
  std::shared_ptr<SimGuest> live_;
  std::optional<Bytes> committed_flows_;  // empty until the table of committed() is here
  Epoch ran_{0};                          // no other replica of that checkpoint may run
  bool run_ordered_ = false;  // the guest may run: what is kept of its past counts no more
  std::unique_ptr<SecondarySession> session_;
  std::uint64_t dials_ = 0;  // the number of the valid dial
  secondary::Session last_session_{0};
  std::deque<secondary::Event> events_;
  bool feeding_ = false;
  bool left_ = false;
  std::optional<Instant> armed_;
  int spins_ = 0;
};

}  // namespace colo::sim
