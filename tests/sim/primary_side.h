// The primary's side of a simulated engine: executes its core's actions and feeds back what
// happened, as app/engine_primary*.cpp does. Threads: none.
#pragma once

#include <deque>
#include <memory>

#include "heartbeat/detector.h"
#include "primary/capture.h"
#include "primary/core.h"
#include "primary/lineage.h"
#include "tests/sim/engine.h"

namespace colo::sim {

struct PrimarySession {
  primary::Session number;
  wire::Token token{};
  std::shared_ptr<Lane> lane;
  std::shared_ptr<Lane> bulk;
  std::optional<wire::Held> held;     // what its hello offered of our last lineage
  std::optional<primary::Base> base;  // what the core goes on from
  std::unique_ptr<primary::FrameSink> sink;
  std::unique_ptr<primary::Capturer> capturer;
  std::unique_ptr<heartbeat::Detector> detector;
  bool compares = false;
};

class PrimarySide {
 public:
  PrimarySide(Engine& engine, Generation from);
  PrimarySide(Engine& engine, std::shared_ptr<SimGuest> guest, Generation generation,
              std::string cause);
  ~PrimarySide();

  void feed(primary::Event event);
  void opened(const std::shared_ptr<Lane>& lane, const Message& opening);
  void heard(std::size_t link, Generation generation, wire::GuestHere guest);
  void stalled(Instant from, Instant now);
  void beat(Instant now);
  void guest_ended(bool by_guest);
  void epoch_began(Epoch tag, const Bytes& flows);
  void inbound(Epoch tag, const Bytes& frame);
  void checkpoint_wanted(Epoch tag, primary::CheckpointReason reason);
  void leave() { left_ = true; }
  void end();  // the process ends
  [[nodiscard]] const primary::Core& core() const { return core_; }
  [[nodiscard]] std::shared_ptr<SimGuest> guest() const { return guest_; }
  [[nodiscard]] wire::GuestHere guest_here() const;

 private:
  void arm();
  PrimarySession* session(primary::Session number);
  void on_hello(const std::shared_ptr<Lane>& lane, const Greeting& hello);
  void on_attach(const std::shared_ptr<Lane>& lane, const wire::Token& token);
  void on_frame(primary::Session number, const Message& message);
  void on_word(primary::Session number, const Message& message);
  bool on_replica_word(primary::Session number, const Message& message);
  bool stood_still(primary::Session number);
  void lose(primary::Session number, const Error& error, bool certain);
  void lane_ended(primary::Session number, bool certain);
  void bulk_ended(primary::Session number, bool certain);
  void send(wire::Kind kind, Epoch epoch, bool flag = false, Bytes frame = {});
  void peer_says(Generation generation, wire::GuestHere guest);
  void run_capture(primary::Session number, Epoch epoch, bool begins_hold, bool stays);
  void captured(primary::Session number, Epoch epoch, const Result<void>& outcome);
  void failed(const Error& error);  // of a pass or a capture: what it says of the lineage
  void mutant_forgets(Epoch base);  // a planted bug

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
  void execute(const primary::AcquireResources& action);
  void execute(const primary::ReleaseResources& action);
  void execute(const primary::EndSession& action);
  void execute(const primary::TellGuestEnded& action);
  void execute(const primary::TellHandover& action);
  void execute(const primary::TellGo& action);
  void execute(const primary::TellCancel& action);
  void execute(const primary::BecomeSecondary& action);
  void execute(const primary::Exit& action);
  void execute(const primary::StartComparing& action);
  void execute(const primary::StopComparing& action);
  void execute(const primary::TellMode& action);

  Engine& engine_;
  World& world_;
  primary::Core core_;
  std::shared_ptr<SimGuest> guest_;
  std::unique_ptr<primary::Lineage> lineage_;
  std::optional<wire::Token> lineage_token_;  // empty: a whole copy is needed
  bool guest_runs_ = false;
  bool ends_ = false;
  std::shared_ptr<PrimarySession> session_;
  std::shared_ptr<PrimarySession> asking_;
  primary::Session last_session_{0};
  std::deque<primary::Event> events_;
  bool feeding_ = false;
  bool left_ = false;
  std::optional<Instant> armed_;
  int spins_ = 0;
};

}  // namespace colo::sim
