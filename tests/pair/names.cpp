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

const char* step_name(secondary::Handover step) {
  switch (step) {
    case secondary::Handover::preparing:
      return "preparing";
    case secondary::Handover::flushing:
      return "flushing";
    case secondary::Handover::loading:
      return "loading";
    case secondary::Handover::loaded:
      return "loaded";
  }
  return "";
}

const char* step_name(primary::Handover step) {
  switch (step) {
    case primary::Handover::passing:
      return "passing";
    case primary::Handover::saving:
      return "saving";
    case primary::Handover::loading:
      return "loading";
    case primary::Handover::claiming:
      return "claiming";
  }
  return "";
}

std::string claim_name(heartbeat::For for_whom, Generation from) {
  const char* whom = for_whom == heartbeat::For::me       ? ""
                     : for_whom == heartbeat::For::nobody ? " for nobody"
                                                          : " for the peer";
  return std::string("StartClaim") + whom + " from " + std::to_string(from.value);
}

std::string session_name(const char* what, const std::optional<Epoch>& base) {
  return base ? std::string(what) + " from " + std::to_string(base->value) : what;
}

const char* step_name(secondary::Step step) {
  switch (step) {
    case secondary::Step::flushing:
      return "flushing";
    case secondary::Step::preparing:
      return "preparing";
    case secondary::Step::loading:
      return "loading";
    case secondary::Step::acquiring:
      return "acquiring";
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
          [](const primary::StartClaim& x) { return claim_name(x.for_whom, x.from); },
          [](const primary::BootGuest&) { return std::string("BootGuest"); },
          [](const primary::ReadOwnership&) { return std::string("ReadOwnership"); },
          [](const primary::AcceptPeer& x) { return session_name("AcceptPeer", x.base); },
          [](const primary::RefusePeer&) { return std::string("RefusePeer"); },
          [](const primary::SendPass& x) {
            return session_name(with("SendPass", x.epoch.value).c_str(), x.base);
          },
          [](const primary::CaptureAndStay& x) { return with("CaptureAndStay", x.epoch.value); },
          [](const primary::Capture& x) {
            return std::string(
                with(x.begins_hold ? "Capture and hold from" : "Capture", x.epoch.value));
          },
          [](const primary::Release& x) { return std::string(with("Release", x.up_to.value)); },
          [](const primary::ReleaseAll&) { return std::string("ReleaseAll"); },
          [](const primary::DropHeld&) { return std::string("DropHeld"); },
          [](const primary::PauseGuest&) { return std::string("PauseGuest"); },
          [](const primary::ResumeGuest&) { return std::string("ResumeGuest"); },
          [](const primary::EndGuest&) { return std::string("EndGuest"); },
          [](const primary::AcquireResources&) { return std::string("AcquireResources"); },
          [](const primary::ReleaseResources&) { return std::string("ReleaseResources"); },
          [](const primary::TellHandover& x) { return with("TellHandover", x.epoch.value); },
          [](const primary::TellGo&) { return std::string("TellGo"); },
          [](const primary::TellCancel&) { return std::string("TellCancel"); },
          [](const primary::BecomeSecondary&) { return std::string("BecomeSecondary"); },
          [](const primary::EndSession& x) { return std::string(farewell_name(x.farewell)); },
          [](const primary::TellGuestEnded&) { return std::string("TellGuestEnded"); },
          [](const primary::StartComparing& x) {
            return with("StartComparing from the cut of", x.epoch.value);
          },
          [](const primary::StopComparing&) { return std::string("StopComparing"); },
          [](const primary::TellMode& x) {
            return with(x.colo ? "TellMode colo from" : "TellMode periodic from", x.from.value) +
                   " (" + x.reason + ")";
          },
          [](const primary::Exit&) { return std::string("Exit"); }},
      action);
}

