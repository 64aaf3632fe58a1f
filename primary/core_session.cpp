// The primary's core, part two: a session with a secondary, checkpoint by checkpoint.

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "primary/core.h"

namespace colo::primary {

namespace {

// A session that came this far works; what ends it later is a new story.
constexpr Epoch steady_after{100};

}  // namespace

void Core::on(const PeerAsks& event, Instant now, Actions& actions) {
  if (!std::holds_alternative<Solo>(state_)) {
    std::string reason = "this host cannot take a secondary now";
    if (std::holds_alternative<Claiming>(state_)) reason = "this host is claiming the guest";
    if (const auto* lost = std::get_if<Lost>(&state_)) {
      reason = "this host lost the guest to " + lost->owner.owner;
    }
    if (session() != nullptr) reason = "this host has a secondary already: " + session()->host;
    refusal_ = Error{"not-ready", reason, "ask again later"};
    actions.push_back(RefusePeer{event.session, *refusal_});
    return;
  }
  if (now < not_before_) {
    const auto wait = std::chrono::ceil<std::chrono::seconds>(not_before_ - now);
    refusal_ = Error{"not-ready",
                     "the last session was given up; the next may begin in " +
                         std::to_string(wait.count()) + " s",
                     "colo status FILE on this host says why it was"};
    actions.push_back(RefusePeer{event.session, *refusal_});
    return;
  }
  SessionState fresh;
  fresh.session = event.session;
  fresh.host = event.host;
  fresh.due = now + config_.answer_timeout;
  state_ = Syncing{std::move(fresh)};
  actions.push_back(AcceptPeer{event.session, generation_});
}

void Core::on(const BulkAttached& event, Instant, Actions& actions) {
  SessionState* current = session(event.session);
  if (current == nullptr || current->phase != Phase::attaching) return;
  current->phase = Phase::passing;
  current->due = Instant::max();
  current->passes = 1;
  actions.push_back(SendPass{current->session, current->open(), true});
}

void Core::begin_checkpoint(SessionState& session, Instant now, Actions& actions) {
  COLO_CHECK(session.phase == Phase::idle);
  session.phase = Phase::passing;
  session.due = session.cut ? now + config_.answer_timeout : Instant::max();
  session.passes = 1;
  actions.push_back(SendPass{session.session, session.open(), false});
}

void Core::on(const PassEnded& event, Instant, Actions& actions) {
  SessionState* current = session(event.session);
  if (current == nullptr || current->phase != Phase::passing) return;
  const bool first = current->committed == Epoch{0};
  const std::uint32_t passes_max = first ? config_.passes_first : config_.passes_max;
  if (event.pages > config_.residual_pages && current->passes < passes_max) {
    ++current->passes;
    actions.push_back(SendPass{current->session, current->open(), false});
    return;
  }
  capture(*current, actions);
}

void Core::capture(SessionState& session, Actions& actions) {
  session.phase = Phase::capturing;
  session.due = Instant::max();
  session.due_now = false;  // whoever asked until now gets this one
  // From here on the commit record may reach the secondary, so it may hold a complete checkpoint,
  // whether we hear of it or not: without a claim nothing more may be released.
  session.cut = true;
  actions.push_back(
      Capture{session.session, session.open(), /*begins_hold=*/session.committed == Epoch{0}});
}

void Core::on(const StandstillEnded& event, Instant now, Actions&) {
  SessionState* current = session(event.session);
  if (current == nullptr || current->phase != Phase::capturing) return;
  current->due = now + config_.answer_timeout;
}

void Core::on(const Captured& event, Instant now, Actions& actions) {
  SessionState* current = session(event.session);
  if (current == nullptr || current->phase != Phase::capturing) return;
  COLO_CHECK(event.epoch == current->open());
  current->phase = Phase::awaiting;
  current->failures = 0;
  current->due = now + config_.answer_timeout;
  current->next_checkpoint = now + config_.delay;
  if (std::exchange(current->acknowledged_early, false)) committed(*current, now, actions);
}

void Core::on(const CaptureFailed& event, Instant now, Actions& actions) {
  SessionState* current = session(event.session);
  if (current == nullptr || current->phase != Phase::capturing) return;
  if (current->acknowledged_early || ++current->failures >= config_.capture_attempts) {
    give_up(event.error, now, actions);
    return;
  }
  // The epoch stays open: what was sent stays staged, what is dirtied again is sent again.
  current->phase = Phase::idle;
  current->next_checkpoint = now + config_.capture_retry;
  current->due = current->next_checkpoint;
}

void Core::on(const CommitAcknowledged& event, Instant now, Actions& actions) {
  SessionState* current = session(event.session);
  if (current == nullptr) return;  // an acknowledgement in flight of a session that has ended
  const bool sent = (current->phase == Phase::awaiting || current->phase == Phase::capturing) &&
                    !current->acknowledged_early;
  if (!sent || event.epoch != current->open() || event.generation != generation_) {
    give_up(
        {"out-of-order",
         current->host + " acknowledged checkpoint " + std::to_string(event.epoch.value) +
             " of generation " + std::to_string(event.generation.value) + ", which it was not sent",
         "run the same version of colo on both hosts"},
        now, actions);
    return;
  }
  if (current->phase == Phase::capturing) {
    current->acknowledged_early = true;  // Captured follows, or we did not send what it answers
    return;
  }
  committed(*current, now, actions);
}

void Core::committed(SessionState& session, Instant now, Actions& actions) {
  session.committed = session.open();
  session.phase = Phase::idle;
  session.due = session.next_checkpoint;
  if (session.committed >= steady_after) setbacks_ = 0;
  actions.push_back(Release{session.committed});
  if (auto* syncing = std::get_if<Syncing>(&state_)) {
    SessionState kept = std::move(syncing->session);
    state_ = Protected{std::move(kept)};
  }
  tick_session(*this->session(), now, actions);
}

void Core::on(const HoldFull&, Instant now, Actions& actions) {
  SessionState* current = session();
  if (current == nullptr) return;  // claiming: the guest waits until the claim is answered
  current->due_now = true;
  tick_session(*current, now, actions);
}

void Core::tick_session(SessionState& session, Instant now, Actions& actions) {
  if (session.phase == Phase::idle) {
    if (session.due_now || now >= session.due) begin_checkpoint(session, now, actions);
    return;
  }
  if (now < session.due) return;
  const std::string checkpoint = "checkpoint " + std::to_string(session.open().value);
  if (session.phase == Phase::attaching) {
    give_up({"no-answer", session.host + " did not attach its bulk lane in time", ""}, now,
            actions);
  } else if (session.phase == Phase::awaiting) {
    give_up({"no-answer", session.host + " did not commit " + checkpoint + " in time",
             "look at the log of " + session.host},
            now, actions);
  } else {
    give_up({"too-slow", checkpoint + " could not be taken and sent within limits.stream_timeout",
             "a faster link, a shorter delay, or a higher limits.stream_timeout"},
            now, actions);
  }
}

// The session is ours to end, and another one like it may end the same way.
void Core::give_up(const Error& error, Instant now, Actions& actions) {
  Duration wait = config_.setback_first;
  for (std::uint32_t i = 0; i < setbacks_ && wait < config_.setback_max; ++i) wait *= 2;
  ++setbacks_;
  not_before_ = now + std::min(wait, config_.setback_max);
  lose_peer(error, actions);
}

void Core::on(const PeerLost& event, Instant, Actions& actions) {
  if (session(event.session) == nullptr) return;
  lose_peer(event.error, actions);
}

}  // namespace colo::primary
