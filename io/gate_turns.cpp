// The gate's thread: tell the handlers what happened, wait for a socket, move frames, and begin
// again. What a turn reads and may leave leaves in that turn.
#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "io/clock.h"
#include "io/gate.h"

namespace colo::io {
namespace {

// How much one turn moves per port and direction before a caller of the gate gets the lock.
constexpr int frames_per_turn = 64;
constexpr int reads_per_turn = 4;
// How long released frames wait that the network could not take. A TAP's and a datagram socket's
// readiness to be written says nothing about the next write, so it is simply tried again.
constexpr Duration between_tries = std::chrono::milliseconds(1);

}  // namespace

// Everything that may leave, leaves. From whichever thread released it: nobody is waited for.
void Gate::pump() {
  if (who_ != Who::guest) return;
  while (auto frame = output_.pop_released()) {
    GatePort& port = ports_[frame->port];
    port.outside.send(std::move(frame->frame));
    note_trouble(port);
  }
}

bool Gate::waiting() const {
  return std::any_of(ports_.begin(), ports_.end(),
                     [](const GatePort& port) { return port.outside.waiting_frames() > 0; });
}

// No more output is taken from the guest: it waits, and loses nothing.
bool Gate::stuffed() const {
  std::size_t packets = output_.held().packets();
  std::size_t bytes = output_.held().bytes();
  for (const GatePort& port : ports_) {
    packets += port.outside.waiting_frames();
    bytes += port.outside.waiting_bytes();
  }
  return packets >= limits_.hold.packets || bytes >= limits_.hold.bytes;
}

// For one more read, whatever it gives.
bool Gate::room_for(const FrameBatches& batches) const {
  return !handlers_.room || handlers_.room() >= batches.bytes() + room_bytes_min;
}

bool Gate::may_read_guest() const {
  switch (who_) {
    case Who::nobody:
      return false;
    case Who::guest:
      return !stuffed();
    case Who::replica:
      return !replica_held_ && room_for(sent_);
  }
  return false;
}

// Frames that the guest can't have now wait in the network; those that nobody can have are read and
// dropped.
bool Gate::may_read_outside(std::size_t index) const {
  const GatePort& port = ports_[index];
  if (who_ != Who::guest || !port.has_guest()) return true;
  if (port.stuck() || inbound_stopped_ || inbox_.waiting(index)) return false;
  return !output_.comparing() || room_for(inbound_);
}

// The comparator has heard something: it may have asked, or have something to wait for.
void Gate::judged() {
  while (auto ask = output_.take_ask()) {
    asked_.push_back({output_.open_epoch(), std::move(*ask)});
    wake();
  }
  const auto deadline = output_.deadline();
  if (deadline && *deadline < asleep_until_) wake();
}

void Gate::note_trouble(GatePort& port) {
  if (auto trouble = port.outside.take_trouble()) {
    troubles_.push_back(std::move(*trouble));
    wake();
  }
}

void Gate::from_guest(std::size_t index, Bytes frame) {
  const auto port = static_cast<std::uint32_t>(index);
  const Instant now = steady_now();
  if (rewriter_ && !rewriter_->outbound(port, frame, now)) return;
  if (who_ == Who::guest) {
    output_.push(port, std::move(frame), now);
    return;
  }
  ++replica_sent_;
  sent_.add(replica_, port, std::move(frame));
  if (rewriter_->full() && !std::exchange(told_flows_, true)) {
    asked_.push_back({replica_, {compare::Reason::flows, {}}});
  }
}

// False: nothing more to read now.
bool Gate::read_inside(std::size_t index) {
  GatePort& port = ports_[index];
  const auto state =
      port.stream.read(port.inside, [&](Bytes frame) { from_guest(index, std::move(frame)); });
  if (!state) {
    troubles_.push_back(state.error());
    port.inside = -1;
    port.inside_socket = 0;
    wake();
    return false;
  }
  if (*state == PacketStream::State::ended) port.inside = -1;
  return *state == PacketStream::State::open;
}

void Gate::take_output(std::size_t index) {
  for (int i = 0; i < reads_per_turn && may_read_guest(); ++i) {
    if (!read_inside(index)) break;
  }
}

void Gate::to_guest(std::size_t index, MutableBytes frame, Instant now) {
  ++frames_in_;
  if (rewriter_) rewriter_->inbound(static_cast<std::uint32_t>(index), frame, now);
  ports_[index].write(frame);
}

// Until when what comes next for the replica has to wait for something that the replica says.
std::optional<Instant> Gate::early_until(std::size_t index) {
  if (who_ != Who::replica || !inbox_.waiting(index)) return std::nullopt;
  return rewriter_->early(static_cast<std::uint32_t>(index), inbox_.first(index), steady_now());
}

// What came over the lane.
void Gate::give_waiting(std::size_t index) {
  GatePort& port = ports_[index];
  while (port.has_guest() && !port.stuck() && !early_until(index)) {
    auto frame = inbox_.next(index);
    if (!frame) return;
    to_guest(index, *frame, steady_now());
  }
}

void Gate::take_input(std::size_t index) {
  GatePort& port = ports_[index];
  for (int i = 0; i < frames_per_turn && may_read_outside(index); ++i) {
    const auto frame = port.outside.receive(space_);
    if (!frame) break;
    if (who_ != Who::guest || !port.has_guest() || frame->size() > packet_bytes_max) {
      ++dropped_in_;
      continue;
    }
    if (output_.comparing() && handlers_.inbound) {
      inbound_.add(output_.open_epoch(), static_cast<std::uint32_t>(index),
                   Bytes(frame->begin(), frame->end()));
    }
    to_guest(index, *frame, steady_now());
  }
  note_trouble(port);
}

void Gate::run() {
  std::vector<pollfd> polled;
  std::unique_lock lock(mutex_);
  while (!stop_) {
    tell(lock);
    if (stop_) return;
    const int patience = prepare(polled);
    const std::uint64_t turn = turn_;
    lock.unlock();
    ::poll(polled.data(), polled.size(), patience);
    lock.lock();
    asleep_until_ = Instant::min();
    if (polled[0].revents != 0) {
      std::uint64_t value = 0;
      (void)!::read(wake_.get(), &value, sizeof value);
    }
    // Opened or closed meanwhile: these descriptors may be another file's by now.
    if (turn == turn_ && !stop_) move(polled);
    output_.expire(steady_now());
    judged();
  }
}

Gate::News Gate::news() {
  News news;
  const bool full = who_ == Who::guest && output_.full();
  news.full = full && !told_full_;
  told_full_ = full;
  news.behind = behind_ && !std::exchange(told_behind_, behind_);
  news.troubles = std::exchange(troubles_, {});
  news.asked = std::exchange(asked_, {});
  news.inbound = inbound_.take();
  if (!replica_held_) news.sent = sent_.take();
  return news;
}

// Handlers may call the gate, so they run without the lock.
void Gate::tell(std::unique_lock<std::mutex>& lock) {
  News news = this->news();
  lock.unlock();
  for (FrameBatch& batch : news.sent) {
    if (handlers_.replica_sent) handlers_.replica_sent(batch.tag, std::move(batch.frames));
  }
  for (FrameBatch& batch : news.inbound) {
    if (batch.flows) handlers_.began(batch.tag, std::move(*batch.flows));
    if (!batch.frames.empty()) handlers_.inbound(batch.tag, std::move(batch.frames));
  }
  if (news.full) handlers_.full();
  if (news.behind && handlers_.behind) handlers_.behind();
  for (Asked& asked : news.asked) {
    if (handlers_.asked) handlers_.asked(asked.tag, std::move(asked.ask));
  }
  for (Error& trouble : news.troubles) handlers_.trouble(std::move(trouble));
  lock.lock();
}

// polled: the wake-up, then inside and outside of each port. Returns poll's patience.
int Gate::prepare(std::vector<pollfd>& polled) {
  polled.assign(1, {wake_.get(), POLLIN, 0});
  const bool take = may_read_guest();
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    const GatePort& port = ports_[i];
    short inside = 0;
    if (take) inside |= POLLIN;
    if (port.stuck()) inside |= POLLOUT;
    polled.push_back({inside != 0 ? port.inside : -1, inside, 0});
    polled.push_back({may_read_outside(i) ? port.outside.fd() : -1, POLLIN, 0});
  }
  const Instant now = steady_now();
  asleep_until_ = output_.deadline().value_or(Instant::max());
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    if (who_ == Who::replica) give_waiting(i);
    if (const auto until = early_until(i)) asleep_until_ = std::min(asleep_until_, *until);
  }
  if (who_ == Who::guest && waiting()) asleep_until_ = std::min(asleep_until_, now + between_tries);
  if (asleep_until_ == Instant::max()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(asleep_until_ - now);
  constexpr std::int64_t longest = 60'000;  // looks again then
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, longest));
}

void Gate::move(const std::vector<pollfd>& polled) {
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    GatePort& port = ports_[i];
    const short inside = polled[1 + 2 * i].revents;
    if (who_ != Who::nobody && port.has_guest() && inside != 0) {
      if (port.stuck()) port.finish_write();
      if (port.has_guest() && (inside & ~POLLOUT) != 0) take_output(i);
    }
    if (who_ != Who::nobody) give_waiting(i);
    if (polled[2 + 2 * i].revents != 0) take_input(i);
    if (who_ == Who::guest && port.outside.waiting_frames() > 0) port.outside.flush();
    note_trouble(port);
  }
  pump();
}

}  // namespace colo::io
