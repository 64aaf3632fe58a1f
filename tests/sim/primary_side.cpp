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

void PrimarySide::send(wire::Kind kind, Epoch epoch, bool flag) {
  Message message;
  message.kind = kind;
  message.generation = core_.generation();
  message.epoch = epoch;
  message.flag = flag;
  session_->lane->send(engine_.host, std::move(message));
}

// --- a secondary that joins ----------------------------------------------------------------------

void PrimarySide::opened(const std::shared_ptr<Lane>& lane, const Message& opening) {
  if (opening.kind == wire::Kind::hello) {
    on_hello(lane);
  } else {
    on_attach(lane, opening.greeting->session);
  }
}

void PrimarySide::on_hello(const std::shared_ptr<Lane>& lane) {
  if (!guest_ || !guest_runs_) {
    Message refuse;
    refuse.kind = wire::Kind::refuse;
    lane->send(engine_.host, std::move(refuse));
    lane->close(engine_.host);
    return;
  }
  last_session_ = last_session_.next();
  asking_ = std::make_shared<PrimarySession>();
  asking_->number = last_session_;
  asking_->lane = lane;
  feed(primary::PeerAsks{last_session_, host_names[other(engine_.host)]});
}

void PrimarySide::on_attach(const std::shared_ptr<Lane>& lane, std::uint64_t token) {
  const auto side = engine_.host;
  if (!session_ || session_->bulk || session_->token != token) {
    lane->close(side);
    return;
  }
  session_->bulk = lane;
  session_->sink = world_.sink(lane, side, guest_);
  const primary::Session number = session_->number;
  lane->start(side, {nullptr, [this, number](bool certain) { bulk_ended(number, certain); }});
  primary::CaptureOptions options;
  options.pause_max = world_.settings.pause_max;
  options.now = [this] { return engine_.local_now(); };
  options.standstill_ended = [this, number](Epoch epoch) {
    world_.queue.after({}, static_cast<int>(engine_.host), [this, number, epoch] {
      feed(primary::StandstillEnded{number, epoch});
    });
  };
  session_->capturer = std::make_unique<primary::Capturer>(*guest_, *session_->sink,
                                                           core_.generation(), std::move(options));
  feed(primary::BulkAttached{number});
}

void PrimarySide::on_frame(primary::Session number, const Message& message) {
  PrimarySession* current = session(number);
  if (current == nullptr) return;
  if (current->detector) {
    current->detector->heard(world_.settings.heartbeat_links, engine_.local_now());
  }
  switch (message.kind) {
    case wire::Kind::alive:
      return;
    case wire::Kind::committed:
      feed(primary::CommitAcknowledged{number, message.generation, message.epoch});
      return;
    case wire::Kind::goodbye:
      lose(number, {"left", "the peer left", ""});
      return;
    default:
      lose(number, {"refused", "the peer closed", ""});
  }
}

// A secondary that leaves closes both lanes, and its reason comes over the control lane.
void PrimarySide::bulk_ended(primary::Session number, bool certain) {
  if (session(number) == nullptr) return;
  const Duration patience = std::chrono::milliseconds(certain ? 50 : 0);
  world_.queue.after(patience, static_cast<int>(engine_.host), [this, number] {
    lose(number, {"lane-ended", "the bulk lane ended", ""});
  });
}

void PrimarySide::lose(primary::Session number, const Error& error) {
  if (left_ || session(number) == nullptr) return;
  feed(primary::PeerLost{number, error});
}

// --- signs of life -------------------------------------------------------------------------------

void PrimarySide::heard(std::size_t link) {
  if (session_ && session_->detector) session_->detector->heard(link, engine_.local_now());
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
    lose(number, {"timed-out", "a lane made no progress", ""});
    return;
  }
  if (session_->detector->suspected(now)) {
    lose(number, {"silent", "nothing was heard on any link", ""});
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
