// The primary's decisions as a pure state machine: (event, now) -> ordered actions + one deadline.
// No clock, socket, thread, random number or log inside; the engine and the tests execute its
// actions and feed what happened back as events.
//
//   Starting --claim won, guest runs--> Solo --peer joins--> Syncing --first commit--> Protected
//   Protected, or Syncing past its first cut --peer lost for certain--> Claiming --won--> Solo
//                                                                                --lost--> Lost
//   the same --peer lost, it may return--> Reconnecting --grace over--> Claiming
//                                                       --returns with what it held--> Syncing
//   Protected --switchover--> HandingOver --peer took over--> Claiming     --cancelled--> Protected
//   Lost --peer's guest runs--> Left (becomes secondary)                   --given back--> Solo
//   any --guest died--> Ended        any --stop--> Ending (claims for nobody) --> Ended
//
// In COLO mode a session's checkpoints are run as replicas and the outputs are compared; its states
// are the same. A checkpoint is due when it is asked for (min_interval after the last standstill)
// and after max_interval; the replica that a commit brings must run within answer_timeout.
//
// Begin with a Tick: it gives out the first claim.
//
// L1: Release follows CommitAcknowledged only; ReleaseAll follows a won claim only. What leaves by
// comparison leaves between StartComparing and StopComparing, which comes before the session's end.
// L4: nothing leaves Claiming for Solo without ClaimWon. A claim is never given up for a time-out:
//     it is asked again until it is answered.
// L5: a guest that was stopped to be handed over runs again as soon as it is not known that the
// peer
//     owns it. A guest that was lost is kept, paused, until the winner's runs.
// L6: nothing of the peer pauses the guest, except the loss of a claim to it.
// Threads: none. Errors: a request that cannot be met is refused with a reason; a fact never is.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "primary/events.h"

