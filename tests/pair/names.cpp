#include "tests/pair/names.h"

#include "base/overloaded.h"

namespace colo::pair {

namespace {

std::string with(const char* name, std::uint64_t number) {
  return std::string(name) + " " + std::to_string(number);
}

std::string answer_name(const heartbeat::ClaimAnswer& answer) {
  if (const auto* won = std::get_if<heartbeat::ClaimWon>(&answer)) {
    return "claim won, generation " + std::to_string(won->generation.value);
  }
  const auto& current = std::get<heartbeat::ClaimLost>(answer).current;
  return "claim lost to " + (current.owner.empty() ? std::string("nobody") : current.owner);
}

const char* step_name(secondary::Step step) {
  switch (step) {
    case secondary::Step::flushing:
      return "flushing";
    case secondary::Step::preparing:
      return "preparing";
    case secondary::Step::loading:
      return "loading";
    case secondary::Step::resuming:
      return "resuming";
    case secondary::Step::failed:
      return "failed";
  }
  return "";
}

const char* farewell_name(primary::Farewell farewell) {
  switch (farewell) {
    case primary::Farewell::trouble:
      return "EndSession (going on)";
    case primary::Farewell::leaving:
      return "EndSession (leaving)";
    case primary::Farewell::guest_ends:
      return "EndSession (guest ends)";
  }
  return "";
}

std::string action_name(const primary::Action& action) {
  return std::visit(
      overloaded{
          [](const primary::StartClaim& x) {
            return std::string(
                with(x.nobody ? "StartClaim for nobody from" : "StartClaim from", x.from.value));
          },
          [](const primary::BootGuest&) { return std::string("BootGuest"); },
          [](const primary::AcceptPeer&) { return std::string("AcceptPeer"); },
          [](const primary::RefusePeer&) { return std::string("RefusePeer"); },
          [](const primary::SendPass& x) { return std::string(with("SendPass", x.epoch.value)); },
          [](const primary::Capture& x) {
            return std::string(
                with(x.begins_hold ? "Capture and hold from" : "Capture", x.epoch.value));
          },
          [](const primary::Release& x) { return std::string(with("Release", x.up_to.value)); },
          [](const primary::ReleaseAll&) { return std::string("ReleaseAll"); },
          [](const primary::DropHeld&) { return std::string("DropHeld"); },
          [](const primary::PauseGuest&) { return std::string("PauseGuest"); },
          [](const primary::EndGuest&) { return std::string("EndGuest"); },
          [](const primary::EndSession& x) { return std::string(farewell_name(x.farewell)); },
          [](const primary::TellGuestEnded&) { return std::string("TellGuestEnded"); },
          [](const primary::Exit&) { return std::string("Exit"); }},
      action);
}

std::string action_name(const secondary::Action& action) {
  return std::visit(
      overloaded{
          [](const secondary::Join&) { return std::string("Join"); },
          [](const secondary::Commit& x) { return std::string(with("Commit", x.epoch.value)); },
          [](const secondary::Acknowledge& x) {
            return std::string(with("Acknowledge", x.epoch.value));
          },
          [](const secondary::StartFlush&) { return std::string("StartFlush"); },
          [](const secondary::StartClaim& x) {
            return std::string(
                with(x.nobody ? "StartClaim for nobody from" : "StartClaim from", x.from.value));
          },
          [](const secondary::EndSession&) { return std::string("EndSession"); },
          [](const secondary::Forget&) { return std::string("Forget"); },
          [](const secondary::PrepareStandby&) { return std::string("PrepareStandby"); },
          [](const secondary::Load&) { return std::string("Load"); },
          [](const secondary::Run&) { return std::string("Run"); },
          [](const secondary::EndGuest&) { return std::string("EndGuest"); },
          [](const secondary::Exit&) { return std::string("Exit"); }},
      action);
}

template <class Actions>
std::string joined(const Actions& actions) {
  std::string all;
  for (const auto& action : actions) {
    if (!all.empty()) all += ", ";
    all += action_name(action);
  }
  return all;
}

}  // namespace

std::string name_of(const primary::State& state) {
  return std::visit(overloaded{[](const primary::Starting&) { return std::string("Starting"); },
                               [](const primary::Solo&) { return std::string("Solo"); },
                               [](const primary::Syncing&) { return std::string("Syncing"); },
                               [](const primary::Protected&) { return std::string("Protected"); },
                               [](const primary::Claiming&) { return std::string("Claiming"); },
                               [](const primary::Lost&) { return std::string("Lost"); },
                               [](const primary::Ending&) { return std::string("Ending"); },
                               [](const primary::Ended&) { return std::string("Ended"); }},
                    state);
}

std::string name_of(const primary::Event& event) {
  return std::visit(
      overloaded{
          [](const primary::ClaimAnswered& x) { return std::string(answer_name(x.answer)); },
          [](const primary::ClaimUnanswered&) { return std::string("claim unanswered"); },
          [](const primary::GuestRuns&) { return std::string("guest runs"); },
          [](const primary::GuestFailed&) { return std::string("guest failed"); },
          [](const primary::GuestEnded& x) {
            return std::string("guest ended (" + x.reason + ")");
          },
          [](const primary::BulkAttached&) { return std::string("bulk lane attached"); },
          [](const primary::PassEnded& x) {
            return std::string(with("pass ended, pages", x.pages));
          },
          [](const primary::StandstillEnded& x) {
            return std::string(with("standstill ended", x.epoch.value));
          },
          [](const primary::Captured& x) { return std::string(with("captured", x.epoch.value)); },
          [](const primary::CaptureFailed& x) {
            return std::string(with("capture failed", x.epoch.value));
          },
          [](const primary::CommitAcknowledged& x) {
            return std::string(with("acknowledged", x.epoch.value));
          },
          [](const primary::PeerLost& x) {
            return std::string("peer lost (" + x.error.reason + ")");
          },
          [](const primary::HoldFull&) { return std::string("hold queue full"); },
          [](const primary::Tick&) { return std::string("tick"); },
          [](const primary::PeerAsks& x) { return std::string(x.host + " asks to join"); },
          [](const primary::CheckpointAsked&) { return std::string("checkpoint asked"); },
          [](const primary::DelaySet&) { return std::string("delay set"); },
          [](const primary::StopAsked&) { return std::string("stop asked"); }},
      event);
}

std::string name_of(const secondary::State& state) {
  return std::visit(
      overloaded{[](const secondary::Joining&) { return std::string("Joining"); },
                 [](const secondary::Receiving&) { return std::string("Receiving"); },
                 [](const secondary::Standby&) { return std::string("Standby"); },
                 [](const secondary::Suspecting&) { return std::string("Suspecting"); },
                 [](const secondary::Claiming&) { return std::string("Claiming"); },
                 [](const secondary::TakingOver& x) {
                   return std::string(std::string("TakingOver ") + step_name(x.step));
                 },
                 [](const secondary::Live&) { return std::string("Live"); },
                 [](const secondary::Ended&) { return std::string("Ended"); }},
      state);
}

std::string name_of(const secondary::Event& event) {
  return std::visit(
      overloaded{
          [](const secondary::Joined& x) { return std::string("joined " + x.host); },
          [](const secondary::JoinFailed& x) {
            return std::string("join failed (" + x.error.reason + ")");
          },
          [](const secondary::StagedComplete& x) {
            return std::string(with("staged complete", x.epoch.value));
          },
          [](const secondary::Flushed& x) { return std::string(with("flushed", x.epoch.value)); },
          [](const secondary::FlushFailed&) { return std::string("flush failed"); },
          [](const secondary::PeerGone& x) {
            return std::string("peer gone (" + x.error.reason + ")");
          },
          [](const secondary::PeerSuspected& x) {
            return std::string("peer suspected (" + x.error.reason + ")");
          },
          [](const secondary::PeerHeard&) { return std::string("peer heard"); },
          [](const secondary::ClaimAnswered& x) { return std::string(answer_name(x.answer)); },
          [](const secondary::ClaimUnanswered&) { return std::string("claim unanswered"); },
          [](const secondary::Loaded&) { return std::string("loaded"); },
          [](const secondary::LoadFailed&) { return std::string("load failed"); },
          [](const secondary::GuestRuns&) { return std::string("guest runs"); },
          [](const secondary::StandbyReady&) { return std::string("standby ready"); },
          [](const secondary::StandbyFailed&) { return std::string("standby failed"); },
          [](const secondary::Tick&) { return std::string("tick"); },
          [](const secondary::TakeoverAsked&) { return std::string("takeover asked"); },
          [](const secondary::StopAsked&) { return std::string("stop asked"); }},
      event);
}

std::string names_of(const std::vector<primary::Action>& actions) { return joined(actions); }
std::string names_of(const std::vector<secondary::Action>& actions) { return joined(actions); }

}  // namespace colo::pair
