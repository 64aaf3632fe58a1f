// The secondary's decisions as a pure state machine: (event, now) -> ordered actions + one
// deadline. No clock, socket, thread, random number or log inside.
//
//   Joining --joined--> Receiving --first commit--> Standby
//   Standby --peer suspected--> Suspecting --grace and head start over--> Claiming
//                                          --heard, or joined again with what is held--> Standby
//   Standby --peer gone--> Claiming      Standby --operator's takeover--> Claiming
//   Standby --switchover--> HandingOver (flush -> load) --told to go--> Claiming
//   Claiming --won--> TakingOver (flush -> load -> acquire -> run) --> Live     --lost--> Joining
//   TakingOver failed --given back--> GivingBack --> Joining
//   any --stop--> Ended, once a claim under way is answered; what it won is given up
// In COLO mode the committed checkpoint also runs: the standby that loaded it becomes the
// *replica*, and a fresh standby is prepared beside it. In the order of their happening, what is
// taken over from:
//   committed, the old replica not ended / ended / flushing / loading / told to run: the checkpoint
//   the replica runs: the replica, where it is, for what it said may have left the primary's host
//   the replica ended unasked: nothing (Keeps::base); the primary is told and the session is over
//
// Begin with a Tick: it starts the standby guest. Live is the end of this core: the engine goes on
// as a primary.
//
// What is held of the primary's memory outlives a session. It can be taken over from only while
// nobody can have gone on from it (Keeps::takeable); otherwise it only saves bytes at the next
// Join.
//
// L2: Load follows a Flushed of the committed epoch only. Commit is whole or nothing.
// L3: the committed checkpoint is kept until the guest runs here or the primary sends a whole copy;
// a
//     failed flush or load is tried again from its start.
// L4: Run follows ClaimWon only. Receiving never claims: it has no checkpoint to take over from.
// L5: a takeover that failed is given back as soon as the peer is heard to keep its guest.
// Threads: none. Errors: a request that cannot be met is refused with a reason; a fact never is.
#pragma once

#include <cstdint>
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
  // How long a primary that is only suspected may take to come back, beyond the head start. 0:
  // none, and a session that was suspected is not resumed.
  Duration grace{0};
  // The detectors': an engine that starts with a kept checkpoint waits as long for the primary, and
  // what a peer was heard to say counts as long.
  Duration lost_after = std::chrono::seconds(1);
  // Loads tried with a fresh standby each before the operator is asked.
  std::uint32_t load_attempts = 3;
  // The same for a replica, before the primary is told that there is none.
  std::uint32_t replica_attempts = 2;
};

// A complete checkpoint that an earlier run of this engine left. takeable: the arbiter says that
// its generation is current and the peer owns it; otherwise it is only a base.
struct Kept {
  Generation generation;
  Epoch epoch;
  bool takeable = false;
};

// What the committed checkpoint is good for.
enum class Keeps {
  nothing,
  base,         // the primary may have spoken beyond it: it only saves bytes
  last_resort,  // given back, and the peer was not heard to run since: for the operator's word only
  takeable,
};
struct Held {
  Generation generation;  // in which it was committed
  Epoch epoch;
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
  std::optional<Session> session;  // empty once this side has ended it, to join anew
  std::string host;
  Error cause;
  Instant until = Instant::max();  // then it claims
  bool lane_closed = false;
  // With a grace: when to join anew. Before it the old session may still bring better news: its
  // peer is heard again, or is gone for certain.
  std::optional<Instant> redial;
  bool asking = false;  // a Join is under way
  std::string trouble;  // why the last one failed
};
enum class Handover { preparing, flushing, loading, loaded };
struct HandingOver {
  Session session;
  std::string host;
  Handover step = Handover::preparing;
};
struct Claiming {
  std::string cause;
  std::optional<Instant> retry;  // empty while a claim is under way
  std::string trouble;
  // Asked for by the operator, or by the primary at a switchover, while the primary is well: it is
  // told only with the claim's answer, or it would claim too, and be first.
  std::optional<Session> open;
  bool quiet = false;  // it began so
  bool switchover = false;
};
enum class Step { flushing, preparing, loading, acquiring, resuming, failed };
struct TakingOver {
  std::string cause;
  Step step = Step::flushing;
  std::uint32_t attempt = 1;
  std::string trouble;
  bool acquired = false;  // the resources
  bool quiet = false;     // claimed while the primary was well: it keeps its guest
  bool switchover = false;
};
// The claim in the peer's name; the resources are released before it.
struct GivingBack {
  std::string cause;
  bool releasing = true;
  std::optional<Instant> retry;  // empty while a claim is under way
  std::string trouble;
};
struct Live {
  std::string cause;
};
struct Ended {
  std::string reason;
  bool claim_under_way = false;  // Exit follows its answer
  bool giving_up = false;        // that claim is for somebody else
  For heir = For::nobody;        // who gets what a claim in our own name wins
};
using State = std::variant<Joining, Receiving, Standby, Suspecting, HandingOver, Claiming,
                           TakingOver, GivingBack, Live, Ended>;

// The incarnation of a checkpoint. starting: told to run, not answered; ending: told to end, or
// another checkpoint replaces it.
struct Replica {
  enum class Step { starting, running, ending };
  Epoch epoch;
  Step step = Step::starting;
};

class Core {
 public:
  explicit Core(CoreConfig config, std::optional<Kept> kept = std::nullopt);

  void step(const Event& event, Instant now, std::vector<Action>& actions);
  [[nodiscard]] std::optional<Instant> deadline() const;

