// The gate's calls. Each takes the lock, does at once what it can, and wakes the thread if there is
// more for it.
#include "io/packet_gate.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "io/clock.h"
#include "io/gate.h"

namespace colo::io {

Result<std::unique_ptr<PacketGate>> PacketGate::start(std::vector<OutsidePort> outside,
                                                      GateLimits limits, Handlers handlers) {
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) {
    return fail("no-descriptors", std::string("eventfd: ") + std::strerror(errno),
                "raise the limit of open files (ulimit -n)");
  }
  return std::make_unique<Gate>(std::move(wake), std::move(outside), limits, std::move(handlers));
}

Gate::Gate(UniqueFd wake, std::vector<OutsidePort> outside, GateLimits limits, Handlers handlers)
    : limits_(limits),
      handlers_(std::move(handlers)),
      wake_(std::move(wake)),
      output_(limits.hold, limits.compare),
      inbox_(outside.size(), limits.inbox) {
  std::sort(outside.begin(), outside.end(),
            [](const OutsidePort& one, const OutsidePort& other) { return one.port < other.port; });
  for (OutsidePort& port : outside) ports_.emplace_back(std::move(port));
  thread_ = std::thread([this] { run(); });
}

Gate::~Gate() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  wake();
  thread_.join();
  for (GatePort& port : ports_) port.outside.leave();
}

void Gate::wake() const {
  const std::uint64_t one = 1;
  (void)!::write(wake_.get(), &one, sizeof one);
}

// True: it is another guest than before.
bool Gate::attach(std::span<const InsidePort> inside) {
  bool another = false;
  for (GatePort& port : ports_) {
    const auto found = std::find_if(inside.begin(), inside.end(), [&](const InsidePort& one) {
      return one.port == port.outside.port();
    });
    COLO_CHECK(found != inside.end());
    another = port.attach(found->fd) || another;
  }
  ++turn_;
  inbound_stopped_ = false;
  return another;
}

void Gate::detach() {
  who_ = Who::nobody;
  ++turn_;  // what the thread has just polled is void
  for (GatePort& port : ports_) port.inside = -1;
  inbound_stopped_ = false;
  (void)inbound_.take();
  (void)sent_.take();
  inbox_.close();
}

void Gate::open(std::span<const InsidePort> inside) {
  const std::lock_guard lock(mutex_);
  COLO_CHECK(who_ != Who::replica);
  if (attach(inside)) rewriter_.reset();
  who_ = Who::guest;
  pump();
  wake();
}

void Gate::close() {
  const std::lock_guard lock(mutex_);
  detach();
  wake();
}

// An epoch was opened: its incarnation is told what connections it will find.
void Gate::new_epoch() {
  const bool survivor = rewriter_ && who_ == Who::guest;
  if (!handlers_.began || (!output_.comparing() && !survivor)) return;
  inbound_.begin(output_.open_epoch(), rewriter_ ? rewriter_->export_table() : Bytes());
  wake();
}

void Gate::hold(Epoch open) {
  const std::lock_guard lock(mutex_);
  pump();
  output_.hold(open);
  new_epoch();
}

void Gate::release_all() {
  const std::lock_guard lock(mutex_);
  output_.release_all();
  inbound_stopped_ = false;
  pump();
  wake();
}

void Gate::cut(Epoch next) {
  const std::lock_guard lock(mutex_);
  // Bounds do not matter here: the guest stands still, so only what its socket holds can come.
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    while (who_ == Who::guest && ports_[i].has_guest() && read_inside(i)) {
    }
  }
  output_.cut(next);
  new_epoch();
  pump();
  judged();
  if (output_.held().full()) wake();
}

void Gate::release(Epoch up_to) {
  const std::lock_guard lock(mutex_);
  const bool was_full = stuffed();
  output_.release(up_to);
  pump();
  judged();
  if (was_full || waiting()) wake();
}

std::size_t Gate::drop_held() {
  const std::lock_guard lock(mutex_);
  std::size_t dropped = output_.drop_all();
  for (GatePort& port : ports_) dropped += port.outside.drop_waiting();
  wake();
  return dropped;
}

void Gate::compare() {
  const std::lock_guard lock(mutex_);
  output_.compare();
  wake();
}

void Gate::compare_not() {
  const std::lock_guard lock(mutex_);
  output_.compare_not();
  wake();  // what waited for the lane passes
}

void Gate::replica_runs(Epoch tag) {
  const std::lock_guard lock(mutex_);
  output_.replica_runs(tag, steady_now());
  judged();
}

