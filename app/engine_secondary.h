// The secondary's side of the engine: executes the core's actions and feeds back what happened.
// Nothing is decided here that a law depends on; see secondary/core.h.
//
// Threads: the loop's. The standby guest is driven on Host::guest_worker, flushes run on a worker
//   of their own, checkpoints are staged on the bulk lane's thread; results are posted back.
#pragma once

#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <memory>

#include "app/engine_host.h"
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
  std::shared_ptr<io::ControlLane> lane;
  std::unique_ptr<io::Dialer> bulk_dialer;
  std::unique_ptr<secondary::Stager> stager;  // on the bulk lane's thread
  std::unique_ptr<io::BulkReceiver> bulk;     // ends before the stager that its thread uses
  std::unique_ptr<heartbeat::Detector> detector;
  std::optional<InitialCopy> initial_copy;
  Instant since{};
  bool welcomed = false;
  bool suspected = false;  // hearing from the peer again clears it
  bool closed = false;     // one side refused the other: what follows is no news
  std::uint64_t alive_count = 0;
};

class SecondarySide final : public Side, public std::enable_shared_from_this<SecondarySide> {
 public:
  SecondarySide(Host& host, std::function<void(SideEnds)> ends);
  ~SecondarySide() override;

  void start() override;
  void heard(std::size_t link) override;
  void stalled(Instant from, Instant now) override;
  void output_full() override {}
  void beat(Instant now) override;
  Reply command(const Request& request) override;
  void stop() override;
  void fill(Status& status) const override;

 private:
  // engine_secondary.cpp
  std::optional<Error> feed(secondary::Event event);
  void arm_timer();
  void note_state();

  // engine_secondary_session.cpp
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
  void drop_session(const std::string& farewell);

  // engine_secondary_actions.cpp
  void execute(const secondary::Join& action);
  void execute(const secondary::Commit& action);
  void execute(const secondary::Acknowledge& action);
  void execute(const secondary::StartFlush& action);
  void execute(const secondary::StartClaim& action);
  void execute(const secondary::EndSession& action);
  void execute(const secondary::Forget& action);
  void execute(const secondary::PrepareStandby& action);
  void execute(const secondary::Load& action);
  void execute(const secondary::Run& action);
  void execute(const secondary::EndGuest& action);
  void execute(const secondary::Exit& action);
  void standby_made(Result<std::shared_ptr<guest::Guest>> standby);
  void on_standby_end();
  void mark_process_memory_diverged();
  void become_primary();

  Host& host_;
  std::function<void(SideEnds)> ends_;
  secondary::Core core_;
  std::shared_ptr<guest::Guest> standby_;
  std::unique_ptr<EndWatch> end_watch_;
  std::shared_ptr<secondary::GuestMemory> memory_;
  std::shared_ptr<cache::Cache> cache_;  // shared with a flush that may outlive its session
  std::unique_ptr<io::Dialer> dialer_;
  std::unique_ptr<SecondarySession> session_;
  secondary::Session last_session_{0};
  std::string standby_end_;  // how the last standby ended, if it was not us
  boost::asio::steady_timer timer_;
  std::deque<secondary::Event> events_;
  bool feeding_ = false;
  std::size_t noted_state_ = 0;
  std::optional<TakeoverStatus> takeover_;
  Worker flush_worker_;
};

}  // namespace colo::app
