#include "demo/round.h"

#include <algorithm>
#include <random>

#include "demo/checks.h"
#include "demo/engines.h"
#include "demo/scene.h"

namespace colo::demo {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A guest that has just booted is busy with itself.
constexpr milliseconds warm_up{1000};
// Emulated, it takes some ten seconds of a processor, of which a busy machine has not much to give.
constexpr seconds boot_patience{180};
constexpr seconds copy_patience{90};
constexpr seconds patience{30};
// All waits behind the boot together, so that a round that goes wrong ends soon too.
constexpr seconds round_patience{120};

// Before the fault. In COLO mode, where the guests agree, only the longest interval brings one.
std::uint64_t checkpoints_wanted(const Options& options) {
  return options.mode == "periodic" ? 10 : 2;
}

// Long delays between checkpoints make long rounds.
milliseconds longest_wait(const Options& options) {
  const milliseconds replies = replies_wanted * milliseconds(options.delay_ms);
  return options.mode == "periodic" ? replies : replies + options.max_interval;
}

std::optional<double> since(std::int64_t fault_ns, const std::optional<std::int64_t>& ns) {
  if (!ns) return std::nullopt;
  return static_cast<double>(*ns - fault_ns) / 1e6;
}

// The engine of a host that lost the claim: its guest stands still, and is not about to run.
bool gave_way(const EngineStatus& status) {
  return !status.guest_running && (status.state == "LOST" || status.state == "JOINING" ||
                                   status.state == "WAITING" || status.state == "FAILED");
}

std::string copy_progress(const EngineStatus& alpha) {
  const std::uint64_t total = alpha.copy_sent_pages + alpha.copy_remaining_pages;
  if (alpha.state == "PROTECTED") return "the first copy to beta is complete";
  if (alpha.state != "SYNCING" || total == 0) return "no copy to beta yet";
  return "first copy to beta: " + std::to_string(alpha.copy_sent_pages * 100 / total) + " % of " +
         std::to_string(total * 4 / 1024) + " MiB";
}

class Round {
 public:
  Round(const Options& options, Interrupt& interrupt, Story& story)
      : options_(options),
        interrupt_(interrupt),
        story_(story),
        deadline_(Clock::now() + boot_patience) {}
  RoundReport play(std::uint32_t number);

 private:
  using Clock = std::chrono::steady_clock;
  Result<void> act();
  Result<void> set_up();
  Result<void> talk_unprotected();
  Result<void> protect();
  // Until enough was said since then, and so many checkpoints were committed.
  Result<void> converse(std::int64_t since_ns, std::uint64_t checkpoints);
  Result<void> until_compared();
  Result<void> strike();
  Result<void> await_owner();
  Result<void> await_silence();
  void judge();
  void tell_outcome();
  void clean_up(std::uint32_t number);
  Result<void> until(const std::string& what, milliseconds time,
                     const std::function<bool()>& condition);
  [[nodiscard]] const EngineStatus& known(const std::string& host) const;
  [[nodiscard]] bool owns_and_runs(const std::string& host) const;

