#include "guest/embedded/runner.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>

namespace colo::guest::embedded {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds tick{2};
// What a worker may catch up on after the machine was busy elsewhere: no burst of seconds.
constexpr std::chrono::milliseconds catch_up_max{100};
// Steps in a row with the lock held: some ten microseconds.
constexpr int pages_in_a_row = 8;
constexpr int frames_in_a_row = 64;

void signal_fd(int fd) {
  const std::uint64_t one = 1;
  // Fails only when the counter is full; then it is readable anyway.
  [[maybe_unused]] const ssize_t written = ::write(fd, &one, sizeof one);
}

}  // namespace

Result<std::unique_ptr<Runner>> Runner::create(Machine& machine, std::vector<NetworkCard>& cards,
                                               std::uint32_t pages_per_second) {
  UniqueFd end_fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  UniqueFd wake_fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!end_fd || !wake_fd) {
    return fail("no-descriptor", "eventfd failed: " + std::generic_category().message(errno));
  }
  return std::unique_ptr<Runner>(
      new Runner(machine, cards, pages_per_second, std::move(end_fd), std::move(wake_fd)));
}

Runner::Runner(Machine& machine, std::vector<NetworkCard>& cards, std::uint32_t pages_per_second,
               UniqueFd end_fd, UniqueFd wake_fd)
    : machine_(machine),
      cards_(cards),
      pages_per_second_(pages_per_second),
      end_fd_(std::move(end_fd)),
      wake_fd_(std::move(wake_fd)) {}

Runner::~Runner() {
  {
    const Lock lock = exclusive();
    stopping_ = true;
  }
  changed_.notify_all();
  wake_cards();
  for (std::thread& thread : threads_) thread.join();
}

void Runner::run() {
  {
    const Lock lock = exclusive();
    running_ = !stopping_;
  }
  changed_.notify_all();
  if (!threads_.empty()) return;
  threads_.emplace_back([this] { serve_cards(); });
  if (pages_per_second_ == 0) return;
  for (std::size_t i = 0; i < worker_count; ++i) {
    threads_.emplace_back([this, i] { work(i); });
  }
}

void Runner::stand_still() {
  const Lock lock = exclusive();
  running_ = false;
}

bool Runner::running() {
  const Lock lock = exclusive();
  return running_;
}

std::unique_lock<std::mutex> Runner::exclusive() {
  ++waiting_outside_;
  Lock lock(mutex_);
  --waiting_outside_;
  return lock;
}

void Runner::send(std::uint32_t port, ByteView frame) {
  cards_[port].send(frame);
  if (cards_[port].blocked()) wake_cards();
}

std::optional<End> Runner::end() {
  const Lock lock = exclusive();
  return end_;
}

bool Runner::wait_until_running(Lock& lock) {
  changed_.wait(lock, [this] { return running_ || stopping_; });
  return !stopping_;
}

// A mutex is not fair: without this a busy worker could keep everybody else out for long.
void Runner::give_way(Lock& lock) {
  if (waiting_outside_ == 0) return;
  lock.unlock();
  while (waiting_outside_ > 0) std::this_thread::yield();
  lock.lock();
}

void Runner::work(std::size_t worker) {
  const double share = static_cast<double>(pages_per_second_) / static_cast<double>(worker_count);
  double owed = 0;
  auto since = Clock::now();
  Lock lock(mutex_);
  while (!stopping_) {
    if (!running_) {
      if (!wait_until_running(lock)) return;
      since = Clock::now();
    }
    changed_.wait_for(lock, tick, [this] { return !running_ || stopping_; });
    const auto now = Clock::now();
    const auto passed = std::min<Clock::duration>(now - since, catch_up_max);
    since = now;
    owed += share * std::chrono::duration<double>(passed).count();
    while (owed >= 1 && running_ && !stopping_) {
      for (int i = 0; i < pages_in_a_row && owed >= 1; ++i, owed -= 1)
        machine_.rewrite_page(worker);
      give_way(lock);
    }
  }
}

void Runner::serve_cards() {
  bool more = false;
  std::vector<pollfd> polled;
  Lock lock(mutex_);
  while (wait_until_running(lock)) {
    polled.assign(1, {wake_fd_.get(), POLLIN, 0});
    for (const NetworkCard& card : cards_) {
      polled.push_back({card.inner(), static_cast<short>(card.blocked() ? POLLOUT : POLLIN), 0});
    }
    lock.unlock();
    ::poll(polled.data(), polled.size(), more ? 0 : -1);
    if (polled[0].revents != 0) {
      std::uint64_t count = 0;
      [[maybe_unused]] const ssize_t got = ::read(wake_fd_.get(), &count, sizeof count);
    }
    while (waiting_outside_ > 0) std::this_thread::yield();
    lock.lock();
    more = false;
    for (std::uint32_t port = 0; port < cards_.size() && running_; ++port) {
      more = serve(port) || more;
    }
  }
}

bool Runner::serve(std::uint32_t port) {
  NetworkCard& card = cards_[port];
  card.send_on();
  for (int i = 0; i < frames_in_a_row; ++i) {
    if (card.blocked()) return false;
    const auto frame = card.receive();
    if (!frame) return false;
    const Machine::Outcome outcome = machine_.handle_frame(port, *frame);
    if (outcome.crash) {
      crash("embedded guest crashed on request");
      return false;
    }
    if (outcome.reply) card.send(*outcome.reply);
  }
  return true;
}

// As a killed process: nothing more is done or sent.
void Runner::crash(std::string reason) {
  running_ = false;
  stopping_ = true;
  end_ = End{false, false, std::move(reason)};
  for (NetworkCard& card : cards_) card.unplug();
  signal_fd(end_fd_.get());
  changed_.notify_all();
}

void Runner::wake_cards() { signal_fd(wake_fd_.get()); }

}  // namespace colo::guest::embedded
