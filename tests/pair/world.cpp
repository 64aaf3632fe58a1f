#include "tests/pair/world.h"

#include "tests/pair/names.h"

namespace colo::pair {

using std::chrono::milliseconds;

namespace {

// The detectors' are counted by suspect_after_silence(); these tell only who runs the guest.
constexpr milliseconds heartbeat_every{150};

}  // namespace

World::World(Options options)
    : options_(options),
      primary_(
          std::make_unique<primary::Core>(primary::Core::start(options.primary, Generation{0}))),
      queue_(options.hold),
      secondary_(std::make_unique<secondary::Core>(options.secondary)) {
  later({}, Host::alpha, [this] { feed(primary::Event(primary::Tick{})); });
  later({}, Host::beta, [this] { feed(secondary::Event(secondary::Tick{})); });
  later(heartbeat_every, std::nullopt, [this] { beat(); });
}

void World::later(Duration after, std::optional<Host> host, std::function<void()> happen) {
  const std::uint64_t life = host ? life_[*host == Host::alpha ? 0 : 1] : 0;
  items_.push({now_ + after, order_++, host, life, std::move(happen)});
}

bool World::step() {
  while (!items_.empty()) {
    Item item = items_.top();
    items_.pop();
    if (item.host && !alive(*item.host)) continue;
    if (item.host && item.life != life_[*item.host == Host::alpha ? 0 : 1]) continue;
    now_ = item.at;
    ++steps_;
    item.happen();
    check_copies();
    return true;
  }
  return false;
}

void World::run(Duration time) {
  const Instant until = now_ + time;
  while (!items_.empty() && items_.top().at <= until) step();
  now_ = until;
}

void World::feed(const primary::Event& event) {
  const std::string before = options_.trace ? name_of(primary_->state()) : "";
  std::vector<primary::Action> actions;
  primary_->step(event, now_, actions);
  if (options_.trace) {
    note(Host::alpha, name_of(event), before, name_of(primary_->state()), names_of(actions));
  }
  schedule_tick(Host::alpha);
  for (const auto& action : actions) {
    if (!alive_[0]) return;
    std::visit([this](const auto& known) { execute(known); }, action);
  }
}

void World::feed(const secondary::Event& event) {
  const std::string before = options_.trace ? name_of(secondary_->state()) : "";
  std::vector<secondary::Action> actions;
  secondary_->step(event, now_, actions);
  if (options_.trace) {
    note(Host::beta, name_of(event), before, name_of(secondary_->state()), names_of(actions));
  }
  schedule_tick(Host::beta);
  for (const auto& action : actions) {
    if (!alive_[1]) return;
    std::visit([this](const auto& known) { execute(known); }, action);
  }
}

void World::schedule_tick(Host host) {
  const bool alpha = host == Host::alpha;
  const auto deadline = alpha ? primary_->deadline() : secondary_->deadline();
  const std::uint64_t mine = ++tick_[alpha ? 0 : 1];
  if (!deadline) return;
  later(std::max(*deadline - now_, Duration{}), host, [this, alpha, mine] {
    if (tick_[alpha ? 0 : 1] != mine) return;
    if (alpha) {
      feed(primary::Event(primary::Tick{}));
    } else {
      feed(secondary::Event(secondary::Tick{}));
    }
    const auto next = alpha ? primary_->deadline() : secondary_->deadline();
    if (next && *next <= now_) {
      judge_.broken("spin", std::string(alpha ? "alpha" : "beta") + " asks for a Tick at once");
      ++tick_[alpha ? 0 : 1];  // or this run would not end
    }
  });
}

void World::note(Host host, const std::string& event, const std::string& before,
                 const std::string& after, const std::string& actions) {
  if (before == after && actions.empty()) return;
  std::string line =
      std::to_string(std::chrono::duration_cast<milliseconds>(now_.time_since_epoch()).count());
  line = std::string(line.size() < 5 ? 5 - line.size() : 0, ' ') + line + " ms  ";
  line += host == Host::alpha ? "alpha  " : "beta   ";
  line += event + ": ";
  line += before == after ? after : before + " -> " + after;
  if (!actions.empty()) line += "; " + actions;
  trace_.push_back(std::move(line));
}

void World::check_copies() {
  if (ended_on_purpose_ || (lost_alone_ && left_)) return;
  const bool guest = alive_[0] && guest_;
  const bool checkpoint = alive_[1] && (taken_over_ || replica_.guest || replica_.starts ||
                                        (cache_ && cache_->committed() != Epoch{} && !struck_));
  judge_.copies(guest || checkpoint);
}

// --- the network ---------------------------------------------------------------------------------

void World::send(Host to, std::function<void()> arrive) {
  later(milliseconds(1), std::nullopt, [this, to, arrive = std::move(arrive)] {
    if (cut_) {
      parked_.emplace_back(to, arrive);
    } else if (alive(to)) {
      arrive();
    }
  });
}

void World::cut() {
  if (cut_) return;
  cut_ = true;
  suspect_after_silence();
}

void World::heal() {
  if (!cut_) return;
  cut_ = false;
  ++silence_;
  for (auto& [to, arrive] : parked_) {
    const Host host = to;
    later({}, host, std::move(arrive));
  }
  parked_.clear();
  if (!suspected_ || host_gone_) return;
  suspected_ = false;
  later(milliseconds(1), Host::beta,
        [this] { feed(secondary::Event(secondary::PeerHeard{{session_.number}})); });
}

// The detectors of both sides, after a second without a sign of the other.
void World::suspect_after_silence() {
  const std::uint64_t mine = ++silence_;
  const Error error{"silent", "nothing was heard for 1000 ms", ""};
  later(milliseconds(1000), Host::alpha, [this, mine, error] {
    if (silence_ != mine || !session_.open_primary) return;
    feed(primary::Event(primary::PeerLost{{session_.number}, error, false}));
  });
  later(milliseconds(1000), Host::beta, [this, mine, error] {
    if (silence_ != mine || !session_.open_secondary) return;
    suspected_ = true;
    feed(secondary::Event(secondary::PeerSuspected{{session_.number}, error, false}));
  });
}

void World::beat() {
  later(heartbeat_every, std::nullopt, [this] { beat(); });
  if (cut_ || left_ || !alive_[0] || !alive_[1]) return;
  const auto* lost = std::get_if<primary::Lost>(&primary_->state());
  if (lost != nullptr && lost->guest_kept) {
    feed(secondary::Event(secondary::PeerKeepsGuest{}));
  } else if (lost == nullptr && guest_ && guest_->running) {
    feed(secondary::Event(secondary::PeerRuns{primary_->generation()}));
  }
  if (!alive_[0] || !alive_[1] || !taken_over_) return;
  feed(primary::Event(primary::PeerRuns{secondary_->generation()}));
}

// The process ends and begins again at once; its memory is gone, the cache in shared memory is not.
void World::restart_secondary() {
  if (!alive_[1] || taken_over_) return;
  kill(Host::beta, false);
  alive_[1] = true;
  ++life_[1];
  session_.open_secondary = standby_alive_ = loading_ = suspected_ = false;
  dialling_.reset();
  ++standbys_;
  std::optional<secondary::Kept> kept;
  if (cache_) cache_->end_session();
  const auto held = secondary_->held();
  if (cache_ && held) {
    const auto owner = owners_.empty() ? heartbeat::Ownership{} : owners_.back();
    // An earlier run won a claim but never let the guest run: nobody has gone on from it.
    const bool unspoken = owner.owner == "beta" && !ordered_;
    const bool current = owner.generation == held->generation && owner.owner == "alpha";
    kept = secondary::Kept{unspoken ? owner.generation : held->generation, held->epoch,
                           (unspoken || current) && !struck_};
  } else {
    cache_.reset();
  }
  secondary_ = std::make_unique<secondary::Core>(options_.secondary, kept);
  resources_[1] = false;
  later({}, Host::beta, [this] { feed(secondary::Event(secondary::Tick{})); });
}

void World::kill(Host host, bool silent) {
  alive_[host == Host::alpha ? 0 : 1] = false;
  if (host == Host::beta && ordered_) lost_alone_ = true;
  if (host == Host::alpha) guest_.reset();
  if (host == Host::beta) lose_replica();
  if (silent) {
    host_gone_ = true;
    suspect_after_silence();
    return;
  }
  const Session of = session_;
  const Error error{"lane-ended", "the connection was reset", ""};
  if (host == Host::alpha) {
    send(Host::beta, [this, of, error] {
      if (session_.number != of.number || !session_.open_secondary) return;
      feed(secondary::Event(secondary::PeerGone{{of.number}, error, false}));
    });
  } else {
    send(Host::alpha, [this, of, error] {
      if (session_.number != of.number || !session_.open_primary) return;
      feed(primary::Event(primary::PeerLost{{of.number}, error, /*certain=*/true}));
    });
  }
}

void World::lose_replica() {
  if (replica_.guest && struck_) judge_.replica_ended();
  replica_ = Replica{nullptr, {}, replica_.life + 1, false, false, 0, false};
}

void World::ask(Host host, const primary::Event& event) {
  if (host != Host::alpha || !alive_[0]) return;
  // Without protection an operator's stop ends the only guest: no law is broken by that.
  const bool guarded = std::holds_alternative<primary::Protected>(primary_->state()) ||
                       std::holds_alternative<primary::HandingOver>(primary_->state());
  if (std::holds_alternative<primary::StopAsked>(event) && !guarded) ended_on_purpose_ = true;
  feed(event);
}

void World::ask(Host host, const secondary::Event& event) {
  if (host != Host::beta || !alive_[1]) return;
  // A last resort is for an operator who knows that alpha is dead.
  const bool last_resort = secondary_->keeps() == secondary::Keeps::last_resort;
  if (std::holds_alternative<secondary::TakeoverAsked>(event) && last_resort && guest_) return;
  const bool owner = std::holds_alternative<secondary::TakingOver>(secondary_->state()) ||
                     std::holds_alternative<secondary::GivingBack>(secondary_->state()) ||
                     std::holds_alternative<secondary::Claiming>(secondary_->state());
  if (std::holds_alternative<secondary::StopAsked>(event) && owner && !guest_) {
    ended_on_purpose_ = true;
  }
  feed(event);
}

// --- the arbiter ---------------------------------------------------------------------------------

heartbeat::ClaimAnswer World::decide(const heartbeat::Claim& claim) {
  const heartbeat::Ownership current = owners_.empty() ? heartbeat::Ownership{} : owners_.back();
  if (current.generation == claim.from) {
    owners_.push_back({claim.from.next(), claim.owner, claim.run});
    return heartbeat::ClaimWon{claim.from.next()};
  }
  const bool repeated = current.generation == claim.from.next() && current.owner == claim.owner &&
                        current.run == claim.run;
  if (repeated) return heartbeat::ClaimWon{current.generation};
  return heartbeat::ClaimLost{current};
}

void World::claim(Host host, const heartbeat::Claim& claim,
                  std::function<void(Result<heartbeat::ClaimAnswer>)> answered) {
  later(milliseconds(1), host, [this, host, claim, answered = std::move(answered)] {
    if (!arbiter_reachable_) {
      later(milliseconds(100), host, [answered] {
        answered(fail("arbiter-unreachable", "the shared directory does not answer"));
      });
      return;
    }
    const heartbeat::ClaimAnswer answer = decide(claim);
    if (std::exchange(lose_answer_, false)) {
      later(milliseconds(100), host,
            [answered] { answered(fail("arbiter-unreachable", "the answer was lost")); });
      return;
    }
    later(milliseconds(1), host, [answered, answer] { answered(answer); });
  });
}

}  // namespace colo::pair