  const Options& options_;
  Interrupt& interrupt_;
  Story& story_;
  RoundReport report_;
  std::unique_ptr<Scene> scene_;
  std::unique_ptr<Engines> engines_;  // goes before the scene
  std::unique_ptr<Client> client_;
  std::unique_ptr<Visitor> visitor_;  // none where the guest has no connections
  // Of the conversations before the fault (CLOCK_REALTIME).
  std::int64_t unprotected_ns_ = 0, unprotected_end_ns_ = 0, guarded_ns_ = 0;
  Clock::time_point deadline_;
  std::int64_t fault_ns_ = 0;     // CLOCK_REALTIME
  std::uint64_t generation_ = 0;  // the newest before the fault
  std::string winner_, loser_;    // after the fault
  bool judged_ = false;
  std::int64_t may_speak_ns_ = 0;  // when the winner's guest could be heard again
};

RoundReport Round::play(std::uint32_t number) {
  report_.fault = word(options_.fault);
  if (const auto played = act(); !played) {
    report_.check("the round is played to its end", false, played.error().text());
  }
  clean_up(number);
  return std::move(report_);
}

Result<void> Round::act() {
  if (auto done = set_up(); !done) return done;
  if (auto done = talk_unprotected(); !done) return done;
  if (auto done = protect(); !done) return done;
  if (auto done = strike(); !done) return done;
  if (auto done = await_owner(); !done) return done;
  tell_outcome();
  if (auto done = converse(may_speak_ns_, 0); !done && done.error().word != "connection-lost") {
    return done;
  }
  if (auto done = await_silence(); !done) return done;
  client_->finish();
  if (visitor_) visitor_->finish();
  engines_->look();
  judge();
  return {};
}

// Looks at the engines before each question; an engine that ended unasked ends the wait.
Result<void> Round::until(const std::string& what, milliseconds time,
                          const std::function<bool()>& condition) {
  const auto left = std::chrono::duration_cast<milliseconds>(deadline_ - Clock::now());
  return interrupt_.until(what, std::min(time, left), [&]() -> Result<bool> {
    engines_->look();
    if (auto alive = engines_->check_alive(); !alive) return fail(alive.error());
    return condition();
  });
}

const EngineStatus& Round::known(const std::string& host) const {
  static const EngineStatus nothing;
  const auto& status = engines_->status(host);
  return status ? *status : nothing;
}

Result<void> Round::set_up() {
  auto scene =
      options_.guest == GuestKind::qemu ? make_qemu_scene(options_) : make_embedded_scene(options_);
  if (!scene) return fail(scene.error());
  scene_ = std::move(*scene);
  story_.tell(scene_->description());
  engines_ = std::make_unique<Engines>(*scene_);
  if (auto started = engines_->start("alpha"); !started) return started;
  auto transport = scene_->make_transport();
  if (!transport) return fail(transport.error());
  client_ = std::make_unique<Client>(std::move(*transport));
  const auto booted = until("the ledger's first word to the client", boot_patience, [&] {
    story_.progress("the guest boots on alpha; " + copy_progress(known("alpha")));
    return client_->figures().connections > 0;
  });
  if (!booted) return booted;
  deadline_ = Clock::now() + round_patience + 3 * options_.talk + longest_wait(options_);
  const EngineStatus& alpha = known("alpha");
  story_.tell("the guest runs on alpha (" + alpha.guest_kind + " " + alpha.guest_version + ", " +
              alpha.guest_accelerator + "); the client has its connection");
  if (scene_->make_visit()) {
    visitor_ = std::make_unique<Visitor>([this] { return scene_->make_visit(); });
  }
  return {};
}

// What protection costs shows beside this: the same guest and client, and the secondary's engine
// not yet started.
Result<void> Round::talk_unprotected() {
  const auto warm = until("a guest that has settled", warm_up * 2,
                          [&, end = Clock::now() + warm_up] { return Clock::now() >= end; });
  if (!warm) return warm;
  unprotected_ns_ = unix_now_ns();
  if (auto done = converse(unprotected_ns_, 0); !done) return done;
  unprotected_end_ns_ = unix_now_ns();
  return engines_->start("beta");
}

Result<void> Round::protect() {
  const auto copied = until("protection", copy_patience, [&] {
    story_.progress(copy_progress(known("alpha")));
    return known("alpha").state == "PROTECTED";
  });
  if (!copied) return copied;
  story_.tell("PROTECTED: " + known("alpha").reason);
  if (options_.mode == "colo") {
    if (auto compared = until_compared(); !compared) return compared;
    story_.tell("the guest runs on beta too; what both say leaves at once");
  }
  guarded_ns_ = unix_now_ns();
  return converse(guarded_ns_, checkpoints_wanted(options_));
}

Result<void> Round::until_compared() {
  return until("a replica that is compared with", patience, [&] {
    const auto& replica = known("beta").replica;
    return known("alpha").effective_mode == "colo" && replica && replica->running;
  });
}

Result<void> Round::converse(std::int64_t since_ns, std::uint64_t checkpoints) {
  const auto end = Clock::now() + options_.talk;
  const auto broken = [&] { return client_->broken() || (visitor_ && visitor_->broken()); };
  const auto done =
      until("the conversation", options_.talk + patience + longest_wait(options_), [&] {
        const ClientFigures client = client_->figures();
        story_.progress("conversation: " + std::to_string(client.acknowledged) +
                        " entries acknowledged, " + std::to_string(client.lost) + " lost, " +
                        std::to_string(client.wrong) + " wrong");
        if (broken()) return true;
        return Clock::now() >= end && known("alpha").checkpoints_committed >= checkpoints &&
               client_->replies_since(since_ns) >= replies_wanted &&
               (!visitor_ || visitor_->visits_since(since_ns) >= visits_wanted);
      });
  if (!done) return done;
  const ClientFigures client = client_->figures();
  if (broken()) {
    return fail("connection-lost",
                client_->broken() ? client.trouble : visitor_->figures().trouble);
  }
  story_.tell("conversation: " + std::to_string(client.acknowledged) + " entries acknowledged");
  return {};
}

Result<void> Round::strike() {
  // Anywhere within a checkpoint, not always at the same place. In COLO mode the conversation ends
  // with a checkpoint, and the replica is then just being replaced: nearly all of an interval is
  // behind that. What falls into it is what drills are for.
  const bool colo = options_.mode == "colo";
  if (colo) {
    if (auto compared = until_compared(); !compared) return compared;
  }
  std::random_device random;
  if (interrupt_.wait(
          milliseconds(random() % (colo ? 1000 : std::min(options_.delay_ms + 1, 1000U))))) {
    return fail("interrupted", "a signal asked to end");
  }
  engines_->look();  // the last figures of a host that may be about to die
  report_.before = known("alpha");
  if (const auto& replica = known("beta").replica) report_.replica = replica;
  if (!report_.before.owners.empty()) generation_ = report_.before.owners.back().first;
  fault_ns_ = unix_now_ns();
  const auto struck = options_.fault == Fault::kill ? engines_->kill_host("alpha") : scene_->cut();
  if (!struck) return struck;
  story_.tell(options_.fault == Fault::kill ? "kill -9 of everything on alpha"
                                            : "the link between alpha and beta is cut; both live");
  return {};
}

bool Round::owns_and_runs(const std::string& host) const {
  const EngineStatus& status = known(host);
  return !status.owners.empty() && status.owners.back().first > generation_ &&
         status.owner() == host && status.guest_running;
}

Result<void> Round::await_owner() {
  const bool killed = options_.fault == Fault::kill;
  const auto settled = until("one owner that runs the guest", patience, [&] {
    for (const auto& [host, other] : {std::pair{"alpha", "beta"}, std::pair{"beta", "alpha"}}) {
      if (killed && host == std::string("alpha")) continue;
      if (!owns_and_runs(host)) continue;
      // Of a takeover there is a time at which the guest went on.
      if (host == std::string("beta") && !known("beta").resumed_unix_ns) continue;
      winner_ = host;
      loser_ = other;
      return true;
    }
    story_.progress("alpha: " + (killed ? "dead" : known("alpha").state) +
                    ", beta: " + known("beta").state);
    return false;
  });
  if (!settled) return settled;
  const EngineStatus& status = known(winner_);
  report_.takeover.detected_ms = since(fault_ns_, status.detected_unix_ns);
  report_.takeover.claimed_ms = since(fault_ns_, status.claimed_unix_ns);
  report_.takeover.resumed_ms = since(fault_ns_, status.resumed_unix_ns);
  // What the client hears before that was on its way when the fault came.
  may_speak_ns_ = status.resumed_unix_ns.value_or(status.claimed_unix_ns.value_or(fault_ns_));
  return {};
}

void Round::tell_outcome() {
  const EngineStatus& status = known(winner_);
  const auto& times = report_.takeover;
  std::string line =
      winner_ == "alpha" ? "alpha keeps the guest and goes on alone" : "beta took over";
  line += ": loss noticed after " + milliseconds_text(times.detected_ms.value_or(0)) +
          ", claimed after " + milliseconds_text(times.claimed_ms.value_or(0));
  if (times.resumed_ms) line += ", guest resumed after " + milliseconds_text(*times.resumed_ms);
  story_.tell(line + " (" + status.takeover_cause + ")");
}

// The side that lost the claim knows it, and keeps its guest still.
Result<void> Round::await_silence() {
  if (options_.fault == Fault::kill) return {};
  const auto settled = until("word from " + loser_ + " that it lost the guest", patience, [&] {
    return known(loser_).owners == known(winner_).owners && gave_way(known(loser_));
  });
  if (!settled) return settled;
  story_.tell(loser_ + " stays silent: " + known(loser_).reason);
  return {};
}

void Round::judge() {
  judged_ = true;
  report_.client = client_->figures();
  report_.takeover.first_reply_ms = since(fault_ns_, client_->first_reply_since(may_speak_ns_));
  for (const auto& [generation, owner] : known(winner_).owners) report_.owners.push_back(owner);

  report_.reply_times = {client_->reply_times(unprotected_ns_, unprotected_end_ns_),
                         client_->reply_times(guarded_ns_, fault_ns_)};
  check_client(report_, client_->replies_since(may_speak_ns_));
  if (visitor_) {
    report_.visits = visitor_->figures();
    report_.visit_times = {visitor_->visit_times(unprotected_ns_, unprotected_end_ns_),
                           visitor_->visit_times(guarded_ns_, fault_ns_)};
    check_visits(report_, visitor_->visits_since(may_speak_ns_));
  }
  check_protection(report_, options_.mode);
  report_.check("the owner still runs the guest", owns_and_runs(winner_),
                winner_ + " is " + known(winner_).state);
  if (options_.fault == Fault::kill) {
    report_.check("beta took over from alpha",
                  report_.owners == std::vector<std::string>{"alpha", "beta"},
                  "the owners are others");
    return;
  }
  report_.check("exactly one side owns the guest",
                known("alpha").owners == known("beta").owners &&
                    known(winner_).owner() == winner_ && gave_way(known(loser_)),
                "alpha is " + known("alpha").state + " and names " + known("alpha").owner() +
                    ", beta is " + known("beta").state + " and names " + known("beta").owner());
}

void Round::clean_up(std::uint32_t number) {
  if (client_ && !judged_) report_.client = client_->figures();
  if (visitor_ && !judged_) report_.visits = visitor_->figures();
  visitor_.reset();
  client_.reset();
  if (engines_) {
    if (auto ended = engines_->end(); !ended) {
      report_.check("the engines end cleanly", false, ended.error().text());
    }
  }
  if (!scene_) return;
  if (!options_.keep_logs.empty()) {
    const auto where = options_.keep_logs / ("round-" + std::to_string(number));
    if (auto kept = scene_->folder().keep(where); !kept) {
      report_.check("the logs are kept", false, kept.error().text());
    }
  } else if (!report_.passed() && !interrupt_.wait(milliseconds(0))) {
    for (const char* host : {"alpha", "beta"}) {
      story_.tell(std::string("the end of the log of ") + host + ":\n" +
                  scene_->folder().tail(host));
    }
  }
  engines_.reset();
  if (auto gone = scene_->tear_down(); !gone) {
    report_.check("nothing is left behind", false, gone.error().text());
  }
  scene_.reset();
}

}  // namespace

RoundReport play_round(const Options& options, std::uint32_t number, Interrupt& interrupt,
                       Story& story) {
  return Round(options, interrupt, story).play(number);
}

}  // namespace colo::demo
