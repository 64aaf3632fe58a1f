#include "drill/play.h"

#include <algorithm>
#include <array>
#include <optional>
#include <random>

#include "demo/engines.h"
#include "demo/scene.h"
#include "drill/harm.h"
#include "drill/history.h"
#include "drill/log_steps.h"
#include "drill/setting.h"
#include "drill/verdict.h"

namespace colo::drill {
namespace {

using std::chrono::seconds;

constexpr std::uint64_t replies_wanted = 3;       // that it answers at all
constexpr std::uint64_t conversation_wanted = 8;  // before the fault
constexpr std::uint64_t checkpoints_wanted = 4;   // before the fault
constexpr std::uint64_t replicas_wanted = 2;      // the same where the secondary's guest runs too
constexpr seconds boot_patience{180};             // emulated, on a machine that has other work
constexpr seconds copy_patience{90};
constexpr seconds settle_patience{40};
constexpr seconds moment_patience{10};
constexpr seconds answer_patience{10};
// What was released right before the fault is still on its way for so long.
constexpr milliseconds in_flight{300};

class Play {
 public:
  Play(const Drill& drill, const Assignment& assignment, demo::Interrupt& interrupt)
      : drill_(drill), assignment_(assignment), interrupt_(interrupt), random_(assignment.seed) {}
  Played run();

 private:
  Result<void> act();
  Result<void> set_up();
  Result<void> begin();
  Result<void> strike();
  Result<void> put(const Fault& fault, std::optional<LogWatch>& watch, bool clock);
  void note_phase();
  Result<void> settle();
  Result<void> await_new_owner();
  Result<void> heal();
  void await_protection();
  void finish();
  void clean_up();
  Result<void> until(const std::string& what, milliseconds time,
                     const std::function<bool()>& condition);
  void look();
  [[nodiscard]] const demo::EngineStatus& known(const std::string& host) const;
  [[nodiscard]] bool runs_replicas() const { return assignment_.mode != "periodic"; }
  [[nodiscard]] bool compares(const std::string& host) const;
  [[nodiscard]] bool protected_by_anyone() const;
  [[nodiscard]] std::optional<Owner> newest_owner() const;
  [[nodiscard]] double since_fault(std::int64_t unix_ns) const {
    return static_cast<double>(unix_ns - *record_.fault_unix_ns) / 1e6;
  }