namespace colo::primary {

struct CoreConfig {
  Duration delay = std::chrono::milliseconds(100);
  Duration claim_retry = std::chrono::milliseconds(500);
  // How long a peer whose loss is not certain may take to come back before we claim. Output is held
  // meanwhile. 0: claim at once.
  Duration grace{0};
  // A guest that is stopped waits no longer than this for the answer to a claim: it goes on with
  // its output held (L5).
  Duration claim_patience = std::chrono::seconds(1);
  // A secondary that does not attach its bulk lane, or does not acknowledge a checkpoint, for this
  // long is lost, whatever its heartbeat says: it must not keep the guest's output for ever (L6).
  // A checkpoint that cannot be sent within it counts as well: a link that crawls is a lost one.
  Duration answer_timeout = std::chrono::seconds(5);
  // After a session that we gave up, the next must wait, each time twice as long: every attempt
  // holds the clients' output until it is given up.
  Duration setback_first = std::chrono::seconds(5);
  Duration setback_max = std::chrono::minutes(5);
  // After a capture that failed: long enough that a guest which cannot be captured still runs.
  Duration capture_retry = std::chrono::seconds(1);
  // So many in a row, and the guest goes on unprotected: its output must not wait for ever (L6).
  std::uint32_t capture_attempts = 3;
  // Running passes repeat until one finds no more than this, so that the standstill stays short.
  std::uint64_t residual_pages = 2048;
  // COLO mode: the shortest time between two standstills that were not asked for by the operator,
  // so that a storm of differences does not stop the guest; and the longest, also where all is
  // equal.
  Mode mode = Mode::periodic;
  Duration min_interval = std::chrono::milliseconds(20);
  Duration max_interval = std::chrono::seconds(10);
  // automatic: after so many replicas in a row that were not worth their while, periodic for a
  // time, each time twice as long (docs/decisions/0030-auto-mode.md).
  std::uint32_t short_lives = 4;
  Duration hold_first = std::chrono::seconds(5);
  Duration hold_max = std::chrono::minutes(1);
  std::uint32_t passes_first = 16;  // at most, before the first checkpoint of a session
  std::uint32_t passes_max = 3;     // at most, before any other
};

// What a session has reached. Phases of one checkpoint: idle -> passing -> capturing -> awaiting
// acknowledgement -> idle; one checkpoint at a time.
enum class Phase { attaching, idle, passing, capturing, awaiting };

struct SessionState {
  Session session;
  std::string host;
  Phase phase = Phase::attaching;
  Epoch base{0};         // the checkpoint that the session began from; 0: whole copy
  bool resumed = false;  // a base was agreed on; also for the rest of a first copy, base 0
  Epoch committed{0};    // acknowledged by the secondary
  bool sent = false;  // the open checkpoint's standstill is over: it may be complete there already
  std::uint32_t passes = 0;
  std::uint32_t failures = 0;  // captures in a row
  bool cut = false;            // output is held: the secondary may hold a complete checkpoint
  bool due_now = false;        // asked for by the operator or by a full hold queue
  // Over a fast link the acknowledgement overtakes our own Captured, which another thread sends.
  bool acknowledged_early = false;
  std::optional<CheckpointReason> asked;              // the first that did, for the next checkpoint
  CheckpointReason reason = CheckpointReason::first;  // of the one under way, or the last one
  // COLO mode. comparing: the checkpoint under way, and those after it, are run as replicas.
  bool comparing = false;
  bool compare_open = false;  // StartComparing was given out
  Epoch runs{0};              // the newest incarnation that was heard to run
  Instant runs_since{};
  Instant runs_by = Instant::max();  // the incarnation of `committed` must run, or the peer is lost
  Instant standstill{};              // the end of the last one
  Instant steady_from = Instant::max();  // one minute after the first commit
  // idle: the next checkpoint; otherwise: the session is given up. The first copy has no bound,
  // since it keeps nobody waiting.
  Instant due = Instant::max();
  Instant next_checkpoint{};
  // Resumed while output was held: until its first commit the old grace goes on, so that a link
  // which comes and goes does not hold the output for ever (L6).
  std::optional<Instant> grace_until;
  std::string switchover_trouble;  // why the last switchover was cancelled
  [[nodiscard]] Epoch open() const { return committed.next(); }
  // Nothing that is held can leave by comparison before the incarnation runs.
  [[nodiscard]] bool replica_runs() const { return comparing && runs == committed; }
};

struct Starting {
  bool claiming = false;
  bool booting = false;  // the claim was won
  std::optional<Instant> retry;
  std::string trouble;  // why the last claim was not answered
};
struct Solo {
  std::string reason;
};
struct Syncing {
  SessionState session;
};
struct Protected {
  SessionState session;
};
// The session has ended, its peer may come back; nobody has claimed. Output is held.
struct Reconnecting {
  SessionState session;  // as it ended
  std::string cause;
  Instant until;
};
// passing: usual checkpoints and passes; saving: the last checkpoint, after which the guest stays
// stopped; loading: the peer loads it; claiming: the peer was told to claim.
enum class Handover { passing, saving, loading, claiming };
struct HandingOver {
  SessionState session;
  Handover step = Handover::passing;
};
struct Claiming {
  std::string cause;
  std::optional<Instant> retry;  // empty while a claim is under way
  std::string trouble;           // why the last one was not answered
  // The guest is stopped, since it was to be handed over: until then it waits for an answer.
  std::optional<Instant> guest_waits;
};
struct Lost {
  heartbeat::Ownership owner;
  bool guest_kept = false;      // paused
  std::optional<Instant> read;  // when to read the ownership; empty while it is being read
  bool claiming = false;        // the operator's takeover is under way
  // The guest is ours again: it resumes once the resources are acquired.
  bool returning = false;
  std::string cause;    // why it is ours again
  std::string trouble;  // why the ownership could not be read, or the resources not acquired
};
struct Left {             // this host goes on as the secondary
  Generation generation;  // of the peer's guest
};
struct Ending {
  std::string reason;
  std::optional<Instant> retry;
  // The guest ended while a claim in our own name was under way. Only its answer tells whether the
  // guest is ours to give up: not waiting for it could leave the ownership to a host without guest.
  bool own_claim = false;
  bool exit = true;
};
struct Ended {
  std::string reason;
  std::string remedy;
  bool exits = false;  // Exit was given out; otherwise the engine stays and may become secondary
};
using State = std::variant<Starting, Solo, Syncing, Protected, Reconnecting, HandingOver, Claiming,
                           Lost, Left, Ending, Ended>;

using CheckpointCounts = std::array<std::uint64_t, checkpoint_reasons>;

class Core {
 public:
  // A host that may boot the guest: claims from -> from+1 first.
  static Core start(CoreConfig config, Generation from);
  // A host whose guest runs already and that owns `generation` (after a takeover).
  static Core solo(CoreConfig config, Generation generation, std::string reason);

