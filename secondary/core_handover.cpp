// The secondary's core, part five: the primary hands its guest over. Its guest stands still until
// we say that ours is loaded; then we claim, and only a won claim lets the guest run here.

#include "base/check.h"
#include "secondary/core.h"

namespace colo::secondary {

void Core::on(const HandoverAsked& event, Instant, Actions& actions) {
  if (session() != event.session) return;
  const auto* suspecting = std::get_if<Suspecting>(&state_);
  if (suspecting != nullptr && suspecting->lane_closed) return;
  if (std::holds_alternative<Receiving>(state_) || event.epoch != committed_) {
    const Error error{
        "no-checkpoint",
        "checkpoint " + std::to_string(event.epoch.value) + " is not the one held here",
        "run the same version of colo on both hosts"};
    actions.push_back(TellLoadFailed{event.session, event.epoch, error});
    return;
  }
  state_ = HandingOver{event.session, host(), Handover::preparing};
  advance(std::get<HandingOver>(state_), actions);
}

// From whatever is true now to the next step, as in a takeover.
void Core::advance(HandingOver& handing, Actions& actions) {
  if (loading_ || (replica_ && replica_->step == Replica::Step::starting)) {
    handing.step = Handover::loading;
    return;
  }
  if (runs_committed()) {  // the word to hand over was late: what runs is good as well
    handing.step = Handover::loaded;
    actions.push_back(TellLoaded{handing.session, committed_});
    return;
  }
  if (replica_) {  // the last checkpoint's; its end goes on
    handing.step = Handover::flushing;
    return;
  }
  if (loaded_ != committed_) replace_if_used(actions);
  if (!standby_ready_) {
    handing.step = Handover::preparing;
    if (!preparing_) prepare_standby(actions);
  } else if (loaded()) {
    handing.step = Handover::loaded;
    actions.push_back(TellLoaded{handing.session, committed_});
  } else if (flushed_ != committed_) {
    handing.step = Handover::flushing;
    flush(actions);
  } else {
    handing.step = Handover::loading;
    load(actions);
  }
}

// Told before anything else can be: a word to go that is on its way finds us in Standby.
void Core::fail_handover(const Error& error, Instant now, Actions& actions) {
  auto& handing = std::get<HandingOver>(state_);
  actions.push_back(TellLoadFailed{handing.session, committed_, error});
  stand_by(handing.session, host(), now, actions);
}

void Core::on(const GoAsked& event, Instant, Actions& actions) {
  const auto* handing = std::get_if<HandingOver>(&state_);
  if (handing == nullptr || handing->session != event.session) return;
  if (handing->step != Handover::loaded) return;
  claim_quietly("switchover", /*switchover=*/true, actions);
}

void Core::on(const CancelAsked& event, Instant now, Actions& actions) {
  const auto* handing = std::get_if<HandingOver>(&state_);
  if (handing == nullptr || handing->session != event.session) return;
  stand_by(event.session, host(), now, actions);
}

}  // namespace colo::secondary