  const Drill& drill_;
  const Assignment& assignment_;
  demo::Interrupt& interrupt_;
  std::mt19937_64 random_;
  Record record_;
  Seen seen_;
  std::unique_ptr<demo::Scene> scene_;
  std::unique_ptr<demo::Engines> engines_;  // goes before the scene
  std::unique_ptr<Harm> harm_;
  std::unique_ptr<demo::Client> client_;
  std::int64_t struck_ns_ = 0;  // the first deed
  std::int64_t healed_ns_ = 0;
  std::optional<std::int64_t> may_speak_ns_;  // when a new owner's guest could be heard
  const std::string primary_ = "alpha", secondary_ = "beta";
};

Played Play::run() {
  record_.drill = drill_.name;
  record_.guest = assignment_.guest;
  record_.mode = assignment_.mode;
  record_.round = assignment_.round;
  record_.attempt = assignment_.attempt;
  record_.seed = assignment_.seed;
  record_.allowed = drill_.allowed;
  for (const Fault& fault : drill_.faults) record_.faults.push_back(describe(fault));
  if (const auto played = act(); !played) {
    // Before the fault nothing can be said of the drill; behind it, it went wrong.
    if (record_.fault_unix_ns && played.error().word != "interrupted") {
      record_.check("the round is played to its end", false, played.error().text());
    } else {
      record_.not_run = played.error().text();
    }
  }
  Played played;
  if (scene_ && record_.verdict() == Verdict::failed) {
    for (const std::string& host : {primary_, secondary_}) {
      played.logs += "  the end of the log of " + host + ":\n" + scene_->folder().tail(host);
    }
  }
  clean_up();
  played.record = std::move(record_);
  return played;
}

Result<void> Play::act() {
  if (auto done = set_up(); !done) return done;
  if (auto done = begin(); !done) return done;
  if (auto done = strike(); !done) return done;
  if (auto done = settle(); !done) return done;
  if (auto done = heal(); !done) return done;
  await_protection();
  finish();
  return {};
}

void Play::look() {
  engines_->look();
  if (!record_.fault_unix_ns) return;
  record_.slowest_status_ms = std::max(record_.slowest_status_ms, engines_->take_slowest_ms());
  const auto owner = newest_owner();
  if (!owner || owner->host.empty()) return;
  if (const auto since =
          note_times(known(owner->host), struck_ns_, *record_.fault_unix_ns, record_.times)) {
    may_speak_ns_ = since;
  }
}

// Looks at the engines before each question; an engine that ended unasked ends the wait.
Result<void> Play::until(const std::string& what, milliseconds time,
                         const std::function<bool()>& condition) {
  return interrupt_.until(what, time, [&]() -> Result<bool> {
    look();
    if (auto alive = engines_->check_alive(); !alive) return fail(alive.error());
    return condition();
  });
}

const demo::EngineStatus& Play::known(const std::string& host) const {
  static const demo::EngineStatus nothing;
  const auto& status = engines_->status(host);
  return status ? *status : nothing;
}

// A change of owner since the fault.
std::optional<Owner> Play::newest_owner() const {
  const auto owners = read_history(scene_->folder().arbiter());
  if (!owners || owners->empty() || owners->back().generation <= seen_.generation)
    return std::nullopt;
  return owners->back();
}

Result<void> Play::set_up() {
  demo::Setting setting = setting_of(drill_, assignment_.guest, assignment_.mode);
  setting.colo = assignment_.colo;
  setting.image = assignment_.image;
  auto scene = setting.guest == demo::GuestKind::qemu ? demo::make_qemu_scene(setting)
                                                      : demo::make_embedded_scene(setting);
  if (!scene) return fail(scene.error());
  scene_ = std::move(*scene);
  engines_ = std::make_unique<demo::Engines>(*scene_);
  harm_ = std::make_unique<Harm>(*scene_, *engines_, primary_, secondary_, runs_replicas());
  // The guest is there before its first copy begins: it boots undisturbed, and the copy is met.
  if (auto started = engines_->start(primary_); !started) return started;
  auto transport = scene_->make_transport();
  if (!transport) return fail(transport.error());
  client_ = std::make_unique<demo::Client>(std::move(*transport));
  const auto booted = until("the guest's first word", boot_patience,
                            [&] { return client_->figures().connections > 0; });
  if (!booted) return booted;
  if (drill_.start == Start::first_copy) {
    const auto slowed = scene_->throttle(first_copy_bytes_per_second(setting.guest));
    if (!slowed) return slowed;
    harm_->note_link();
  }
  return engines_->start(secondary_);
}

// Where the round begins, and a conversation that shows that the client is heard.
Result<void> Play::begin() {
  const bool first_copy = drill_.start == Start::first_copy;
  const auto ready = until(first_copy ? "the first copy" : "protection", copy_patience, [&] {
    const demo::EngineStatus& status = known(primary_);
    if (first_copy) return status.state == "SYNCING" && status.copy_sent_pages > 0;
    return status.state == "PROTECTED" && known(secondary_).state == "STANDBY" &&
           (!runs_replicas() || compares(primary_));
  });
  if (!ready) return ready;
  const std::int64_t now = demo::unix_now_ns();
  return until("the conversation", settle_patience, [&] {
    const std::uint64_t wanted = runs_replicas() ? replicas_wanted : checkpoints_wanted;
    const bool enough = first_copy || known(primary_).checkpoints_committed >= wanted;
    return enough && client_->replies_since(now) >= conversation_wanted;
  });
}

Result<void> Play::strike() {
  // Anywhere within a checkpoint, not always at the same place.
  const std::uint32_t interval = interval_ms_of(drill_, assignment_.guest, assignment_.mode);
  if (interrupt_.wait(milliseconds(random_() % (interval + 1)))) {
    return fail("interrupted", "a signal asked to end");
  }
  look();
  const auto owners = read_history(scene_->folder().arbiter());
  if (!owners) return fail(owners.error());
  seen_.primary = primary_;
  seen_.generation = owners->empty() ? 0 : owners->back().generation;
  struck_ns_ = demo::unix_now_ns();
  std::optional<LogWatch> watch;
  for (std::size_t i = 0; i < drill_.faults.size(); ++i) {
    if (auto done = put(drill_.faults[i], watch, i == drill_.clock); !done) return done;
  }
  return harm_->sweep();
}

Result<void> Play::put(const Fault& fault, std::optional<LogWatch>& watch, bool clock) {
  auto act = harm_->prepare(fault);
  if (!act) return fail(act.error());
  if (fault.after.count() > 0 && interrupt_.wait(fault.after)) {
    return fail("interrupted", "a signal asked to end");
  }
  if (fault.at) {
    const auto log = scene_->folder().log(harm_->host(fault.at->whose));
    if (!watch) watch.emplace(log);
    const bool met = watch->wait_for(fault.at->line, moment_patience,
                                     [&] { return interrupt_.wait(milliseconds(0)); });
    watch.reset();
    if (!met) {
      record_.missed = true;
      return fail("no-moment", "'" + fault.at->line + "' was not seen in the log of " +
                                   harm_->host(fault.at->whose));
    }
  }
  const std::size_t next = static_cast<std::size_t>(&fault - drill_.faults.data()) + 1;
  // Deeds that are quick may bring about the moment of the next one at once.
  const bool quick = fault.deed == Deed::kill || fault.deed == Deed::switchover;
  if (quick && next < drill_.faults.size() && drill_.faults[next].at) {
    watch.emplace(scene_->folder().log(harm_->host(drill_.faults[next].at->whose)));
  }
  if (clock) record_.fault_unix_ns = demo::unix_now_ns();
  if (auto done = (*act)(); !done) return done;
  if (next == drill_.faults.size()) note_phase();
  return {};
}

// What the logs say right behind the last fault.
void Play::note_phase() {
  const auto phase_of = [&](Role role) {
    const auto log = scene_->folder().log(harm_->host(role));
    return phase_after(log_text(log, log_size(log)));
  };
  if (!drill_.phase.empty()) {
    record_.phase = phase_of(drill_.phase_of);
    if (record_.phase != drill_.phase) {
      record_.not_run = "the fault fell in the phase " + record_.phase;
      record_.missed = true;
    }
    return;
  }
  const std::string secondary = phase_of(Role::secondary);
  const bool of_secondary =
      secondary == phase_flush || secondary == phase_load || secondary == phase_start;
  record_.phase = of_secondary ? secondary : phase_of(Role::primary);
}

Result<void> Play::settle() {
  if (!drill_.lasts) return await_new_owner();
  const auto end = std::chrono::steady_clock::now() + *drill_.lasts;
  while (std::chrono::steady_clock::now() < end) {
    const auto left = std::chrono::ceil<milliseconds>(end - std::chrono::steady_clock::now());
    if (interrupt_.wait(std::min(left, milliseconds(50)))) {
      return fail("interrupted", "a signal asked to end");
    }
    if (left > milliseconds(200)) look();  // an answer may take longer than a short fault
  }
  return {};
}

// Until somebody claimed the guest and it answers the client from there.
Result<void> Play::await_new_owner() {
  const auto settled = until("an owner whose guest answers", settle_patience, [&] {
    const auto owner = newest_owner();
    return owner && may_speak_ns_ && client_->replies_since(*may_speak_ns_) >= replies_wanted;
  });
  // What did not settle is healed all the same, and judged in the end.
  if (!settled && settled.error().word != "timeout") return settled;
  return {};
}

Result<void> Play::heal() {
  healed_ns_ = demo::unix_now_ns();
  record_.times.healed = since_fault(healed_ns_);
  if (drill_.silent) {
    const std::int64_t from = *record_.fault_unix_ns + std::int64_t{in_flight.count()} * 1'000'000;
    seen_.replies_in_silence = client_->replies_since(from) - client_->replies_since(healed_ns_);
  }
  return harm_->heal();
}

bool Play::compares(const std::string& host) const { return known(host).effective_mode == "colo"; }

bool Play::protected_by_anyone() const {
  for (const auto& [one, other] :
       {std::pair{primary_, secondary_}, std::pair{secondary_, primary_}}) {
    if (known(one).state == "PROTECTED" && known(one).guest_running &&
        known(other).state == "STANDBY" && (assignment_.mode != "colo" || compares(one)))
      return true;
  }
  return false;
}

void Play::await_protection() {
  const bool nobody = drill_.allowed == std::set{Outcome::ended};
  const auto again = until("protection again", nobody ? seconds(3) : drill_.protected_again, [&] {
    return protected_by_anyone() && client_->replies_since(healed_ns_) >= replies_wanted;
  });
  if (again) record_.times.protected_again = since_fault(demo::unix_now_ns());
  if (!nobody) record_.protected_again = again.has_value();
  if (!again && again.error().word == "engine-ended") {
    record_.check("no engine ends by itself", false, again.error().text());
  }
}

void Play::finish() {
  const std::int64_t before = demo::unix_now_ns();
  static_cast<void>(interrupt_.until("an answer", answer_patience, [&]() -> Result<bool> {
    return client_->broken() || client_->replies_since(before) >= replies_wanted;
  }));
  seen_.answers = client_->replies_since(before) >= replies_wanted;
  if (seen_.answers) client_->finish();
  record_.client = client_->figures();
  look();
  if (may_speak_ns_) {
    if (const auto reply = client_->first_reply_since(*may_speak_ns_)) {
      record_.times.first_reply = since_fault(*reply);
    }
  }
  if (auto owners = read_history(scene_->folder().arbiter())) {
    record_.owners = std::move(*owners);
  } else {
    record_.check("the arbiter has a history", false, owners.error().text());
  }
  seen_.frames = scene_->speakers().all();
  judge(drill_, seen_, record_);
}

void Play::clean_up() {
  client_.reset();
  // Also of a round that was broken off: a frozen engine could not end.
  if (harm_) harm_->wake();
  if (engines_) {
    // A primary that ends before its secondary is taken over from.
    const bool swapped = known(secondary_).role == "primary";
    if (auto ended = engines_->end(swapped ? primary_ : secondary_);
        !ended && record_.not_run.empty()) {
      record_.check("the engines end cleanly", false, ended.error().text());
    }
  }
  if (!scene_) return;
  if (!assignment_.keep_logs.empty()) {
    const auto where =
        assignment_.keep_logs / (drill_.name + "." + std::to_string(assignment_.round) + "." +
                                 std::to_string(assignment_.attempt));
    if (auto stored = scene_->folder().keep(where); !stored) {
      record_.check("the logs are kept", false, stored.error().text());
    }
  }
  harm_.reset();
  engines_.reset();
  if (auto gone = scene_->tear_down(); !gone) {
    record_.check("nothing is left behind", false, gone.error().text());
  }
  scene_.reset();
}

}  // namespace

Played play(const Drill& drill, const Assignment& assignment, demo::Interrupt& interrupt) {
  return Play(drill, assignment, interrupt).run();
}

}  // namespace colo::drill