  // Appends the actions. Time never goes back.
  void step(const Event& event, Instant now, std::vector<Action>& actions);
  // When to step with Tick at the latest.
  [[nodiscard]] std::optional<Instant> deadline() const;

  [[nodiscard]] const State& state() const { return state_; }
  [[nodiscard]] Generation generation() const { return generation_; }
  [[nodiscard]] Duration delay() const { return config_.delay; }
  [[nodiscard]] Mode mode() const { return config_.mode; }
  // Of automatic: periodic until then, and why; min() and empty where it compares.
  [[nodiscard]] Instant periodic_until() const { return auto_.periodic_until; }
  [[nodiscard]] const std::string& mode_reason() const { return auto_.reason; }
  // Checkpoints that were committed, by CheckpointReason, over all sessions.
  [[nodiscard]] const CheckpointCounts& checkpoints() const { return checkpoints_; }
  // Before this the next session is refused, because the last one was given up.
  [[nodiscard]] Instant not_before() const { return not_before_; }
  // Why the last request was refused; empty if it was not.
  [[nodiscard]] const std::optional<Error>& refusal() const { return refusal_; }

 private:
  Core(CoreConfig config, Generation generation, State state)
      : config_(config), generation_(generation), state_(std::move(state)) {}

  using Actions = std::vector<Action>;
  void on(const ClaimAnswered& event, Instant now, Actions& actions);
  void on(const ClaimUnanswered& event, Instant now, Actions& actions);
  void on(const GuestRuns& event, Instant now, Actions& actions);
  void on(const GuestFailed& event, Instant now, Actions& actions);
  void on(const GuestEnded& event, Instant now, Actions& actions);
  void on(const BulkAttached& event, Instant now, Actions& actions);
  void on(const PassEnded& event, Instant now, Actions& actions);
  void on(const StandstillEnded& event, Instant now, Actions& actions);
  void on(const Captured& event, Instant now, Actions& actions);
  void on(const CaptureFailed& event, Instant now, Actions& actions);
  void on(const CommitAcknowledged& event, Instant now, Actions& actions);
  void on(const PeerLost& event, Instant now, Actions& actions);
  void on(const PeerLoaded& event, Instant now, Actions& actions);
  void on(const PeerLoadFailed& event, Instant now, Actions& actions);
  void on(const PeerTookOver& event, Instant now, Actions& actions);
  void on(const PeerRuns& event, Instant now, Actions& actions);
  void on(const OwnershipRead& event, Instant now, Actions& actions);
  void on(const OwnershipUnread& event, Instant now, Actions& actions);
  void on(const Acquired& event, Instant now, Actions& actions);
  void on(const AcquireFailed& event, Instant now, Actions& actions);
  void on(const HoldFull& event, Instant now, Actions& actions);
  void on(const Tick& event, Instant now, Actions& actions);
  void on(const PeerAsks& event, Instant now, Actions& actions);
  void on(const CheckpointAsked& event, Instant now, Actions& actions);
  void on(const DelaySet& event, Instant now, Actions& actions);
  void on(const SwitchoverAsked& event, Instant now, Actions& actions);
  void on(const TakeoverAsked& event, Instant now, Actions& actions);
  void on(const StopAsked& event, Instant now, Actions& actions);
  void on(const CompareAsked& event, Instant now, Actions& actions);
  void on(const ReplicaRuns& event, Instant now, Actions& actions);
  void on(const ReplicaLost& event, Instant now, Actions& actions);
  void on(const PeerAsksCheckpoint& event, Instant now, Actions& actions);
  void on(const ModeSet& event, Instant now, Actions& actions);

