// The secondary's decisions as a pure state machine: (event, now) -> ordered actions + one
// deadline. No clock, socket, thread, random number or log inside.
//
//   Joining --joined--> Receiving --first commit--> Standby
//   Standby --peer suspected--> Suspecting --head start over--> Claiming
//   Standby --peer gone--> Claiming      Standby --operator's takeover--> Claiming
//   Claiming --won--> TakingOver (flush -> load -> run) --> Live     --lost--> Joining
//   any --stop--> Ended, once a claim under way is answered; what it won is given up
//
// Begin with a Tick: it starts the standby guest. Live is the end of this core: the engine goes on
// as a primary.
//
// L2: Load follows a Flushed of the committed epoch only. Commit is whole or nothing.
// L3: the committed checkpoint is kept until the guest runs here or the claim is lost; a failed
//     flush or load is tried again from its start.
// L4: Run follows ClaimWon only. Receiving never claims: it has no complete checkpoint.
// Threads: none. Errors: a request that cannot be met is refused with a reason; a fact never is.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "secondary/events.h"

namespace colo::secondary {

struct CoreConfig {
  // On a mere suspicion the primary goes first: going on costs clients nothing, a takeover a gap.
  Duration head_start = std::chrono::milliseconds(300);
  Duration claim_retry = std::chrono::milliseconds(500);
  Duration join_retry = std::chrono::milliseconds(500);
  Duration standby_retry = std::chrono::seconds(2);
  Duration flush_retry = std::chrono::milliseconds(200);
  // Loads tried with a fresh standby each before the operator is asked.
  std::uint32_t load_attempts = 3;
};

struct Joining {
  std::string trouble;           // why the last attempt failed, or why this host is not primary
  std::optional<Instant> retry;  // empty before the first attempt and while one is under way
  bool asking = false;           // an attempt is under way
};
struct Receiving {
  Session session;
  std::string host;
};
struct Standby {
  Session session;
  std::string host;
};
struct Suspecting {
  Session session;
  std::string host;
  Error cause;
  Instant until{};
  bool lane_closed = false;
};
struct Claiming {
  std::string cause;
  std::optional<Instant> retry;  // empty while a claim is under way
  std::string trouble;
  // Asked for by the operator while the primary is well: it is told only with the claim's answer,
  // or it would claim too, and be first.
  std::optional<Session> open;
};
enum class Step { flushing, preparing, loading, resuming, failed };
struct TakingOver {
  std::string cause;
  Step step = Step::flushing;
  std::uint32_t attempt = 1;
  std::string trouble;
  std::optional<Instant> retry;
};
struct Live {
  std::string cause;
};
struct Ended {
  std::string reason;
  bool claim_under_way = false;  // Exit follows its answer
  bool giving_up = false;        // that claim is for nobody
};
using State =
    std::variant<Joining, Receiving, Standby, Suspecting, Claiming, TakingOver, Live, Ended>;

class Core {
 public:
  explicit Core(CoreConfig config);

  void step(const Event& event, Instant now, std::vector<Action>& actions);
  [[nodiscard]] std::optional<Instant> deadline() const;

  [[nodiscard]] const State& state() const { return state_; }
  [[nodiscard]] Generation generation() const { return generation_; }
  [[nodiscard]] Epoch committed() const { return committed_; }
  [[nodiscard]] Epoch flushed() const { return flushed_; }
  [[nodiscard]] const std::optional<Error>& refusal() const { return refusal_; }

 private:
  using Actions = std::vector<Action>;
  void on(const Joined& event, Instant now, Actions& actions);
  void on(const JoinFailed& event, Instant now, Actions& actions);
  void on(const StagedComplete& event, Instant now, Actions& actions);
  void on(const Flushed& event, Instant now, Actions& actions);
  void on(const FlushFailed& event, Instant now, Actions& actions);
  void on(const PeerGone& event, Instant now, Actions& actions);
  void on(const PeerSuspected& event, Instant now, Actions& actions);
  void on(const PeerHeard& event, Instant now, Actions& actions);
  void on(const ClaimAnswered& event, Instant now, Actions& actions);
  void on(const ClaimUnanswered& event, Instant now, Actions& actions);
  void on(const Loaded& event, Instant now, Actions& actions);
  void on(const LoadFailed& event, Instant now, Actions& actions);
  void on(const GuestRuns& event, Instant now, Actions& actions);
  void on(const StandbyReady& event, Instant now, Actions& actions);
  void on(const StandbyFailed& event, Instant now, Actions& actions);
  void on(const Tick& event, Instant now, Actions& actions);
  void on(const TakeoverAsked& event, Instant now, Actions& actions);
  void on(const StopAsked& event, Instant now, Actions& actions);

  [[nodiscard]] std::optional<Session> session() const;  // of Receiving, Standby, Suspecting
  void claim(std::string cause, std::string farewell, Actions& actions);
  void claim_quietly(std::string cause, Actions& actions);
  void end_open_session(Actions& actions);
  void answered_after_stop(const heartbeat::ClaimAnswer* answer, Actions& actions);
  void rejoin(std::string trouble, Instant now, Actions& actions);
  void flush(Actions& actions);
  void standby_changed(bool ready);
  void advance(TakingOver& takeover, Actions& actions);
  void try_again(TakingOver& takeover, std::string trouble, Actions& actions);

  CoreConfig config_;
  State state_;
  Generation generation_{0};  // of the session, then of our own ownership
  Epoch committed_{0};
  Epoch flushed_{0};
  bool flushing_ = false;
  bool flush_void_ = false;  // the standby changed under the running flush: it counts for nothing
  std::optional<Instant> flush_retry_;
  bool standby_ready_ = false;
  bool preparing_ = false;
  std::optional<Instant> standby_retry_;
  std::optional<Error> refusal_;
};

}  // namespace colo::secondary
