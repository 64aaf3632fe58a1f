// The primary's side of the engine: executes the core's actions and feeds back what happened.
// Nothing is decided here that a law depends on; see primary/core.h.
//
// Threads: the loop's. The guest is driven on Host::guest_worker; its results are posted back.
#pragma once

#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <memory>

#include "app/engine_figures.h"
#include "app/engine_host.h"
#include "app/engine_loop.h"
#include "app/said.h"
#include "heartbeat/detector.h"
#include "io/bulk_lane.h"
#include "io/lane.h"
#include "primary/capture.h"
#include "primary/core.h"
#include "primary/lineage.h"

namespace colo::app {

// One secondary that joined, with its lanes.
struct PrimarySession {
  primary::Session number;
  std::string host;
  std::shared_ptr<io::ControlLane> lane;
  std::optional<wire::Held> held;  // what it says it holds, if it is of our lineage
  std::optional<Epoch> base;       // from which it goes on; otherwise everything is copied
  wire::Token token{};
  std::shared_ptr<io::BulkSender> bulk;
  std::unique_ptr<primary::FrameSink> sink;
  std::shared_ptr<primary::Lineage> lineage;
  std::unique_ptr<primary::Capturer> capturer;  // on the guest's thread
  std::unique_ptr<heartbeat::Detector> detector;
  std::atomic<std::uint64_t> sent_pages{0};
  std::atomic<std::uint64_t> pending_pages{0};
  bool compares = false;    // frames go to the secondary, and what it says is compared
  bool exact_cuts = false;  // the same, on the guest's thread
  std::optional<std::uint64_t> first_pages;  // sent before its first checkpoint was complete
  std::uint64_t alive_count = 0;
};

[[nodiscard]] primary::Mode core_mode(Mode mode);

class PrimarySide final : public Side, public std::enable_shared_from_this<PrimarySide> {
 public:
  // Boots the guest after a won claim of from -> from + 1.
  PrimarySide(Host& host, Generation from, std::function<void(SideEnds)> ends);
  // Goes on with a guest that runs here already.
  PrimarySide(Host& host, SideTakesOver takeover, std::function<void(SideEnds)> ends);
  ~PrimarySide() override;

  // Errors: the listener's; after one, every beat tries again.
  Result<void> listen();
  void start() override;
  void heard(std::size_t link, const wire::Alive& peer) override;
  [[nodiscard]] wire::Alive says() const override;
  void stalled(Instant from, Instant now) override;
  void output_full() override { feed(primary::HoldFull{}); }
  void epoch_began(Epoch tag, const Bytes& flows) override;
  void inbound(Epoch tag, const std::vector<io::PortFrame>& frames) override;
  void checkpoint_wanted(Epoch tag, const compare::Ask& ask) override;
  void beat(Instant now) override;
  void peer_moved() override {}  // the secondary dials
  Reply command(const Request& request) override;
  void stop() override;
  void fill(Status& status) const override;

 private:
  // engine_primary.cpp
  using Loop = CoreLoop<PrimarySide, primary::Core, primary::Event, primary::Action, primary::Tick>;
  friend Loop;
  std::optional<Error> feed(primary::Event event) { return core_loop_.feed(std::move(event)); }
  void stepped();
  void note_state();
  [[nodiscard]] Words words() const;
  [[nodiscard]] bool is_ours(const heartbeat::Ownership& ownership) const;  // of this very run
  void watch_guest();
  void fill_checkpoints(Status& status) const;
  void fill_compare(Status& status, const io::GateFigures& gate) const;
  [[nodiscard]] std::optional<EffectiveMode> effective_mode() const;

  // engine_primary_session.cpp
  void refuse(io::ControlLane& lane, const std::string& host, const Error& error);
  void on_hello(std::shared_ptr<io::ControlLane> lane, const wire::Hello& hello);
  void on_attach(io::BulkConnection connection, const wire::Attach& attach);
  void on_frame(primary::Session session, const wire::Frame& frame);
  void bulk_ended(primary::Session session, const io::LaneEnd& end);
  void lose(primary::Session session, const Error& error, bool certain);
  void peer_says(const wire::Alive& alive);
  [[nodiscard]] std::unique_ptr<primary::Capturer> make_capturer();
  void run_pass(const primary::SendPass& action);
  struct Standstill {
    primary::Session session;
    Epoch epoch;
    bool begins_hold = false;
    bool stays = false;  // the guest is to be handed over
  };
  void run_capture(const Standstill& action);
  void captured(const Standstill& action, Result<primary::CheckpointFigures> figures);
  PrimarySession* session(primary::Session number);
  void tracked(bool sound);

