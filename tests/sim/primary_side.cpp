#include "tests/sim/primary_side.h"

#include "base/check.h"
#include "tests/sim/world.h"

namespace colo::sim {

namespace {

constexpr int spins_max = 100;

}  // namespace

PrimarySide::PrimarySide(Engine& engine, Generation from)
    : engine_(engine),
      world_(engine.world),
      core_(primary::Core::start(engine.world.settings.primary, from)) {}

PrimarySide::PrimarySide(Engine& engine, std::shared_ptr<SimGuest> guest, Generation generation,
                         std::string cause)
    : engine_(engine),
      world_(engine.world),
      core_(primary::Core::solo(engine.world.settings.primary, generation, std::move(cause))),
      guest_(std::move(guest)),
      lineage_(std::make_unique<primary::Lineage>(guest_identity().layout)),
      guest_runs_(true) {}

PrimarySide::~PrimarySide() = default;

void PrimarySide::feed(primary::Event event) {
  if (left_ || engine_.dead()) return;
  events_.push_back(std::move(event));
  if (feeding_) return;  // an action fed it: the loop below takes it in order
  feeding_ = true;
  while (!events_.empty() && !left_) {
    const primary::Event next = std::move(events_.front());
    events_.pop_front();
    std::vector<primary::Action> actions;
    const auto before = world_.tracing() ? std::optional(core_.state()) : std::nullopt;
    core_.step(next, engine_.local_now(), actions);
    world_.stepped(engine_.host, core_, next, before, actions);
    for (const primary::Action& action : actions) {
      std::visit([this](const auto& known) { execute(known); }, action);
      engine_.acted();
      if (engine_.dead()) return;
    }
  }
  feeding_ = false;
  arm();
}

void PrimarySide::arm() {
  const auto deadline = core_.deadline();
  if (!deadline || left_) return;
  const Instant at = world_.true_time(engine_.host, *deadline);
  if (armed_ && *armed_ <= at) return;
  armed_ = at;
  world_.queue.add(at, static_cast<int>(engine_.host), [this] {
    armed_.reset();
    const auto due = core_.deadline();
    if (left_ || !due) return;
    if (*due > engine_.local_now()) {
      arm();
      return;
    }
    const Instant now = world_.queue.now();
    feed(primary::Tick{});
    const auto next = core_.deadline();
    if (engine_.dead() || !next || *next > engine_.local_now()) {
      spins_ = 0;
    } else if (++spins_ > spins_max && now == world_.queue.now()) {
      world_.judge.broken("spin", "a primary asks for a Tick at once, for ever");
      left_ = true;
    }
  });
}

PrimarySession* PrimarySide::session(primary::Session number) {
  return session_ && session_->number == number ? session_.get() : nullptr;
}

void PrimarySide::send(wire::Kind kind, Epoch epoch, bool flag, Bytes frame) {
  Message message;
  message.kind = kind;
  message.generation = core_.generation();
  message.epoch = epoch;
  message.flag = flag;
  message.frame = std::move(frame);
  if (kind == wire::Kind::alive) message.guest = guest_here();
  session_->lane->send(engine_.host, std::move(message));
}

// --- signs of life -------------------------------------------------------------------------------

void PrimarySide::heard(std::size_t link, Generation generation, wire::GuestHere guest) {
  if (session_ && session_->detector) session_->detector->heard(link, engine_.local_now());
  peer_says(generation, guest);
}

void PrimarySide::peer_says(Generation generation, wire::GuestHere guest) {
  if (guest == wire::GuestHere::runs) feed(primary::PeerRuns{generation});
}

wire::GuestHere PrimarySide::guest_here() const {
  const auto& state = core_.state();
  if (const auto* lost = std::get_if<primary::Lost>(&state)) {
    return lost->guest_kept && !lost->returning ? wire::GuestHere::paused : wire::GuestHere::none;
  }
  const bool owns = std::holds_alternative<primary::Solo>(state) ||
                    std::holds_alternative<primary::Syncing>(state) ||
                    std::holds_alternative<primary::Protected>(state) ||
                    std::holds_alternative<primary::HandingOver>(state);
  return owns && guest_runs_ ? wire::GuestHere::runs : wire::GuestHere::none;
}

void PrimarySide::stalled(Instant from, Instant now) {
  if (session_ && session_->detector) session_->detector->stalled(from, now);
}

void PrimarySide::beat(Instant now) {
  if (!session_ || !session_->detector) return;
  send(wire::Kind::alive, {});
  const primary::Session number = session_->number;
  const Duration limit = world_.settings.stream_timeout;
  for (const auto& lane : {session_->lane, session_->bulk}) {
    if (!lane || !lane->stuck(engine_.host, limit)) continue;
    world_.reach.mark(Mark::lane_timed_out);
    lane->close(engine_.host);
    lose(number, {"timed-out", "a lane made no progress", ""}, false);
    return;
  }
  if (session_->detector->suspected(now)) {
    lose(number, {"silent", "nothing was heard on any link", ""}, false);
  }
}

void PrimarySide::guest_ended(bool by_guest) {
  if (!guest_) return;
  guest_runs_ = false;
  if (session_ && session_->bulk) session_->bulk->close(engine_.host);
  feed(primary::GuestEnded{by_guest ? "the guest shut down" : "QEMU was killed", by_guest});
}

void PrimarySide::end() {
  left_ = true;
  for (const auto& session : {session_, asking_}) {
    if (!session) continue;
    for (const auto& lane : {session->lane, session->bulk}) {
      if (lane) lane->abort(engine_.host);
    }
  }
  if (guest_) guest_->kill();
}

}  // namespace colo::sim
