#include "tests/sim/world.h"

#include "tests/sim/frames.h"
#include "tests/sim/names.h"

namespace colo::sim {

using std::chrono::milliseconds;

namespace {

// Where a session's frames go: the bulk lane. The guest may run on while they are made.
class LaneSink final : public primary::FrameSink {
 public:
  LaneSink(World& world, std::shared_ptr<Lane> lane, std::size_t side,
           std::shared_ptr<SimGuest> guest)
      : world_(world), lane_(std::move(lane)), side_(side), guest_(std::move(guest)) {}

  Result<void> push(Bytes frame) override {
    if (!lane_->open(side_)) return fail("lane-ended", "the bulk lane has ended");
    Message message;
    message.frame.assign(frame.begin(), frame.end());  // as long as it is, not as it may become
    lane_->send(side_, std::move(message));
    if (guest_->running() && world_.guest_random.chance(150)) guest_->step();
    return {};
  }

 private:
  World& world_;
  std::shared_ptr<Lane> lane_;
  const std::size_t side_;
  std::shared_ptr<SimGuest> guest_;
};

constexpr Duration check_every = milliseconds(50);

}  // namespace

World::World(const WorldOptions& of, Reach& reached)
    : options(of),
      mutation(of.mutation),
      reach(reached),
      settings_random(of.seed, 1),
      plan_random(of.seed, 2),
      network_random(of.seed, 3),
      arbiter_random(of.seed, 4),
      guest_random(of.seed, 5),
      world_random(of.seed, 6),
      settings(draw_settings(settings_random)),
      plan_(draw_plan(plan_random, settings)) {}

World::~World() = default;

std::unique_ptr<primary::FrameSink> World::sink(std::shared_ptr<Lane> lane, std::size_t side,
                                                std::shared_ptr<SimGuest> guest) {
  return std::make_unique<LaneSink>(*this, std::move(lane), side, std::move(guest));
}

// --- time ----------------------------------------------------------------------------------------

Instant World::local(std::size_t host, Instant at) const {
  const std::int64_t t = at.time_since_epoch().count();
  return Instant(Duration(t + t / 1000 * settings.clock_ppm[host] / 1000));
}

Instant World::true_time(std::size_t host, Instant at) const {
  if (settings.clock_ppm[host] == 0) return at;
  const std::int64_t wanted = at.time_since_epoch().count();
  Instant guess(Duration(wanted / (1'000'000 + settings.clock_ppm[host]) * 1'000'000));
  while (local(host, guess) < at)
    guess += std::max<Duration>((at - local(host, guess)) / 2, Duration(1));
  return guess;
}

// --- running -------------------------------------------------------------------------------------

void World::step() {
  by_fault_ = false;
  if (!queue.step()) return;
  graveyard_.clear();
  if (std::exchange(beginnings_, judge.beginnings()) != judge.beginnings()) {
    network_clients.begin_anew();
  }
  judge.check_copies(by_fault_);
  mix(static_cast<std::uint64_t>(queue.now().time_since_epoch().count()));
}

void World::run_until(Instant until) {
  while (!queue.empty() && queue.next() <= until && judge.violations().empty()) step();
}

void World::run() {
  const Instant begin{};
  for (std::size_t host = 0; host < 2; ++host) {
    queue.after(world_random.between(Duration{}, Duration(milliseconds(50))), no_process,
                [this, host] { start_engine(host); });
  }
  network_clients.start();
  for (std::size_t i = 0; i < plan_.size(); ++i) {
    if ((options.faults >> i & 1U) == 0 || plan_[i].action != 0) continue;
    queue.after(plan_[i].at, no_process, [this, i] { strike(plan_[i]); });
  }
  const Instant safety = begin + settings.safety;
  for (Instant at = begin + check_every; at < safety; at += check_every) {
    run_until(at);
    if (judge.running(0) && judge.running(1)) reach.mark(Mark::both_guests_ran);
    for (std::size_t host = 0; host < 2; ++host) {
      // To be given back its guest, a host must reach the arbiter.
      if (!arbiter.reachable(host)) judge.forgive_pause(host, queue.now());
    }
    judge.check_pauses(queue.now(), settings.pause_bound());
  }
  run_until(safety);
  if (judge.violations().empty()) {
    heal();
    live();
  }
  reach.schedule(queue.steps(), queue.now() - begin);
  mix(queue.steps());
}

void World::to_hosts(const Bytes& frame) {
  for (std::size_t host = 0; host < 2; ++host) {
    Engine* there = engine(host);
    if (!powered(host) || there == nullptr || there->dead()) continue;
    queue.after({}, static_cast<int>(host), [there, frame] { there->gate.outside(frame); });
  }
}

void World::to_clients(const Bytes& frame) {
  if (!is_tcp(frame)) return;
  queue.after(std::chrono::microseconds(200), no_process,
              [this, frame, beginning = judge.beginnings()] {
                if (judge.beginnings() == beginning) network_clients.receive(frame);
              });
}

bool World::one_runs() const { return judge.running(0) != judge.running(1); }

void World::live() {
  const Instant healed = queue.now();
  const Instant run_by = healed + settings.bound();
  const Instant protected_by = run_by + settings.bound();
  const bool lost = !judge.any_copy();
  if (lost) reach.mark(Mark::guest_lost);
  std::uint64_t commits = judge.commits();
  std::optional<Instant> runs_since;
  Point heard = judge.client_saw();
  auto answers = network_clients.answers();
  Instant help_at = healed + milliseconds(400);
  for (Instant now = healed + check_every; judge.violations().empty(); now += check_every) {
    run_until(now);
    judge.check_pauses(now, settings.pause_bound());
    if (now >= help_at) {
      help();
      help_at = now + milliseconds(400);
    }
    if (!one_runs()) {
      runs_since.reset();
      if (now > run_by) break;
      continue;
    }
    if (!runs_since) {
      runs_since = now;
      commits = judge.commits();
      heard = judge.client_saw();
      answers = network_clients.answers();
    }
    const auto answered = network_clients.answers();
    bool all_go_on = true;  // connections, too
    for (std::size_t i = 0; i < clients; ++i) all_go_on = all_go_on && answered[i] > answers[i];
    if (judge.commits() >= commits + 3 && judge.client_saw() != heard && all_go_on) {
      reach.mark(Mark::protected_again);
      return;
    }
    if (now > protected_by) break;
  }
  complain();
}

void World::complain() {
  if (!judge.violations().empty()) return;
  if (judge.running(0) && judge.running(1)) {
    judge.broken("L4", "both guests run, long after everything healed");
  } else if (!one_runs()) {
    judge.broken("L5", "no guest runs, long after everything healed");
  } else {
    judge.broken("L6", "a guest runs, but the pair is not protected again, or a client is stuck");
  }
}

// --- the parts -----------------------------------------------------------------------------------

bool World::listening(std::size_t host) const {
  const Engine* there = engine(host);
  return there != nullptr && !there->dead() && there->listening();
}

Generation World::generation_of(std::size_t host) const {
  return engine(host) == nullptr ? Generation{} : engine(host)->generation();
}

Beat World::beat_of(std::size_t host) const { return engine(host)->beat(); }

void World::guest_sent(std::size_t host, const SimGuest& guest) {
  Engine* there = engine(host);
  if (there == nullptr || there->dead() || queue.frozen(static_cast<int>(host))) return;
  if (guest_random.chance(200)) return;  // read a little later
  if (there->gate.is_inside(guest) && there->gate.read()) {
    queue.after({}, static_cast<int>(host), [there] { there->output_full(); });
  }
}

void World::datagram(std::size_t from, std::size_t link, std::uint64_t count, const Beat& beat) {
  const std::size_t to = other(from);
  Engine* there = engine(to);
  if (there == nullptr || there->dead() || !powered(to)) return;
  if (queue.frozen(static_cast<int>(to))) {  // it waits in the socket
    queue.after({}, static_cast<int>(to),
                [there, link, count, beat] { there->datagram(link, count, beat); });
    return;
  }
  there->datagram(link, count, beat);
}

void World::track(std::size_t host, const std::shared_ptr<SimGuest>& guest) {
  machines_[host].guest_died = false;
  engine(host)->track(guest);
}

std::optional<KeptCache> World::take_kept(std::size_t host) {
  return std::exchange(machines_[host].kept, std::nullopt);
}

bool World::keeps_newer(std::size_t host, Generation owned) const {
  const auto& kept = machines_[host].kept;
  return kept && kept->kept.epoch != Epoch{0} && kept->kept.generation < owned;
}

wire::Token token_of(std::uint64_t number) {
  wire::Token token{};
  for (std::size_t i = 0; i < 8; ++i) token[i] = static_cast<std::byte>(number >> (8 * i));
  return token;
}

void World::granted(const heartbeat::Ownership& ownership, std::size_t asker) {
  bool able = true;
  for (std::size_t host = 0; host < 2; ++host) {
    if (ownership.owner != host_names[host]) continue;
    const Engine* there = engine(host);
    able = there != nullptr && !there->dead() && there->run_name() == ownership.run &&
           !machines_[host].guest_died;
    // A replica that hangs is noticed only after a while.
    if (able && there->replica() && there->replica()->hangs()) able = false;
  }
  if (!able) by_fault_ = true;
  judge.granted(ownership, asker, able, queue.now());
  if (tracing()) {
    note("arbiter", "generation " + std::to_string(ownership.generation.value) + " is " +
                        (ownership.owner.empty() ? "nobody's" : ownership.owner + "'s"));
  }
}

void World::start_engine(std::size_t host) {
  Machine& machine = machines_[host];
  if ((machine.engine && !machine.engine->dead()) || !machine.powered) return;
  if (machine.engine) graveyard_.push_back(std::move(machine.engine));
  machine.engine = std::make_unique<Engine>(*this, host, ++machine.runs);
  machine.guest_died = false;
  if (tracing()) note(host_names[host], "engine starts, run " + std::to_string(machine.runs));
  machine.engine->start();
}

void World::exited(std::size_t host) {
  if (tracing()) note(host_names[host], "engine ends");
  if (!healed_ && world_random.chance(300)) return;
  queue.after(world_random.between(Duration(milliseconds(50)), Duration(milliseconds(1000))),
              no_process, [this, host] { start_engine(host); });
}

void World::acted(std::size_t host) {
  const std::uint32_t count = ++machines_[host].actions;
  if (healed_) return;
  for (std::size_t i = 0; i < plan_.size(); ++i) {
    const Strike& planned = plan_[i];
    if (planned.action == count && planned.host == host && (options.faults >> i & 1U) != 0) {
      strike(planned);
    }
  }
}

// What the planted bugs do with a frame that arrives on the bulk lane.
void World::mutate_frame(std::size_t host, const wire::Frame& frame) {
  Engine* there = engine(host);
  if (mutation == Mutation::acknowledge_before_verify &&
      frame.header.kind == wire::Kind::device_state) {
    there->mutant_acknowledges(frame.header.epoch);
  }
  if (mutation == Mutation::flush_while_staged && frame.header.kind == wire::Kind::pages) {
    there->mutant_flushes(frame);
  }
}

// --- trace ---------------------------------------------------------------------------------------

void World::note(const std::string& who, const std::string& what) {
  const auto us =
      std::chrono::duration_cast<std::chrono::microseconds>(queue.now().time_since_epoch()).count();
  std::string time = std::to_string(us / 1000) + "." + std::to_string(us % 1000 / 100);
  time = std::string(time.size() < 8 ? 8 - time.size() : 0, ' ') + time;
  lines_.push_back(time + " ms  " + who + std::string(who.size() < 10 ? 10 - who.size() : 0, ' ') +
                   what);
}

template <class Core, class Event, class State, class Action>
void World::stepped(std::size_t host, const Core& core, const Event& event,
                    const std::optional<State>& before, const std::vector<Action>& actions) {
  reach.state(core.state());
  mix(host << 16U | event.index() << 8U | core.state().index());
  for (const Action& action : actions) mix(action.index() + 1000);
  if (!tracing()) return;
  const std::string was = name_of(*before);
  const std::string is = name_of(core.state());
  if (was == is && actions.empty()) return;
  std::string line = name_of(event) + ": " + (was == is ? is : was + " -> " + is);
  for (std::size_t i = 0; i < actions.size(); ++i)
    line += (i == 0 ? "; " : ", ") + name_of(actions[i]);
  note(host_names[host], line);
}

template void World::stepped(std::size_t, const primary::Core&, const primary::Event&,
                             const std::optional<primary::State>&,
                             const std::vector<primary::Action>&);
template void World::stepped(std::size_t, const secondary::Core&, const secondary::Event&,
                             const std::optional<secondary::State>&,
                             const std::vector<secondary::Action>&);

}  // namespace colo::sim
