// What both sides of an engine share: the configuration, the loop, the threads, the arbiter, the
// gate. One Host per process; it outlives every Side.
//
// Threads: the loop's, unless a member says otherwise.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "app/checkpoint_files.h"
#include "app/config.h"
#include "app/control.h"
#include "app/engine.h"
#include "app/engine_worker.h"
#include "app/hooks.h"
#include "app/lane_room.h"
#include "app/status.h"
#include "guest/config.h"
#include "heartbeat/arbiter.h"
#include "heartbeat/claim_for.h"
#include "heartbeat/detector.h"
#include "io/lane.h"
#include "io/packet_gate.h"
#include "wire/messages.h"

namespace colo::app {

struct Host {
  Host(boost::asio::io_context& event_loop, const Config& configuration, std::string host,
       std::filesystem::path file);

  boost::asio::io_context& loop;
  const Config& config;
  const std::string name;
  const std::string run;  // a random word: this process, not its predecessor
  const std::filesystem::path config_file;
  HostConfig peer;  // of the configuration, or where the operator says that it is now
  io::Key key{};
  std::unique_ptr<heartbeat::Arbiter> arbiter;        // on arbiter_worker only
  std::unique_ptr<guest::GuestMaker> maker;           // on guest_worker only
  std::unique_ptr<CheckpointFiles> checkpoint_files;  // null: nothing outlives this engine
  std::unique_ptr<io::PacketGate> gate;
  LaneRoom lane_room;
  std::vector<OwnerStatus> owners;  // the arbiter's history as last read
  HookRunner hooks;                 // on hook_worker only
  HookCancel hook_cancel;
  Worker guest_worker;
  Worker arbiter_worker;
  Worker hook_worker;

  // Asks the arbiter on its worker; the answer comes back on the loop, with `owners` refreshed.
  // peer_run: for a claim in the peer's name, the run that keeps the guest.
  void claim(Generation from, heartbeat::For for_whom, const std::string& peer_run,
             std::function<void(Result<heartbeat::ClaimAnswer>)> answer);
  void read_ownership(std::function<void(Result<heartbeat::Ownership>)> answer);
  // For status alone: does nothing while an earlier one has not come back, so that storage that
  // hangs does not gather them in front of a claim.
  void refresh_owners();

  // The resources of the guest, before it runs here and after it left: one after the other, each
  // answered on the loop. What could not be released is only logged.
  void acquire(HookCause cause, Generation generation, std::function<void(Result<void>)> answer);
  void release(HookRunner::Of which, HookCause cause, Generation generation,
               std::function<void()> answer);

  [[nodiscard]] io::LaneOptions lane_options() const;
  [[nodiscard]] wire::Agreement agreement(const guest::Identity& identity) const;
  [[nodiscard]] std::string peer_name() const { return peer.name; }
  // How an operator looks at the arbiter.
  [[nodiscard]] std::string look_at_arbiter() const;
  // "colo status FILE --host beta": what an operator can paste.
  [[nodiscard]] std::string command(const std::string& verb, const std::string& host) const;

 private:
  bool refreshing_ = false;
};

// What a side is at, for an operator: the log has each change, the status all of it.
struct Words {
  State state;
  std::string reason;
  std::string next;
  std::string step = {};
  // "HANDING-OVER/loading"
  [[nodiscard]] std::string state_text() const { return word(state) + behind("/", step); }
  // Empty where `text` is.
  [[nodiscard]] static std::string behind(const std::string& separator, const std::string& text) {
    return text.empty() ? "" : separator + text;
  }
};

// What becomes of a side when it is over.
struct SideExit {
  int status = 0;
};
struct SideTakesOver {  // the guest runs here now: go on as its primary
  std::shared_ptr<guest::Guest> guest;
  Generation generation;
  std::string cause;
  TakeoverStatus figures;
  // It has connections whose numbers the gate rewrites.
  bool rewritten = false;
};
struct SideJoins {  // the guest is the other host's, and it runs there: become its secondary
  std::string reason;
};
using SideEnds = std::variant<SideExit, SideTakesOver, SideJoins>;

// One role of this host. Everything on the loop.
class Side {
 public:
  virtual ~Side() = default;
  virtual void start() = 0;
  // Something authentic of the peer came over this heartbeat link, and says what it has of the
  // guest.
  virtual void heard(std::size_t link, const wire::Alive& peer) = 0;
  // What the heartbeats of this host say; their count is not used.
  [[nodiscard]] virtual wire::Alive says() const = 0;
  // This process stood still: the silence says nothing of the peer.
  virtual void stalled(Instant from, Instant now) = 0;
  // The gate holds as much output as it may.
  virtual void output_full() = 0;
  // The gate's words in COLO mode (io/packet_gate.h); a side drops what is not for it.
  virtual void epoch_began(Epoch, const Bytes&) {}
  virtual void inbound(Epoch, const std::vector<io::PortFrame>&) {}
  virtual void replica_sent(Epoch, const std::vector<io::PortFrame>&) {}
  virtual void checkpoint_wanted(Epoch, const compare::Ask&) {}
  virtual void replica_behind() {}
  // Called at every heartbeat interval.
  virtual void beat(Instant now) = 0;
  // Host::peer has other addresses now.
  virtual void peer_moved() = 0;
  [[nodiscard]] virtual Reply command(const Request& request) = 0;
  virtual void stop() = 0;
  virtual void fill(Status& status) const = 0;
};

[[nodiscard]] std::int64_t unix_now_ns();
// How a lane to `host` ended: an operator knows hosts by their names, lanes know addresses.
[[nodiscard]] Error lane_error(const std::string& host, const io::LaneEnd& end);
// The links of `peer` as its detector reports them: the heartbeat links, then the control lane.
void fill_links(PeerStatus& status, const std::vector<heartbeat::LinkReport>& report,
                const HostConfig& peer);
[[nodiscard]] GuestStatus describe(const guest::Identity& identity, bool running, int pid);

[[nodiscard]] std::vector<io::InsidePort> inside_ports(const guest::Guest& guest);

// Frames of the network over the lane, in as few frames of its own as hold them.
void send_packets(io::ControlLane& lane, const std::vector<io::PortFrame>& frames,
                  Generation generation, Epoch tag);

// Calls `ended` on the loop once the guest has ended; forget it to stop watching.
class EndWatch {
 public:
  virtual ~EndWatch() = default;
  static std::unique_ptr<EndWatch> start(boost::asio::io_context& loop, int end_fd,
                                         std::function<void()> ended);
};

}  // namespace colo::app
