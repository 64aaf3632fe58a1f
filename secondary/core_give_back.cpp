// The secondary's core, part six: a takeover that failed is given back; and the operator's stop.

#include <utility>

#include "base/check.h"
#include "secondary/core.h"

namespace colo::secondary {

void Core::on(const GiveBackAsked&, Instant now, Actions& actions) {
  const auto* takeover = std::get_if<TakingOver>(&state_);
  if (takeover == nullptr || takeover->step == Step::resuming) {
    refusal_ = Error{"nothing-to-give-back", "no takeover is under way on this host",
                     "colo status FILE shows what this host does"};
    return;
  }
  // In the name of a run that has ended nobody would run the guest, and nothing here would say so.
  if (!peer_keeps_until_ || now > *peer_keeps_until_) {
    refusal_ = Error{"peer-not-heard", "the peer is not heard to keep its guest",
                     "repair the link to it, or try again here: colo takeover FILE"};
    return;
  }
  give_back("asked by the operator", actions);
}

void Core::on(const PeerKeepsGuest&, Instant now, Actions& actions) {
  peer_keeps_until_ = now + config_.lost_after;
  const auto* takeover = std::get_if<TakingOver>(&state_);
  if (takeover == nullptr || takeover->step != Step::failed) return;
  give_back("the guest does not run here, and the peer keeps its own", actions);
}

void Core::give_back(std::string cause, Actions& actions) {
  GivingBack giving;
  giving.trouble = std::get<TakingOver>(state_).trouble;
  giving.cause = std::move(cause);
  state_ = std::move(giving);
  // A replica that runs says nothing, and is the last copy until the claim for the peer is granted.
  actions.push_back(ReleaseResources{});
}

void Core::on(const Released&, Instant, Actions& actions) {
  auto* giving = std::get_if<GivingBack>(&state_);
  if (giving == nullptr || !giving->releasing) return;
  giving->releasing = false;
  actions.push_back(StartClaim{generation_, For::peer});
}

// The checkpoint is kept: should the peer be dead after all, it is the only copy left, and whether
// nobody went on from it only the operator can know.
void Core::given_back(Generation generation, Instant now, Actions& actions) {
  const std::string trouble = std::get<GivingBack>(state_).trouble;
  generation_ = generation;
  // Of a checkpoint that ran only its replica's past counts.
  const bool ran = spent() || (replica_ && replica_->epoch == committed_);
  keeps_ = ran ? Keeps::base : Keeps::last_resort;
  rejoin("the guest was given back: " + trouble, now, actions);
}

void Core::on(const PeerRuns& event, Instant now, Actions& actions) {
  const auto* takeover = std::get_if<TakingOver>(&state_);
  if (takeover != nullptr && takeover->step != Step::resuming && event.generation > generation_) {
    // The operator let the peer have its guest, without asking here.
    actions.push_back(ReleaseResources{});
    keeps_ = Keeps::base;
    rejoin("the peer took its guest back", now, actions);
    return;
  }
  if (!std::holds_alternative<Joining>(state_)) return;
  if (keeps_ == Keeps::last_resort && event.generation >= generation_) keeps_ = Keeps::base;
}

// Who gets the guest if this host stops now. A guest that stands still over there is good; without
// one, a claim in the name of a run that may have ended only makes the next start wait for a word.
For Core::heir(Instant now) const {
  const auto* claiming = std::get_if<Claiming>(&state_);
  const auto* takeover = std::get_if<TakingOver>(&state_);
  const bool quiet =
      (claiming != nullptr && claiming->quiet) || (takeover != nullptr && takeover->quiet);
  const bool heard = peer_keeps_until_ && now <= *peer_keeps_until_;
  return quiet || heard ? For::peer : For::nobody;
}

void Core::on(const StopAsked&, Instant now, Actions& actions) {
  const std::string reason = "stopped by the operator";
  stop_dialling(actions);
  if (const auto current = session()) actions.push_back(EndSession{*current, reason});
  end_open_session(actions);
  actions.push_back(EndGuest{});
  const auto* claiming = std::get_if<Claiming>(&state_);
  const auto* giving = std::get_if<GivingBack>(&state_);
  const bool owner = std::holds_alternative<TakingOver>(state_);
  if (owner) {
    actions.push_back(ReleaseResources{});
    actions.push_back(StartClaim{generation_, heir(now)});
  } else if (giving != nullptr && (giving->releasing || giving->retry)) {
    actions.push_back(StartClaim{generation_, For::peer});
  }
  // An engine that did not wait could leave the ownership to a host without guest, and the primary
  // would pause its own for nobody. Asked a second time it does not wait.
  const bool gives_up = owner || giving != nullptr;
  const bool waits = gives_up || (claiming != nullptr && !claiming->retry);
  state_ = Ended{reason, waits, gives_up, heir(now)};
  if (!waits) actions.push_back(Exit{});
}

// answer: null where there was none.
void Core::answered_after_stop(const heartbeat::ClaimAnswer* answer, Actions& actions) {
  auto& ended = std::get<Ended>(state_);
  if (!ended.claim_under_way) return;
  const auto* won = answer == nullptr ? nullptr : std::get_if<heartbeat::ClaimWon>(answer);
  if (won != nullptr && !ended.giving_up) {
    generation_ = won->generation;
    ended.giving_up = true;
    actions.push_back(StartClaim{generation_, ended.heir});
    return;
  }
  ended.claim_under_way = false;
  actions.push_back(Exit{});
}

}  // namespace colo::secondary
