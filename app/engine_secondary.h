// The secondary's side of the engine: executes the core's actions and feeds back what happened.
// Nothing is decided here that a law depends on; see secondary/core.h.
//
// Threads: the loop's. The standby guest is driven on Host::guest_worker, flushes run on a worker
//   of their own, checkpoints are staged on the bulk lane's thread; results are posted back.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <memory>

#include "app/engine_host.h"
#include "app/engine_loop.h"
#include "app/flow_tables.h"
#include "cache/cache.h"
#include "heartbeat/detector.h"
#include "io/bulk_lane.h"
#include "io/lane.h"
#include "secondary/core.h"
#include "secondary/guest_memory.h"
#include "secondary/stager.h"

namespace colo::app {

// One primary that was joined, with its lanes.
struct SecondarySession {
  secondary::Session number;
  Generation generation;
  std::optional<Epoch> base;  // of what we hold: the primary goes on from it
  wire::Token token{};
  std::shared_ptr<io::ControlLane> lane;
  std::unique_ptr<io::Dialer> bulk_dialer;
  std::unique_ptr<secondary::Stager> stager;  // on the bulk lane's thread
  std::unique_ptr<io::BulkReceiver> bulk;     // ends before the stager that its thread uses
  std::unique_ptr<heartbeat::Detector> detector;
  std::optional<InitialCopy> initial_copy;
  FlowTables tables;
  bool tables_come = false;                  // with each checkpoint, in any mode
  std::optional<Epoch> run_from;             // with each from here on: they are to be run
  std::optional<Epoch> staged;               // whole, but for its table
  std::optional<secondary::ModeTold> early;  // the last word that overtook our own Joined
  Instant since{};
  bool welcomed = false;
  bool suspected = false;  // hearing from the peer again clears it
  bool closed = false;     // one side refused the other: what follows is no news
  std::uint64_t alive_count = 0;
};

// The guest that runs beside the primary's.
struct RunningReplica {
  std::shared_ptr<guest::Guest> guest;
  Epoch epoch;
  std::unique_ptr<EndWatch> watch;
  bool told = false;    // to run
  bool runs = false;    // it does, and the gate is open for it
  bool held = false;    // the primary hears nothing of it any more
  bool asked = false;   // for a checkpoint, since it wrote much
  bool paused = false;  // since it wrote too much
  bool taken = false;   // it becomes the guest
  std::uint64_t own_pages = 0, limit_pages = 0;
  Instant asked_at{};  // whether it hangs
};

// The network learns where the guest is; a failure is only logged. REQUIRES: it runs.
void announce(guest::Guest& guest);

[[nodiscard]] secondary::CoreConfig core_config(const Config& config);

class SecondarySide final : public Side, public std::enable_shared_from_this<SecondarySide> {
 public:
  // The peer's ownership as the arbiter has it: run and generation; empty and 0 where nobody asked.
  SecondarySide(Host& host, std::string peer_run, Generation current,
                std::function<void(SideEnds)> ends);
  ~SecondarySide() override;

  void start() override;
  void heard(std::size_t link, const wire::Alive& peer) override;
  [[nodiscard]] wire::Alive says() const override;
  void stalled(Instant from, Instant now) override;
  void output_full() override {}
  void replica_sent(Epoch tag, const std::vector<io::PortFrame>& frames) override;
  void checkpoint_wanted(Epoch tag, const compare::Ask& ask) override;
  void replica_behind() override;
  void beat(Instant now) override;
  void peer_moved() override;
  Reply command(const Request& request) override;
  void stop() override;
  void fill(Status& status) const override;

 private:
  // engine_secondary.cpp
  using Loop = CoreLoop<SecondarySide, secondary::Core, secondary::Event, secondary::Action,
                        secondary::Tick>;
  friend Loop;
  std::optional<Error> feed(secondary::Event event) { return core_loop_.feed(std::move(event)); }
  void stepped();
  void note_state();
  [[nodiscard]] Words words() const;

  // engine_secondary_kept.cpp
  struct Earlier;
  [[nodiscard]] cache::CacheLimits cache_limits() const;
  void look_for_earlier();
  void begin(const Earlier& earlier);
  [[nodiscard]] bool kept_fits();
  [[nodiscard]] std::unique_ptr<cache::Store> make_store(const MemoryLayout& layout);
  void set_origin();
  void note_store_trouble();
  void remove_kept();
  void strike_out_for_takeover();