  [[nodiscard]] const State& state() const { return state_; }
  [[nodiscard]] Generation generation() const { return generation_; }
  [[nodiscard]] Epoch committed() const { return committed_; }
  [[nodiscard]] Epoch flushed() const { return flushed_; }
  [[nodiscard]] Keeps keeps() const { return keeps_; }
  // What a hello offers; empty where no complete checkpoint is held.
  [[nodiscard]] std::optional<Held> held() const;
  // The standby has loaded the committed checkpoint.
  [[nodiscard]] bool loaded() const { return loaded_ != Epoch{0} && loaded_ == committed_; }
  [[nodiscard]] const std::optional<Replica>& replica() const { return replica_; }
  // Checkpoints that commit now are run as replicas.
  [[nodiscard]] bool colo() const { return colo_; }
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
  void on(const Acquired& event, Instant now, Actions& actions);
  void on(const AcquireFailed& event, Instant now, Actions& actions);
  void on(const Released& event, Instant now, Actions& actions);
  void on(const GuestRuns& event, Instant now, Actions& actions);
  void on(const HandoverAsked& event, Instant now, Actions& actions);
  void on(const GoAsked& event, Instant now, Actions& actions);
  void on(const CancelAsked& event, Instant now, Actions& actions);
  void on(const PeerRuns& event, Instant now, Actions& actions);
  void on(const PeerKeepsGuest& event, Instant now, Actions& actions);
  void on(const StandbyReady& event, Instant now, Actions& actions);
  void on(const StandbyFailed& event, Instant now, Actions& actions);
  void on(const Tick& event, Instant now, Actions& actions);
  void on(const TakeoverAsked& event, Instant now, Actions& actions);
  void on(const GiveBackAsked& event, Instant now, Actions& actions);
  void on(const StopAsked& event, Instant now, Actions& actions);
  void on(const ModeTold& event, Instant now, Actions& actions);
  void on(const ReplicaRuns& event, Instant now, Actions& actions);
  void on(const ReplicaFailed& event, Instant now, Actions& actions);
  void on(const ReplicaEnded& event, Instant now, Actions& actions);

  // of Receiving, Standby, HandingOver, Suspecting
  [[nodiscard]] std::optional<Session> session() const;

  [[nodiscard]] std::string host() const;  // of that session

  // sessions
  [[nodiscard]] bool can_dial() const;
  void dial(Actions& actions);
  void stop_dialling(Actions& actions);
  void join(const Joined& event, Instant now, Actions& actions);
  void rejoin_suspect(const Joined& event, Suspecting& suspecting, Instant now, Actions& actions);
  void receive(const Joined& event, Actions& actions);
  void rejoin(std::string trouble, Instant now, Actions& actions);
  void stand_by(Session session, std::string host, Instant now, Actions& actions);
  void forget(Actions& actions);

  // the standby guest
  void standby_changed(bool ready);
  void prepare_standby(Actions& actions);
  void replace_if_used(Actions& actions);
  void flush(Actions& actions);
  void load(Actions& actions);
  void tick_standby(Instant now, Actions& actions);
  [[nodiscard]] bool takes_it() const;
  [[nodiscard]] bool lacks_standby() const;

  // the replica
  [[nodiscard]] bool runs_committed() const;  // the incarnation of the committed checkpoint runs
  [[nodiscard]] bool spent() const;           // it ran and is no more
  [[nodiscard]] bool wants_replica() const;
  void follow(Instant now, Actions& actions);
  void end_replica(Actions& actions);
  void fail_replica(const Error& error, Instant now, Actions& actions);
  void lose_replica(const Error& error, Instant now, Actions& actions);
  void tell_replica(Actions& actions);
  void fit_standby(Actions& actions);

  // claims and takeovers
  void claim(std::string cause, std::string farewell, Actions& actions);
  void claim_quietly(std::string cause, bool switchover, Actions& actions);
  void end_open_session(Actions& actions);
  void take_over(Generation generation, Actions& actions);
  [[nodiscard]] For heir(Instant now) const;
  void answered_after_stop(const heartbeat::ClaimAnswer* answer, Actions& actions);
  void advance(TakingOver& takeover, Actions& actions);
  void advance(HandingOver& handing, Actions& actions);
  void fail_handover(const Error& error, Instant now, Actions& actions);
  void try_again(TakingOver& takeover, std::string trouble, Actions& actions);
  void run(TakingOver& takeover, Actions& actions);
  void give_back(std::string cause, Actions& actions);
  void given_back(Generation generation, Instant now, Actions& actions);

  CoreConfig config_;
  State state_;
  Generation generation_{0};  // of the session, then of our own ownership
  Generation held_in_{0};     // in which committed_ was committed
  Epoch committed_{0};
  Keeps keeps_ = Keeps::nothing;  // of committed_
  Epoch flushed_{0};
  std::optional<Epoch> loading_;  // a Load is under way; nothing else touches the standby meanwhile
  Epoch loaded_{0};               // into this standby, which then is good for nothing else
  bool flushing_ = false;
  bool flush_void_ = false;  // the standby changed under the running flush: it counts for nothing
  std::optional<Instant> flush_retry_;
  bool standby_ready_ = false;
  bool standby_private_ = false;  // the one that is there or being prepared is good for a replica
  bool preparing_ = false;
  std::optional<Instant> standby_retry_;
  std::optional<Instant> peer_keeps_until_;  // the peer was heard to keep its guest
  bool private_wanted_ = false;              // standbys are to be good for a replica
  bool colo_ = false;                        // as told in this session
  Epoch mode_from_{0};
  std::optional<Replica> replica_;
  Epoch ran_{0};   // the last incarnation that ran: of its checkpoint no other one ever does
  Epoch told_{0};  // the last one that the primary was told of in this session
  std::uint32_t replica_failures_ = 0;  // of the committed checkpoint
  std::optional<Error> refusal_;
};

}  // namespace colo::secondary
