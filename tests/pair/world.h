// Both cores as a pair, without I/O: a small deterministic world that executes their actions and
// feeds completions back as events. The clock jumps from one step to the next; the arbiter, the
// network and the guest are models; the hold queue and the cache are the real ones.
//
// A step is one delivered event or one executed action. A run is a pure function of its options and
// of the faults put between its steps, so a fault can be put at every step in turn.
//
// Threads: one. Hosts: alpha begins as the primary, beta as the secondary.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include "cache/cache.h"
#include "compare/comparator.h"
#include "compare/hold_queue.h"
#include "primary/core.h"
#include "secondary/core.h"
#include "tests/pair/judge.h"

namespace colo::pair {

enum class Host { alpha, beta };

struct Options {
  primary::CoreConfig primary;
  secondary::CoreConfig secondary;
  compare::HoldLimits hold;
  Duration guest_step = std::chrono::milliseconds(20);
  // After the standstill, until the primary's core hears of it. The acknowledgement needs 2 ms.
  Duration captured_after = std::chrono::microseconds(500);
  bool trace = false;
  // Wrong executors, to prove that the judge sees what they break.
  bool wrong_release_before_ack = false;
  bool wrong_flush_skips_a_page = false;
  bool wrong_replica_writes_the_file = false;
  bool wrong_takeover_from_the_checkpoint = false;
  [[nodiscard]] bool told() const { return primary.mode != primary::Mode::periodic; }
};

class World final : public cache::FlushTarget {
 public:
  explicit World(Options options);

  bool step();  // false: nothing is left to happen
  void run(Duration time);
  [[nodiscard]] Instant now() const { return now_; }
  [[nodiscard]] std::uint64_t steps() const { return steps_; }

  // --- faults and requests -----------------------------------------------------------------
  void kill(Host host, bool silent);  // silent: the host; not silent: the process, a reset follows
  void restart_secondary();           // its engine, which kept the checkpoint
  void cut();
  void heal();
  void drop_next_ack() { drop_ack_ = true; }
  void end_guest(bool by_guest);
  void end_standby();
  void end_replica();      // its QEMU dies
  void replica_differs();  // it goes a way of its own from here on
  void fail_replicas(int count) { replicas_to_fail_ = count; }
  void fail_flushes(int count) { flushes_to_fail_ = count; }
  void fail_loads(int count) { loads_to_fail_ = count; }
  void fail_captures(int count) { captures_to_fail_ = count; }
  void fail_hooks(int count) { hooks_to_fail_ = count; }
  void arbiter_reachable(bool reachable) { arbiter_reachable_ = reachable; }
  void lose_next_answer() { lose_answer_ = true; }  // the claim counts, its answer never arrives
  void ask(Host host, const primary::Event& event);
  void ask(Host host, const secondary::Event& event);

  // --- what is to be seen --------------------------------------------------------------------
  [[nodiscard]] const Judge& judge() const { return judge_; }
  [[nodiscard]] const primary::Core& primary() const { return *primary_; }
  [[nodiscard]] const secondary::Core& secondary() const { return *secondary_; }
  [[nodiscard]] bool alpha_runs() const { return alive_[0] && guest_ && guest_->running; }
  [[nodiscard]] bool beta_runs() const { return alive_[1] && taken_over_ != nullptr; }
  [[nodiscard]] const std::vector<heartbeat::Ownership>& owners() const { return owners_; }
  [[nodiscard]] const std::vector<std::string>& trace() const { return trace_; }
  [[nodiscard]] std::uint64_t sessions() const { return sessions_; }
  // An owner died before it ran: only the operator may let the guest of the other go on.
  [[nodiscard]] bool only_operator_can() const { return alive_[0] && !alive_[1] && !ordered_; }
  // A guest died that nobody else had a copy of yet.
  [[nodiscard]] bool lost_alone() const { return lost_alone_; }
  [[nodiscard]] bool replica_runs() const { return alive_[1] && replica_.guest != nullptr; }
  [[nodiscard]] bool told_of_a_lost_replica() const { return told_lost_; }
  [[nodiscard]] std::uint64_t compared() const { return comparator_.figures().equal; }
  [[nodiscard]] std::size_t held() const { return alive_[0] ? queue_.packets() : 0; }