Result<void> Gate::check(std::uint32_t port, ByteView frame) const {
  if (port < ports_.size() && !frame.empty() && frame.size() <= packet_bytes_max) return {};
  return fail("bad-packet", "a frame of " + std::to_string(frame.size()) + " bytes for card " +
                                std::to_string(port) + " of " + std::to_string(ports_.size()));
}

Result<void> Gate::replica_frame(Epoch tag, std::uint32_t port, ByteView frame) {
  const std::lock_guard lock(mutex_);
  if (auto good = check(port, frame); !good) return good;
  const bool was_full = stuffed();
  output_.replica_said(tag, port, frame, steady_now());
  pump();
  judged();
  if (was_full || waiting()) wake();
  return {};
}

bool Gate::stop_inbound(Duration patience) {
  // Nothing wakes the writing end of a socket when the other has read it all.
  constexpr auto between_looks = std::chrono::microseconds(50);
  const Instant end = steady_now() + patience;
  std::unique_lock lock(mutex_);
  inbound_stopped_ = true;
  while (true) {
    const bool read = std::all_of(ports_.begin(), ports_.end(), [](GatePort& port) {
      if (port.stuck()) port.finish_write();
      return port.all_read();
    });
    if (read || !inbound_stopped_ || steady_now() >= end) return read;
    lock.unlock();
    std::this_thread::sleep_for(between_looks);
    lock.lock();
  }
}

void Gate::start_inbound() {
  const std::lock_guard lock(mutex_);
  inbound_stopped_ = false;
  wake();
}

Result<void> Gate::open_replica(Epoch tag, std::span<const InsidePort> inside, ByteView flows) {
  compare::Rewriter rewriter(limits_.rewriter);
  if (auto read = rewriter.import_table(flows, steady_now()); !read) return read;
  const std::lock_guard lock(mutex_);
  COLO_CHECK(who_ == Who::nobody);
  attach(inside);
  rewriter_ = std::move(rewriter);
  who_ = Who::replica;
  replica_ = tag;
  replica_held_ = told_flows_ = false;
  inbox_.open(tag);
  for (std::size_t i = 0; i < ports_.size(); ++i) give_waiting(i);
  wake();
  return {};
}

void Gate::hold_replica() {
  const std::lock_guard lock(mutex_);
  replica_held_ = true;
}

void Gate::close_replica() {
  const std::lock_guard lock(mutex_);
  detach();
  rewriter_.reset();
  wake();
}

Result<void> Gate::deliver(Epoch tag, std::uint32_t port, ByteView frame) {
  const std::lock_guard lock(mutex_);
  if (auto good = check(port, frame); !good) return good;
  if (who_ == Who::guest) return {};  // it has taken over: its frames come from the network
  if (!inbox_.add(tag, port, frame)) {
    behind_ = true;
    if (!told_behind_) wake();
  }
  if (who_ != Who::replica) return {};
  const bool was_stuck = ports_[port].stuck();
  give_waiting(port);
  if ((ports_[port].stuck() && !was_stuck) || early_until(port)) wake();
  return {};
}

void Gate::inbound_over(Epoch tag) {
  const std::lock_guard lock(mutex_);
  inbox_.over(tag);
}

void Gate::forget_inbound() {
  const std::lock_guard lock(mutex_);
  inbox_.forget();
  behind_ = told_behind_ = false;
}

bool Gate::take_over() {
  const std::lock_guard lock(mutex_);
  if (who_ != Who::replica) return false;
  who_ = Who::guest;
  ++turn_;
  output_.release_all();
  inbox_.settle();
  // Rewritten as they came, so in front of what the rewriter says from now on.
  for (FrameBatch& batch : sent_.take()) {
    for (PortFrame& frame : batch.frames) {
      output_.push(frame.port, std::move(frame.bytes), steady_now());
    }
  }
  rewriter_->takeover();
  pump();
  wake();
  return true;
}

GateFigures Gate::figures() const {
  const std::lock_guard lock(mutex_);
  GateFigures figures;
  const compare::HoldQueue& held = output_.held();
  figures.held_packets = held.packets();
  figures.held_bytes = held.bytes();
  if (const auto oldest = held.oldest()) figures.oldest = steady_now() - *oldest;
  for (const GatePort& port : ports_) figures.frames_out += port.outside.sent();
  figures.frames_in = frames_in_;
  figures.dropped_in = dropped_in_;
  figures.compare = output_.figures();
  figures.replica_sent = replica_sent_;
  figures.late_in = inbox_.late();
  figures.waiting_packets = inbox_.packets();
  figures.waiting_bytes = inbox_.bytes();
  return figures;
}

}  // namespace colo::io