  // Syncing, Protected and HandingOver have one.
  SessionState* session();
  SessionState* session(Session session);  // null unless it is the current one
  HandingOver* handing_over(Session session, Handover step);
  [[nodiscard]] bool claim_under_way() const;

  // sessions
  void refuse(const PeerAsks& event, std::string reason, std::string remedy, Actions& actions);
  void begin_session(const PeerAsks& event, Instant now, Actions& actions);
  void resume_session(const PeerAsks& event, Instant now, Actions& actions);
  [[nodiscard]] bool acceptable(const std::optional<Held>& held) const;
  void begin_checkpoint(SessionState& session, Instant now, Actions& actions);
  void capture(SessionState& session, Actions& actions);
  void committed(SessionState& session, Instant now, Actions& actions);
  void tick_session(SessionState& session, Instant now, Actions& actions);
  void give_up(const Error& error, Instant now, Actions& actions);
  // The session is over for us, whoever ended it.
  void lose_peer(const Error& error, bool certain, Instant now, Actions& actions);
  void end_session(SessionState& session, std::string reason, Farewell farewell, Actions& actions);

  // COLO mode
  [[nodiscard]] bool compares(Instant now) const;
  void choose_mode(SessionState& session, Instant now, Actions& actions);
  void judge_life(const SessionState& session, Instant now);
  void ask(SessionState& session, CheckpointReason reason, Instant now, Actions& actions);
  [[nodiscard]] Instant next_due(const SessionState& session) const;
  void compare_from_cut(SessionState& session, Actions& actions);
  void expect_replica(SessionState& session, Instant now);
  bool steady(SessionState& session, Instant now);

  // switchover
  void hand_over(HandingOver& handing, Instant now, Actions& actions);
  void cancel_handover(const Error& error, Instant now, Actions& actions);
  void stay(const Error& error, Instant now);
  void tick_handover(HandingOver& handing, Instant now, Actions& actions);

  // ownership
  void start_claim(std::string cause, std::optional<Instant> guest_waits, Actions& actions);
  void tick_claiming(Claiming& claiming, Instant now, Actions& actions);
  void win(Actions& actions);
  void lose(const heartbeat::Ownership& owner, Instant now, Actions& actions);
  void left_by_us(Generation peer, Actions& actions);
  void come_back(Lost& lost, std::string cause, Generation generation, Actions& actions);
  void answered_lost(Lost& lost, const ClaimAnswered& event, Instant now, Actions& actions);
  void tick_lost(Lost& lost, Instant now, Actions& actions);
  void end_unknown(const Error& error, Actions& actions);
  void end_for_nobody(std::string reason, Actions& actions);
  void end_here(std::string reason, std::string remedy, bool exit, Actions& actions);

  // What the last session left on the secondary: a session may go on from it.
  struct Base {
    Session session;
    Epoch committed;
    bool sent = false;  // the checkpoint after it may be complete there, unknown to us
  };

  CoreConfig config_;
  Generation generation_;
  State state_;
  std::optional<Error> refusal_;
  std::optional<Base> base_;
  std::uint32_t setbacks_ = 0;           // sessions in a row that we gave up
  Instant not_before_ = Instant::min();  // the next session

  // automatic: what is learned about comparing outlives a session.
  struct Auto {
    std::uint32_t short_lives = 0;  // in a row
    Instant periodic_until = Instant::min();
    Duration hold{0};  // the last one's length
    Instant comparing_since{};
    std::string reason;
  };
  Auto auto_;
  CheckpointCounts checkpoints_{};
};

}  // namespace colo::primary