  // engine_secondary_session.cpp
  void peer_says(const wire::Alive& alive);
  void dial();
  [[nodiscard]] std::optional<wire::Held> held();
  void on_lane(Result<std::shared_ptr<io::ControlLane>> lane);
  void on_frame(secondary::Session number, const wire::Frame& frame);
  void on_welcome(const wire::Frame& frame);
  void on_bulk(secondary::Session number, Result<io::BulkConnection> connection);
  void join_failed(const Error& error);
  void gone(secondary::Session number, const Error& error, bool guest_ends);
  void suspect(secondary::Session number, const Error& error, bool lane_closed);
  void staged(secondary::Session number, Epoch epoch);
  void lane_ended(secondary::Session number, const io::LaneEnd& end);
  void bulk_ended(secondary::Session number, const io::LaneEnd& end);
  void refused_by_peer(secondary::Session number, const Error& error);
  void alive(std::size_t link);
  bool on_switchover_word(secondary::Session number, const wire::Frame& frame);
  bool on_replica_word(secondary::Session number, const wire::Frame& frame);
  Result<void> on_flows(secondary::Session number, const wire::Frame& frame);
  Result<void> on_packets(const wire::Frame& frame);
  void mode_told(const secondary::ModeTold& told);
  [[nodiscard]] bool table_is_due(Epoch checkpoint) const;
  void begin_cache(const MemoryLayout& layout);
  // returns: we close this session, and may dial again.
  void drop_session(const std::string& farewell, bool returns = false);

  // engine_secondary_actions.cpp
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
  void start_standby();
  void went_live(std::int64_t resumed);
  void standby_made(Result<std::shared_ptr<guest::Guest>> standby);
  void on_standby_end();
  void mark_process_memory_diverged();
  void become_primary();

  // engine_secondary_replica.cpp
  void execute(const secondary::RunReplica& action);
  void execute(const secondary::EndReplica& action);
  void execute(const secondary::HoldReplica& action);
  void execute(const secondary::TellReplicaRuns& action);
  void execute(const secondary::TellReplicaLost& action);
  [[nodiscard]] bool is_replica(const std::shared_ptr<guest::Guest>& guest) const;
  [[nodiscard]] bool is_claimed() const;  // the guest, by this side
  void start_replica();
  void replica_resumed(const std::shared_ptr<guest::Guest>& guest, const Result<void>& runs);
  void replica_failed(const Error& error);
  void drop_replica(std::function<void()> ended = {});
  void on_replica_end(const std::shared_ptr<guest::Guest>& guest);
  void lose_replica(const std::shared_ptr<guest::Guest>& guest, const Error& error);
  void hold_replica();
  void lane_queue();
  void ask_for_checkpoint(const std::string& reason);
  void look_at_replica();
  void looked_at_replica(const std::shared_ptr<guest::Guest>& guest,
                         const Result<std::uint64_t>& pages, const Result<void>& answers);
  void bound_replica();
  void run_replica();
  void replica_ran(const Result<void>& runs, std::int64_t resumed);

  Host& host_;
  std::function<void(SideEnds)> ends_;
  secondary::Core core_;
  Loop core_loop_;
  std::shared_ptr<guest::Guest> standby_;
  std::unique_ptr<EndWatch> end_watch_;
  std::optional<guest::StandbyMemory> standby_due_;  // not started yet
  boost::asio::steady_timer standby_timer_;
  std::unique_ptr<RunningReplica> replica_;
  boost::asio::steady_timer replica_timer_;
  std::string pages_unknown_;             // why, as the log has it
  std::optional<Bytes> committed_flows_;  // of the committed checkpoint; empty where none came
  std::shared_ptr<guest::Guest> live_;    // what runs behind a takeover
  std::shared_ptr<secondary::GuestMemory> memory_;
  std::shared_ptr<cache::Cache> cache_;  // shared with a flush that may outlive its session
  std::unique_ptr<io::Dialer> dialer_;
  bool dialing_ = false;  // the dialer has not answered
  std::unique_ptr<SecondarySession> session_;
  secondary::Session last_session_{0};
  // Whose memory the cache has: the run of the primary, and the session in which its whole copy
  // began.
  std::string held_run_;
  wire::Token held_lineage_{};
  Generation held_in_;
  bool difference_too_large_ = false;  // for the cache: nothing is offered, and all is copied
  std::string peer_run_;      // of the last primary that welcomed us: who could have its guest back
  const Generation current_;  // of the peer's ownership when this side was made
  bool begun_ = false;        // what an earlier engine left was looked for
  bool kept_unproven_ = false;
  std::uint64_t memory_file_ = 0;  // 0: the standby's memory has no name
  std::uint64_t identity_ = 0;     // a hash of what guest the standby is
  bool store_trouble_told_ = false;
  // A load or resume that failed, or the end of its standby, is told once.
  bool standby_spent_ = false;
  std::string standby_end_;  // how the last standby ended, if it was not us
  std::string noted_state_;  // as the log has it: the word and its step
  std::optional<TakeoverStatus> takeover_;
  bool rewritten_ = false;  // what runs behind it has connections that the gate rewrites
  Worker flush_worker_;
  Worker replica_worker_;
};

}  // namespace colo::app
