// The primary's side of a simulated engine: executes its core's actions and feeds back what
// happened, as app/engine_primary*.cpp does. Threads: none.
#pragma once

#include <deque>
#include <memory>

#include "heartbeat/detector.h"
#include "primary/capture.h"
#include "primary/core.h"
#include "tests/sim/engine.h"

namespace colo::sim {

struct PrimarySession {
  primary::Session number;
  std::uint64_t token = 0;
  std::shared_ptr<Lane> lane;
  std::shared_ptr<Lane> bulk;
  std::unique_ptr<primary::FrameSink> sink;
  std::unique_ptr<primary::Capturer> capturer;
  std::unique_ptr<heartbeat::Detector> detector;
};

class PrimarySide {
 public:
  PrimarySide(Engine& engine, Generation from);
  PrimarySide(Engine& engine, std::shared_ptr<SimGuest> guest, Generation generation,
              std::string cause);
  ~PrimarySide();

  void feed(primary::Event event);
  void opened(const std::shared_ptr<Lane>& lane, const Message& opening);
  void heard(std::size_t link);
  void stalled(Instant from, Instant now);
  void beat(Instant now);
  void guest_ended(bool by_guest);
  void leave() { left_ = true; }
  void end();  // the process ends
  [[nodiscard]] const primary::Core& core() const { return core_; }
  [[nodiscard]] std::shared_ptr<SimGuest> guest() const { return guest_; }
  [[nodiscard]] bool speaks() const { return guest_ && guest_runs_; }

 private:
  void arm();
  PrimarySession* session(primary::Session number);
  void on_hello(const std::shared_ptr<Lane>& lane);
  void on_attach(const std::shared_ptr<Lane>& lane, std::uint64_t token);
  void on_frame(primary::Session number, const Message& message);
  void lose(primary::Session number, const Error& error);
  void send(wire::Kind kind, Epoch epoch, bool flag = false);
  void bulk_ended(primary::Session number, bool certain);

  void execute(const primary::StartClaim& action);
  void execute(const primary::BootGuest& action);
  void execute(const primary::AcceptPeer& action);
  void execute(const primary::RefusePeer& action);
  void execute(const primary::SendPass& action);
  void execute(const primary::Capture& action);
  void execute(const primary::Release& action);
  void execute(const primary::ReleaseAll& action);
  void execute(const primary::DropHeld& action);
  void execute(const primary::PauseGuest& action);
  void execute(const primary::EndGuest& action);
  void execute(const primary::EndSession& action);
  void execute(const primary::TellGuestEnded& action);
  void execute(const primary::Exit& action);
  void captured(const primary::Capture& action, Result<primary::CheckpointFigures> figures);

  Engine& engine_;
  World& world_;
  primary::Core core_;
  std::shared_ptr<SimGuest> guest_;
  bool guest_runs_ = false;
  std::shared_ptr<PrimarySession> session_;
  std::shared_ptr<PrimarySession> asking_;
  primary::Session last_session_{0};
  std::deque<primary::Event> events_;
  std::vector<primary::Action> actions_;
  bool feeding_ = false;
  bool left_ = false;
  std::optional<Instant> armed_;
  int spins_ = 0;
};

}  // namespace colo::sim
