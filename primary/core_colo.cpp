// The primary's core, part eight: COLO mode. The session's checkpoints are run as replicas; when
// the next one is due, and whether comparing is worth its while.
//
// Nobody here waits for the replica (docs/decisions/0026-who-waits-for-whom.md): the guest goes on
// at once after its standstill, and a checkpoint that is asked for begins whether or not the
// replica of the last one runs yet. Only the interval waits for it, or a replica that is slow to
// load would be replaced for ever before it said a word.

#include <algorithm>
#include <string>

#include "primary/core.h"

namespace colo::primary {

namespace {

// So long without trouble, and what ends a session is a new story; and so long of comparing, and
// the next time of periodic is a short one again.
constexpr Duration steady_time = std::chrono::minutes(1);

const char* word(CheckpointReason reason) {
  switch (reason) {
    case CheckpointReason::first:
      return "first";
    case CheckpointReason::interval:
      return "interval";
    case CheckpointReason::different:
      return "different";
    case CheckpointReason::silence:
      return "silence";
    case CheckpointReason::full:
      return "full";
    case CheckpointReason::peer_asked:
      return "peer-asked";
    case CheckpointReason::asked:
      return "asked";
    case CheckpointReason::mode:
      return "mode";
  }
  return "";
}

std::string in_ms(Duration time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) +
         " ms";
}

}  // namespace

bool Core::compares(Instant now) const {
  if (config_.mode == Mode::automatic) return now >= auto_.periodic_until;
  return config_.mode == Mode::colo;
}

// At the begin of a checkpoint, and as long as it is not captured: for that one and those after it.
void Core::choose_mode(SessionState& session, Instant now, Actions& actions) {
  const bool colo = compares(now);
  if (colo == session.comparing) return;
  session.comparing = colo;
  std::string reason = colo ? "mode = \"colo\"" : "mode = \"periodic\"";
  if (config_.mode == Mode::automatic) reason = colo ? "comparing pays, or may" : auto_.reason;
  if (colo) {
    auto_.comparing_since = now;
    auto_.periodic_until = Instant::min();
    auto_.reason.clear();
  } else {
    session.runs_by = Instant::max();  // nobody waits for a replica any more
  }
  actions.push_back(TellMode{session.session, session.open(), colo, std::move(reason)});
}

// A replica that said something for a shorter time than it took to bring it there, or than two
// checkpoints of periodic would have taken, was not worth its while.
void Core::judge_life(const SessionState& session, Instant now) {
  if (config_.mode != Mode::automatic || !session.comparing) return;
  const CheckpointReason why = session.reason;
  if (why == CheckpointReason::interval) auto_.short_lives = 0;
  const bool judged = why == CheckpointReason::different || why == CheckpointReason::silence ||
                      why == CheckpointReason::full || why == CheckpointReason::peer_asked;
  if (!judged) return;
  const Duration lived = session.replica_runs() ? now - session.runs_since : Duration{0};
  const Duration brought = session.runs_since - session.standstill;
  const bool worth = session.replica_runs() && lived >= std::max(2 * config_.delay, brought);
  if (worth) {
    auto_.short_lives = 0;
    return;
  }
  if (++auto_.short_lives < config_.short_lives) return;
  if (now - auto_.comparing_since >= steady_time) auto_.hold = Duration{0};
  auto_.hold =
      auto_.hold == Duration{0} ? config_.hold_first : std::min(2 * auto_.hold, config_.hold_max);
  auto_.periodic_until = now + auto_.hold;
  auto_.reason = "periodic for " + in_ms(auto_.hold) + ": " + std::to_string(auto_.short_lives) +
                 " replicas in a row had to be replaced too soon, the last after " + in_ms(lived) +
                 " (" + word(why) + ")";
  auto_.short_lives = 0;
}

Instant Core::next_due(const SessionState& session) const {
  if (!session.comparing || session.failures > 0) return session.next_checkpoint;
  if (session.asked) return session.standstill + config_.min_interval;
  if (!session.replica_runs()) return Instant::max();  // runs_by bounds it
  return session.standstill + config_.max_interval;
}