 private:
  struct Item {
    Instant at;
    std::uint64_t order;
    std::optional<Host> host;  // dropped if that host has died; none: always happens
    std::uint64_t life = 0;    // of that host; an earlier one has died
    std::function<void()> happen;
    friend bool operator<(const Item& a, const Item& b) {
      return a.at != b.at ? a.at > b.at : a.order > b.order;  // the earliest first
    }
  };
  struct Session {
    std::uint64_t number = 0;
    bool open_primary = false;
    bool open_secondary = false;
  };
  struct Hello {
    std::uint64_t number = 0;
    std::uint64_t lineage = 0;
    std::optional<secondary::Held> held;
    std::vector<PageRange> pages;
  };

  [[nodiscard]] bool alive(Host host) const { return alive_[host == Host::alpha ? 0 : 1]; }
  void later(Duration after, std::optional<Host> host, std::function<void()> happen);
  void send(Host to, std::function<void()> arrive);  // over the link: parked while it is cut
  void feed(const primary::Event& event);
  void feed(const secondary::Event& event);
  void schedule_tick(Host host);
  [[nodiscard]] std::string run_of_beta() const { return "run-beta-" + std::to_string(life_[1]); }
  void note(Host host, const std::string& event, const std::string& before,
            const std::string& after, const std::string& actions);
  void check_copies();

  // Executing the primary's actions; each returns at once and answers with an event later.
  void on_guest(Duration takes, std::function<void()> happen);  // one after the other
  void execute(const primary::StartClaim&);
  void execute(const primary::ReadOwnership&);
  void execute(const primary::BootGuest&);
  void execute(const primary::AcceptPeer&);
  void execute(const primary::RefusePeer&);
  void execute(const primary::SendPass&);
  void execute(const primary::Capture&);
  void execute(const primary::CaptureAndStay&);
  void execute(const primary::Release&);
  void execute(const primary::ReleaseAll&);
  void execute(const primary::DropHeld&);
  void execute(const primary::PauseGuest&);
  void execute(const primary::ResumeGuest&);
  void execute(const primary::EndGuest&);
  void execute(const primary::EndSession&);
  void execute(const primary::AcquireResources&);
  void execute(const primary::ReleaseResources&);
  void execute(const primary::TellGuestEnded&);
  void execute(const primary::TellHandover&);
  void execute(const primary::TellGo&);
  void execute(const primary::TellCancel&);
  void execute(const primary::BecomeSecondary&);
  void execute(const primary::Exit&);
  void execute(const primary::StartComparing&);
  void execute(const primary::StopComparing&);
  void execute(const primary::TellMode&);
  void compare();  // what the comparator lets go, or asks for
  void guest_step();
  void begin_lineage(const primary::SendPass& action);
  void send_dirty(std::uint64_t session, Epoch epoch);
  void capture_now(const primary::Capture& action, bool stays);
  void tell_beta(std::uint64_t session, const secondary::Event& event);
  void pump();

  void execute(const secondary::Join&);
  void execute(const secondary::StopJoin&);
  void execute(const secondary::Commit&);
  void execute(const secondary::Acknowledge&);
  void execute(const secondary::StartFlush&);
  void execute(const secondary::StartClaim&);
  void execute(const secondary::EndSession&);
  void execute(const secondary::Forget&);
  void execute(const secondary::PrepareStandby&);
  void execute(const secondary::Load&);
  void execute(const secondary::AcquireResources&);
  void execute(const secondary::ReleaseResources&);
  void execute(const secondary::Run&);
  void execute(const secondary::TellLoaded&);
  void execute(const secondary::TellLoadFailed&);
  void execute(const secondary::TellTookOver&);
  void execute(const secondary::EndGuest&);
  void execute(const secondary::Exit&);
  void execute(const secondary::RunReplica&);
  void execute(const secondary::EndReplica&);
  void execute(const secondary::HoldReplica&);
  void execute(const secondary::TellReplicaRuns&);
  void execute(const secondary::TellReplicaLost&);
  void replica_step(std::uint64_t life);
  void run_replica_on();
  void lose_replica();
  [[nodiscard]] Hello hello();
  void peer_asks(const Hello& hello);
  void join_failed(std::uint64_t number, const Error& error);
  void welcomed(std::uint64_t number, Generation generation, std::optional<Epoch> base);
  void tell_alpha(std::uint64_t session, const primary::Event& event);
  void staged(std::uint64_t session, const Result<void>& put);
  void taken_over_step();
  Result<void> write_page(PageId page, ByteView bytes) override;