  // engine_primary_colo.cpp
  void execute(const primary::StartComparing& action);
  void execute(const primary::StopComparing& action);
  void execute(const primary::TellMode& action);
  void lane_queue();
  bool stood_still(primary::Session number);
  void on_packets(primary::Session number, const wire::Frame& frame);
  bool on_replica_word(primary::Session number, const wire::Frame& frame);
  void release_hidden(Instant now);

  // engine_primary_actions.cpp
  void execute(const primary::StartClaim& action);
  void execute(const primary::ReadOwnership& action);
  void execute(const primary::BootGuest& action);
  void execute(const primary::AcceptPeer& action);
  void execute(const primary::RefusePeer& action);
  void execute(const primary::SendPass& action);
  void execute(const primary::Capture& action);
  void execute(const primary::CaptureAndStay& action);
  void execute(const primary::Release& action);
  void execute(const primary::ReleaseAll& action);
  void execute(const primary::DropHeld& action);
  void execute(const primary::PauseGuest& action);
  void execute(const primary::ResumeGuest& action);
  void execute(const primary::EndGuest& action);
  void execute(const primary::EndSession& action);
  void execute(const primary::TellGuestEnded& action);
  void execute(const primary::AcquireResources& action);
  void execute(const primary::ReleaseResources& action);
  void execute(const primary::TellHandover& action);
  void execute(const primary::TellGo& action);
  void execute(const primary::TellCancel& action);
  void execute(const primary::BecomeSecondary& action);
  void execute(const primary::Exit& action);
  void boot_made(const Result<std::shared_ptr<guest::Guest>>& guest);
  void booted(const Result<void>& runs);
  void announce();
  void on_guest_end();
  void guest_ended(const guest::End& end);

  Host& host_;
  std::function<void(SideEnds)> ends_;
  primary::Core core_;
  Loop core_loop_;
  std::shared_ptr<guest::Guest> guest_;
  bool guest_runs_ = false;
  bool guest_ending_ = false;  // it has ended; guest_ended() follows
  Instant last_beat_{};
  bool gate_closed_ = false;  // behind DropHeld
  bool moved_ = false;        // the guest came here from the other host
  bool rewritten_ = false;    // the gate rewrites numbers of its connections
  bool releasing_ = false;    // memory of it is being given back
  Instant release_at_ = Instant::min();
  Instant asks_told_{};
  std::uint64_t asks_since_told_ = 0;
  std::int64_t mode_since_unix_ns_ = 0;
  // What the guest's secondaries were sent, from one session to the next. Used on its thread.
  std::shared_ptr<primary::Lineage> lineage_;
  // The session that began it; empty where nothing can be gone on with.
  std::optional<wire::Token> lineage_name_;
  std::unique_ptr<EndWatch> end_watch_;
  std::unique_ptr<io::Listener> listener_;
  Said refusals_;              // by host
  std::optional<Error> deaf_;  // why no secondary can reach this host
  // Shared with tasks on the guest's thread, which may outlive the session by a moment.
  std::shared_ptr<PrimarySession> session_;
  std::shared_ptr<PrimarySession> asking_;  // between PeerAsks and its answer
  primary::Session last_session_{0};
  boost::asio::steady_timer bulk_timer_;
  std::string noted_state_;  // as the log has it: the word and its step
  bool exit_failed_ = false;

  Recent<double> pause_ms_;
  Recent<std::uint64_t> dirty_pages_;
  std::uint64_t sent_bytes_ = 0;
  std::uint64_t committed_ = 0;
  std::int64_t committed_unix_ns_ = 0;
  std::optional<TakeoverStatus> takeover_;
};

}  // namespace colo::app
