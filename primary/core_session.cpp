// The primary's core, part two: a session with a secondary, checkpoint by checkpoint.

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "primary/core.h"

namespace colo::primary {

namespace {

// A session that came this far works; what ends it later is a new story.
constexpr std::uint64_t steady_after = 100;

}  // namespace

void Core::on(const BulkAttached& event, Instant now, Actions& actions) {
  SessionState* current = session(event.session);
  if (current == nullptr || current->phase != Phase::attaching) return;
  current->phase = Phase::passing;
  current->due = current->cut ? now + config_.answer_timeout : Instant::max();
  current->passes = 1;
  current->reason = CheckpointReason::first;
  choose_mode(*current, now, actions);
  std::optional<Epoch> base;
  if (current->resumed) base = current->base;
  actions.push_back(SendPass{current->session, current->open(), true, base});
}

void Core::begin_checkpoint(SessionState& session, Instant now, Actions& actions) {
  COLO_CHECK(session.phase == Phase::idle);
  session.phase = Phase::passing;
  session.due = session.cut ? now + config_.answer_timeout : Instant::max();
  session.passes = 1;
  const bool first = session.committed == session.base;
  session.reason =
      first ? CheckpointReason::first : session.asked.value_or(CheckpointReason::interval);
  // A guest that is handed over goes as it is.
  if (!std::holds_alternative<HandingOver>(state_)) {
    judge_life(session, now);
    choose_mode(session, now, actions);
  }
  actions.push_back(SendPass{session.session, session.open()});
}

void Core::on(const PassEnded& event, Instant, Actions& actions) {
  SessionState* current = session(event.session);
  if (current == nullptr || current->phase != Phase::passing) return;
  // Before the first cut nobody waits for the end of the passes.
  const std::uint32_t passes_max = current->cut ? config_.passes_max : config_.passes_first;
  if (event.pages > config_.residual_pages && current->passes < passes_max) {
    ++current->passes;
    actions.push_back(SendPass{current->session, current->open()});
    return;
  }
  capture(*current, actions);
}

void Core::capture(SessionState& session, Actions& actions) {
  session.phase = Phase::capturing;
  session.due = Instant::max();
  session.due_now = false;  // whoever asked until now gets this one
  session.asked.reset();
  // From here on the commit record may reach the secondary, so it may hold a complete checkpoint,
  // whether we hear of it or not: without a claim nothing more may be released.
  session.cut = true;
  session.sent = false;
  compare_from_cut(session, actions);
  if (auto* handing = std::get_if<HandingOver>(&state_)) {
    handing->step = Handover::saving;
    actions.push_back(CaptureAndStay{session.session, session.open()});
    return;
  }
  actions.push_back(
      Capture{session.session, session.open(), /*begins_hold=*/session.committed == session.base});
}

void Core::on(const StandstillEnded& event, Instant now, Actions&) {
  // It matters to an ended session as well: what is sent may become complete there.
  if (base_ && base_->session == event.session && event.epoch == base_->committed.next()) {
    base_->sent = true;
  }
  SessionState* current = session(event.session);
  if (current == nullptr || current->phase != Phase::capturing) return;
  current->sent = true;
  current->standstill = now;
  current->due = now + config_.answer_timeout;
}

void Core::on(const Captured& event, Instant now, Actions& actions) {
  SessionState* current = session(event.session);
  if (current == nullptr || current->phase != Phase::capturing) return;
  COLO_CHECK(event.epoch == current->open());
  if (!current->sent) current->standstill = now;
  current->sent = true;
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
  current->sent = false;
  current->phase = Phase::idle;
  current->next_checkpoint = now + config_.capture_retry;
  current->due = current->next_checkpoint;
  if (std::holds_alternative<HandingOver>(state_)) stay(event.error, now);
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
  session.sent = false;
  session.grace_until.reset();
  session.phase = Phase::idle;
  ++checkpoints_[static_cast<std::size_t>(session.reason)];
  expect_replica(session, now);
  session.due = next_due(session);
  if (session.committed.value - session.base.value >= steady_after) setbacks_ = 0;
  steady(session, now);
  actions.push_back(Release{session.committed});
  if (auto* syncing = std::get_if<Syncing>(&state_)) {
    SessionState kept = std::move(syncing->session);
    state_ = Protected{std::move(kept)};
  }
  if (auto* handing = std::get_if<HandingOver>(&state_)) {
    hand_over(*handing, now, actions);
    return;
  }
  tick_session(*this->session(), now, actions);
}

void Core::on(const HoldFull&, Instant now, Actions& actions) {
  SessionState* current = session();
  if (current == nullptr) return;  // claiming: the guest waits until the claim is answered
  if (current->comparing) return ask(*current, CheckpointReason::full, now, actions);
  if (!current->asked) current->asked = CheckpointReason::full;
  current->due_now = true;
  tick_session(*current, now, actions);
}

void Core::tick_session(SessionState& session, Instant now, Actions& actions) {
  if (auto* handing = std::get_if<HandingOver>(&state_);
      handing != nullptr && session.phase == Phase::idle) {
    tick_handover(*handing, now, actions);
    return;
  }
  if (session.phase == Phase::idle) {
    if (session.due_now || now >= session.due) {
      begin_checkpoint(session, now, actions);
    } else if (now >= session.runs_by) {
      give_up({"no-answer",
               session.host + " did not run checkpoint " + std::to_string(session.committed.value) +
                   " as a replica in time",
               "look at the log of " + session.host},
              now, actions);
    }
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
  lose_peer(error, /*certain=*/true, now, actions);
}

}  // namespace colo::primary