void Core::ask(SessionState& session, CheckpointReason reason, Instant now, Actions& actions) {
  if (session.asked) return;
  session.asked = reason;
  if (session.phase != Phase::idle || std::holds_alternative<HandingOver>(state_)) return;
  session.due = next_due(session);
  tick_session(session, now, actions);
}

void Core::compare_from_cut(SessionState& session, Actions& actions) {
  if (session.comparing == session.compare_open) return;
  session.compare_open = session.comparing;
  if (session.comparing) {
    actions.push_back(StartComparing{session.session, session.open()});
  } else {
    actions.push_back(StopComparing{session.session});
  }
}

// One that is handed over is loaded there and need not run.
void Core::expect_replica(SessionState& session, Instant now) {
  session.runs_by = Instant::max();
  if (!session.comparing || std::holds_alternative<HandingOver>(state_)) return;
  if (session.runs == session.committed) return;
  if (session.committed == session.base) return;  // of an earlier session: not compared
  session.runs_by = now + config_.answer_timeout;
}

bool Core::steady(SessionState& session, Instant now) {
  if (!session.comparing) return false;
  if (session.steady_from == Instant::max()) session.steady_from = now + steady_time;
  if (now < session.steady_from) return false;
  setbacks_ = 0;
  return true;
}

void Core::on(const CompareAsked& event, Instant now, Actions& actions) {
  SessionState* current = session(event.session);
  if (current == nullptr || !current->comparing) return;
  const bool taken = current->phase == Phase::capturing || current->phase == Phase::awaiting;
  if (event.open <= (taken ? current->open() : current->committed)) return;
  ask(*current, event.reason, now, actions);
}

void Core::on(const PeerAsksCheckpoint& event, Instant now, Actions& actions) {
  SessionState* current = session(event.session);
  if (current == nullptr || !current->comparing || event.epoch != current->committed) return;
  if (current->phase == Phase::capturing || current->phase == Phase::awaiting) return;
  ask(*current, CheckpointReason::peer_asked, now, actions);
}

void Core::on(const ReplicaRuns& event, Instant now, Actions& actions) {
  SessionState* current = session(event.session);
  if (current == nullptr || !current->comparing) return;
  const Epoch newest = current->acknowledged_early ? current->open() : current->committed;
  if (event.epoch < newest) return;  // the next checkpoint was not waiting for it
  if (event.epoch > newest) {
    give_up({"out-of-order",
             current->host + " runs checkpoint " + std::to_string(event.epoch.value) +
                 ", which it did not acknowledge",
             "run the same version of colo on both hosts"},
            now, actions);
    return;
  }
  if (current->runs == event.epoch) return;
  current->runs = event.epoch;
  current->runs_since = now;
  current->runs_by = Instant::max();
  if (current->phase != Phase::idle || std::holds_alternative<HandingOver>(state_)) return;
  current->due = next_due(*current);
  tick_session(*current, now, actions);
}

// It can't take over and says so; the claim is for one that says so and is wrong.
void Core::on(const ReplicaLost& event, Instant now, Actions& actions) {
  SessionState* current = session(event.session);
  if (current == nullptr) return;
  const Error error{"replica-lost", event.error.word + ": " + event.error.reason,
                    event.error.remedy};
  if (steady(*current, now)) {
    lose_peer(error, /*certain=*/true, now, actions);
  } else {
    give_up(error, now, actions);
  }
}

void Core::on(const ModeSet& event, Instant now, Actions& actions) {
  config_.mode = event.mode;
  auto_ = Auto{};
  auto_.comparing_since = now;
  SessionState* current = session();
  if (current == nullptr || std::holds_alternative<HandingOver>(state_)) return;
  if (current->phase == Phase::attaching || compares(now) == current->comparing) return;
  if (current->phase == Phase::passing) return choose_mode(*current, now, actions);
  if (!current->asked) current->asked = CheckpointReason::mode;
  current->due_now = true;
  tick_session(*current, now, actions);
}

}  // namespace colo::primary
