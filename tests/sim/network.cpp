#include "tests/sim/network.h"

#include <algorithm>

#include "tests/sim/engine.h"
#include "tests/sim/world.h"

namespace colo::sim {

namespace {

constexpr Duration dial_again = std::chrono::milliseconds(100);

}  // namespace

// --- lanes ---------------------------------------------------------------------------------------

void Lane::start(std::size_t side, Handlers handlers) {
  End& end = ends_[side];
  if (!end.open) return;
  end.handlers = std::move(handlers);
  end.started = true;
  schedule(other(side));
}

void Lane::send(std::size_t side, Message message) {
  End& end = ends_[side];
  if (!end.open) return;
  const Instant at = std::max(end.last, world_.queue.now() + world_.network.delay(path_));
  end.last = at;
  end.sent.push_back({at, std::move(message)});
  if (!end.waiting_since) end.waiting_since = world_.queue.now();
  schedule(side);
}

void Lane::close(std::size_t side) {
  End& end = ends_[side];
  if (!end.open) return;
  end.open = false;
  end.handlers = {};
  end.sent.push_back(
      {std::max(end.last, world_.queue.now() + world_.network.delay(path_)), {}, true});
  schedule(side);
}

void Lane::abort(std::size_t side) {
  End& end = ends_[side];
  if (!end.open) return;
  if (!end.sent.empty()) end.sent.resize(world_.network_random.below(end.sent.size() + 1));
  close(side);
}

void Lane::vanish(std::size_t side) {
  End& end = ends_[side];
  end.open = false;
  end.gone = true;
  end.handlers = {};
  end.sent.clear();
}

void Lane::reset() {
  for (std::size_t side = 0; side < 2; ++side) ends_[side].sent.clear();
  for (std::size_t side = 0; side < 2; ++side) finish(side, true);
}

bool Lane::stuck(std::size_t side, Duration limit) const {
  const End& end = ends_[side];
  return end.open && end.waiting_since && world_.queue.now() - *end.waiting_since > limit;
}

void Lane::retry() {
  schedule(0);
  schedule(1);
}

void Lane::schedule(std::size_t side) {
  End& end = ends_[side];
  if (end.delivering || end.sent.empty()) return;
  end.delivering = true;
  world_.queue.add(end.sent.front().at, no_process, [self = shared_from_this(), side] {
    self->ends_[side].delivering = false;
    self->deliver(side);
  });
}

void Lane::deliver(std::size_t side) {
  End& from = ends_[side];
  if (from.sent.empty()) return;
  End& to = ends_[other(side)];
  if (!world_.network.up(path_, side)) return;  // retry() when it is back
  if (!world_.powered(other(side))) return;
  const bool acknowledged = world_.network.up(path_, other(side));
  if (acknowledged) from.waiting_since = world_.queue.now();
  if (to.gone) {  // the host was away meanwhile and knows no such connection
    if (!acknowledged) return;
    from.sent.clear();
    world_.reach.mark(Mark::reset_by_reboot);
    finish(side, true);
    return;
  }
  if (to.open && (!to.started || world_.queue.frozen(static_cast<int>(other(side))))) return;
  Queued taken = std::move(from.sent.front());
  from.sent.pop_front();
  if (from.sent.empty() && acknowledged) from.waiting_since.reset();
  if (taken.end) {
    finish(other(side), true);
    return;
  }
  schedule(side);
  if (to.open && to.handlers.frame) {
    const auto self = shared_from_this();
    to.handlers.frame(taken.message);
  }
}

void Lane::finish(std::size_t side, bool certain) {
  End& end = ends_[side];
  if (!end.open) return;
  end.open = false;
  const auto handlers = std::move(end.handlers);
  end.handlers = {};
  end.sent.clear();
  if (handlers.ended) handlers.ended(certain);
}

// --- paths ---------------------------------------------------------------------------------------

Duration Network::delay(std::size_t path) {
  const PathSettings& settings = world_.settings.paths[path];
  return extra_delay_ + settings.delay + world_.network_random.between(Duration{}, settings.jitter);
}

std::size_t Network::heartbeat_path(std::size_t link) const {
  return world_.settings.shared_path ? link : link + 1;
}

std::size_t Network::paths() const {
  return world_.settings.heartbeat_links + (world_.settings.shared_path ? 0 : 1);
}

void Network::bring_up(std::size_t path, std::size_t from) {
  if (--down_[path][from] > 0) return;
  // What waits is sent again by a timer of the sender's kernel.
  const Duration after = world_.network_random.between(Duration{}, std::chrono::milliseconds(200));
  world_.queue.after(after, no_process, [this] { retry_lanes(); });
}

void Network::heal() {
  extra_loss_ = 0;
  extra_delay_ = {};
  for (auto& path : down_) path[0] = path[1] = 0;
  retry_lanes();
}

void Network::beat(std::size_t from) {
  Random& random = world_.network_random;
  const std::uint64_t count = ++world_.beats[from];
  const Beat beat = world_.beat_of(from);
  for (std::size_t link = 0; link < world_.settings.heartbeat_links; ++link) {
    const std::size_t path = heartbeat_path(link);
    const PathSettings& settings = world_.settings.paths[path];
    const int copies = random.chance(settings.duplicate) ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      if (random.chance(settings.loss + extra_loss_)) continue;
      if (!up(path, from)) continue;
      world_.queue.after(delay(path), no_process, [this, from, link, count, beat] {
        world_.datagram(from, link, count, beat);
      });
    }
  }
}

// --- connecting ----------------------------------------------------------------------------------

void Network::dial(std::size_t from, Message opening,
                   std::function<void(std::shared_ptr<Lane>)> done) {
  const Instant until = world_.queue.now() + world_.settings.handshake_timeout;
  try_dial(from, until, std::make_shared<Message>(std::move(opening)), std::move(done));
}

void Network::try_dial(std::size_t from, Instant until, std::shared_ptr<Message> opening,
                       std::function<void(std::shared_ptr<Lane>)> done) {
  const auto process = static_cast<int>(from);
  world_.queue.after(2 * delay(0), process, [this, from, until, opening, done] {
    const std::size_t to = other(from);
    const bool reachable = up(0, from) && up(0, to) && world_.powered(to);
    if (reachable && !world_.listening(to)) {
      world_.reach.mark(Mark::dial_refused);
      done(nullptr);
      return;
    }
    if (reachable && !world_.queue.frozen(static_cast<int>(to))) {
      auto lane = std::make_shared<Lane>(world_, 0);
      remember(lane);
      world_.engine(to)->opened(lane, *opening);
      done(lane);
      return;
    }
    if (world_.queue.now() >= until) {
      done(nullptr);
      return;
    }
    world_.queue.after(dial_again, static_cast<int>(from), [this, from, until, opening, done] {
      try_dial(from, until, opening, done);
    });
  });
}

void Network::remember(const std::shared_ptr<Lane>& lane) {
  lanes_.erase(std::remove_if(lanes_.begin(), lanes_.end(),
                              [](const std::weak_ptr<Lane>& one) { return one.expired(); }),
               lanes_.end());
  lanes_.push_back(lane);
}

void Network::retry_lanes() {
  for (const auto& one : lanes_) {
    if (const auto lane = one.lock()) lane->retry();
  }
}

void Network::reset_lanes() {
  const auto lanes = lanes_;
  for (const auto& one : lanes) {
    if (const auto lane = one.lock()) lane->reset();
  }
}

void Network::vanish(std::size_t host) {
  for (const auto& one : lanes_) {
    if (const auto lane = one.lock()) lane->vanish(host);
  }
}

}  // namespace colo::sim