std::string action_name(const secondary::Action& action) {
  return std::visit(
      overloaded{
          [](const secondary::Join&) { return std::string("Join"); },
          [](const secondary::StopJoin&) { return std::string("StopJoin"); },
          [](const secondary::Commit& x) { return std::string(with("Commit", x.epoch.value)); },
          [](const secondary::Acknowledge& x) {
            return std::string(with("Acknowledge", x.epoch.value));
          },
          [](const secondary::StartFlush&) { return std::string("StartFlush"); },
          [](const secondary::StartClaim& x) { return claim_name(x.for_whom, x.from); },
          [](const secondary::EndSession& x) {
            return std::string(x.returns ? "EndSession (will return)" : "EndSession");
          },
          [](const secondary::Forget&) { return std::string("Forget"); },
          [](const secondary::PrepareStandby& x) {
            return std::string(x.replica ? "PrepareStandby for a replica" : "PrepareStandby");
          },
          [](const secondary::Load&) { return std::string("Load"); },
          [](const secondary::AcquireResources&) { return std::string("AcquireResources"); },
          [](const secondary::ReleaseResources&) { return std::string("ReleaseResources"); },
          [](const secondary::Run& x) {
            return std::string(x.replica ? "Run the replica on" : "Run");
          },
          [](const secondary::RunReplica& x) { return with("RunReplica", x.epoch.value); },
          [](const secondary::EndReplica&) { return std::string("EndReplica"); },
          [](const secondary::HoldReplica&) { return std::string("HoldReplica"); },
          [](const secondary::TellReplicaRuns& x) {
            return with("TellReplicaRuns", x.epoch.value);
          },
          [](const secondary::TellReplicaLost&) { return std::string("TellReplicaLost"); },
          [](const secondary::TellLoaded& x) { return with("TellLoaded", x.epoch.value); },
          [](const secondary::TellLoadFailed&) { return std::string("TellLoadFailed"); },
          [](const secondary::TellTookOver&) { return std::string("TellTookOver"); },
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
  return std::visit(
      overloaded{[](const primary::Starting&) { return std::string("Starting"); },
                 [](const primary::Solo&) { return std::string("Solo"); },
                 [](const primary::Syncing&) { return std::string("Syncing"); },
                 [](const primary::Protected&) { return std::string("Protected"); },
                 [](const primary::Reconnecting&) { return std::string("Reconnecting"); },
                 [](const primary::HandingOver& x) {
                   return std::string("HandingOver ") + step_name(x.step);
                 },
                 [](const primary::Claiming&) { return std::string("Claiming"); },
                 [](const primary::Left&) { return std::string("Left"); },
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
          [](const primary::PeerLoaded& x) { return with("peer loaded", x.epoch.value); },
          [](const primary::PeerLoadFailed& x) {
            return "peer could not load (" + x.error.reason + ")";
          },
          [](const primary::PeerTookOver&) { return std::string("peer took over"); },
          [](const primary::PeerRuns& x) {
            return with("peer runs generation", x.generation.value);
          },
          [](const primary::OwnershipRead& x) {
            return "owner read: " + (x.ownership.owner.empty() ? "nobody" : x.ownership.owner) +
                   with(", generation", x.ownership.generation.value);
          },
          [](const primary::OwnershipUnread&) { return std::string("owner not read"); },
          [](const primary::Acquired&) { return std::string("acquired"); },
          [](const primary::AcquireFailed& x) { return "acquire failed (" + x.error.reason + ")"; },
          [](const primary::SwitchoverAsked&) { return std::string("switchover asked"); },
          [](const primary::TakeoverAsked&) { return std::string("takeover asked"); },
          [](const primary::CompareAsked& x) {
            return with(x.reason == primary::CheckpointReason::silence ? "silence in epoch"
                                                                       : "difference in epoch",
                        x.open.value);
          },
          [](const primary::ReplicaRuns& x) { return with("replica runs", x.epoch.value); },
          [](const primary::ReplicaLost& x) { return "replica lost (" + x.error.reason + ")"; },
          [](const primary::PeerAsksCheckpoint& x) {
            return "peer asks for a checkpoint (" + x.reason + ")";
          },
          [](const primary::ModeSet&) { return std::string("mode set"); },
          [](const primary::HoldFull&) { return std::string("hold queue full"); },
          [](const primary::Tick&) { return std::string("tick"); },
          [](const primary::PeerAsks& x) {
            return x.host + " asks to join" + (x.held ? with(", holds", x.held->epoch.value) : "");
          },
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
                 [](const secondary::HandingOver& x) {
                   return std::string("HandingOver ") + step_name(x.step);
                 },
                 [](const secondary::GivingBack&) { return std::string("GivingBack"); },
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
          [](const secondary::Joined& x) {
            return "joined " + x.host + (x.base ? with(" from", x.base->value) : "");
          },
          [](const secondary::Acquired&) { return std::string("acquired"); },
          [](const secondary::AcquireFailed& x) {
            return "acquire failed (" + x.error.reason + ")";
          },
          [](const secondary::Released&) { return std::string("released"); },
          [](const secondary::HandoverAsked& x) { return with("handover asked", x.epoch.value); },
          [](const secondary::GoAsked&) { return std::string("told to go"); },
          [](const secondary::CancelAsked& x) { return "cancelled (" + x.reason + ")"; },
          [](const secondary::PeerRuns& x) {
            return with("peer runs generation", x.generation.value);
          },
          [](const secondary::PeerKeepsGuest&) { return std::string("peer keeps its guest"); },
          [](const secondary::GiveBackAsked&) { return std::string("give-back asked"); },
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
          [](const secondary::ModeTold& x) {
            return with(x.colo ? "told: colo from" : "told: periodic from", x.from.value);
          },
          [](const secondary::ReplicaRuns&) { return std::string("replica runs"); },
          [](const secondary::ReplicaFailed&) { return std::string("replica failed"); },
          [](const secondary::ReplicaEnded&) { return std::string("replica ended"); },
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