  void claim(Host host, const heartbeat::Claim& claim,
             std::function<void(Result<heartbeat::ClaimAnswer>)> answered);
  heartbeat::ClaimAnswer decide(const heartbeat::Claim& claim);
  void suspect_after_silence();
  void beat();  // both hosts say what they run

  Options options_;
  Instant now_{};
  std::uint64_t order_ = 0;
  std::uint64_t steps_ = 0;
  std::priority_queue<Item> items_;
  bool alive_[2] = {true, true};
  std::uint64_t life_[2] = {0, 0};
  std::uint64_t tick_[2] = {0, 0};  // the number of the valid tick; older ones are void
  std::vector<std::string> trace_;

  // the network and the arbiter
  bool cut_ = false;
  std::uint64_t silence_ = 0;  // counts cuts and heals; a suspicion of an older one is void
  bool host_gone_ = false;     // silently
  std::vector<std::pair<Host, std::function<void()>>> parked_;
  Session session_;
  std::uint64_t sessions_ = 0;
  std::optional<std::uint64_t> dialling_;  // the Join under way
  bool suspected_ = false;
  bool arbiter_reachable_ = true;
  bool lose_answer_ = false;
  std::vector<heartbeat::Ownership> owners_;
  bool ended_on_purpose_ = false;

  Story story_;
  Judge judge_{story_};

  // alpha
  std::unique_ptr<primary::Core> primary_;
  std::optional<GuestModel> guest_;
  compare::HoldQueue queue_;
  Instant guest_free_{};  // the guest's thread is busy until then
  bool drop_ack_ = false;
  int captures_to_fail_ = 0;
  int hooks_to_fail_ = 0;
  bool resources_[2] = {true, false};  // who holds them
  bool left_ = false;                  // it became the secondary, which is another story
  // What is needed to send only a difference, as primary::Lineage has it.
  struct Lineage {
    std::uint64_t name = 0;
    Epoch epoch;                   // that `sent` belongs to
    std::set<PageId> sent;         // not acknowledged
    std::map<PageId, int> copies;  // of the first epoch
  };
  std::optional<Lineage> lineage_;
  std::vector<PageRange> offered_;  // of the first copy, by the hello that was accepted last

  // beta
  std::unique_ptr<secondary::Core> secondary_;
  std::shared_ptr<cache::Cache> cache_;
  std::uint64_t cache_lineage_ = 0;
  std::uint64_t committed_session_ = 0;
  bool lost_alone_ = false;
  bool ordered_ = false;  // Run was: the guest may have spoken here
  bool loading_ = false;  // or resuming: the end of the standby is its answer
  Memory standby_memory_ = zero_memory();
  bool standby_alive_ = false;
  std::uint64_t standbys_ = 0;
  int flushes_to_fail_ = 0;
  int loads_to_fail_ = 0;
  std::optional<int> writes_until_failure_;
  std::unique_ptr<GuestModel> taken_over_;

  // COLO mode
  struct Replica {
    std::unique_ptr<GuestModel> guest;
    Epoch epoch;
    std::uint64_t life = 0;  // counts replicas; what is to happen to an earlier one is void
    bool holds = false;
    bool differs = false;
    std::uint64_t session = 0;  // where it hears what clients say; without, it goes its own way
    bool starts = false;        // loaded, and no instruction of it has run
  };
  compare::Comparator comparator_{{}};
  bool comparing_ = false;
  Replica replica_;
  bool standby_private_ = false;
  Point loaded_point_ = 0;  // of the device state that was loaded last
  bool struck_ = false;     // the kept checkpoint is a base, and none to take over from
  int replicas_to_fail_ = 0;
  bool told_lost_ = false;
};

}  // namespace colo::pair
