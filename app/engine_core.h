// The engine of one host: starts what the arbiter allows, and lets one side follow the other.
//
//   nobody owns the guest, first primary -> PrimarySide (claims, boots)
//   the other host owns it               -> SecondarySide -> after a takeover PrimarySide
//   the guest was lost to the other host -> PrimarySide ends, SecondarySide
//   an earlier run of this host owned it -> waits for the peer's takeover or the operator's word
//
// Threads: the loop's.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <string>

#include "app/control_server.h"
#include "app/engine_host.h"
#include "app/setting.h"
#include "io/heartbeat_links.h"

namespace colo::app {

class Engine {
 public:
  Engine(const Config& config, const std::string& name, const RunOptions& options);
  ~Engine();

  // Errors: whatever of this host keeps it from starting.
  Result<void> open();
  // Until the end. Returns the process's exit status.
  int run();

 private:
  void watch_signals();
  void beat();
  void heard(std::size_t link, const wire::Alive& peer);
  void read_arbiter();
  void on_ownership(const Result<heartbeat::Ownership>& ownership);
  void become_primary(Generation from);
  void become_secondary(const std::string& peer_run, Generation current);
  void wait(std::string reason, std::string next, std::optional<Generation> takeable);
  void side_ends(SideEnds ends);
  void go_on_as_primary(SideTakesOver& takeover);
  void finish(int status);
  Reply handle(const Request& request);
  Reply set_peer(const PeerSetting& setting);
  Reply set_peer_heartbeat(const PeerHeartbeatSetting& setting);
  Reply status() const;

  // engine_gate.cpp
  io::PacketGate::Handlers gate_handlers();
  template <class Tell>
  void from_gate(Tell tell);
  template <class Tell>
  void frames_from_gate(std::vector<io::PortFrame> frames, Tell tell);

  // Before any side: what keeps it from starting.
  struct Waiting {
    std::string reason, next;
    std::optional<Generation> takeable;  // the operator may claim from it and boot
  };

  boost::asio::io_context loop_;
  Host host_;
  boost::asio::signal_set signals_;
  boost::asio::steady_timer beat_timer_;
  boost::asio::steady_timer arbiter_timer_;
  std::unique_ptr<io::HeartbeatLinks> heartbeat_;
  std::unique_ptr<ControlServer> control_;
  std::shared_ptr<Side> side_;
  Waiting waiting_;
  Instant last_beat_{};
  bool asked_to_end_ = false;
  bool finishing_ = false;
  bool released_ = false;  // what an earlier run of this host may have left
  int exit_status_ = 0;
};

}  // namespace colo::app
