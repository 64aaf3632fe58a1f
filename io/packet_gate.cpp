#include "io/packet_gate.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>

#include "base/check.h"
#include "io/clock.h"
#include "io/outside_end.h"
#include "io/packet_stream.h"

namespace colo::io {
namespace {

// How much one turn moves per port and direction before a caller of the gate gets the lock.
constexpr int frames_per_turn = 64;
constexpr int reads_per_turn = 4;
// How long released frames wait that the network could not take. A TAP's and a datagram socket's
// readiness to be written says nothing about the next write, so it is simply tried again.
constexpr int retry_milliseconds = 1;

struct Port {
  explicit Port(OutsidePort port) : outside(std::move(port)) {}
  OutsideEnd outside;
  PacketStream stream;
  int inside = -1;          // -1: closed, ended or broken
  ino_t inside_socket = 0;  // whose partial frames `stream` has
};

class Gate : public PacketGate {
 public:
  Gate(UniqueFd wake, std::vector<OutsidePort> outside, compare::HoldLimits limits,
       Handlers handlers)
      : limits_(limits), handlers_(std::move(handlers)), wake_(std::move(wake)), held_(limits) {
    for (OutsidePort& port : outside) ports_.emplace_back(std::move(port));
    thread_ = std::thread([this] { run(); });
  }

  ~Gate() override {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake();
    thread_.join();
    for (Port& port : ports_) port.outside.leave();
  }

  void open(std::span<const InsidePort> inside) override {
    {
      const std::lock_guard lock(mutex_);
      for (Port& port : ports_) {
        const auto found = std::find_if(inside.begin(), inside.end(), [&](const InsidePort& one) {
          return one.port == port.outside.port();
        });
        COLO_CHECK(found != inside.end());
        attach(port, found->fd);
      }
      open_ = true;
      ++turn_;
      pump();
    }
    wake();
  }

  void close() override {
    const std::lock_guard lock(mutex_);
    open_ = false;
    ++turn_;  // what the thread has just polled is void
    for (Port& port : ports_) port.inside = -1;
    wake();
  }

  void hold(Epoch open) override {
    const std::lock_guard lock(mutex_);
    pump();
    held_.hold();
    held_.open(open);
  }

  void release_all() override {
    const std::lock_guard lock(mutex_);
    held_.release_all();
    pump();
    wake();
  }

  void cut(Epoch next) override {
    const std::lock_guard lock(mutex_);
    // Bounds do not matter here: the guest stands still, so only what its socket holds can come.
    for (std::size_t i = 0; i < ports_.size(); ++i) {
      while (ports_[i].inside >= 0 && read_inside(i)) {
      }
    }
    held_.open(next);
    pump();
    if (held_.full()) wake();
  }

  void release(Epoch up_to) override {
    const std::lock_guard lock(mutex_);
    const bool was_full = stuffed();
    held_.release(up_to);
    pump();
    if (was_full || waiting()) wake();
  }

  std::size_t drop_held() override {
    const std::lock_guard lock(mutex_);
    std::size_t dropped = held_.drop_all();
    for (Port& port : ports_) dropped += port.outside.drop_waiting();
    wake();
    return dropped;
  }

  [[nodiscard]] GateFigures figures() const override {
    const std::lock_guard lock(mutex_);
    GateFigures figures;
    figures.held_packets = held_.packets();
    figures.held_bytes = held_.bytes();
    if (const auto oldest = held_.oldest()) figures.oldest = steady_now() - *oldest;
    for (const Port& port : ports_) figures.frames_out += port.outside.sent();
    figures.frames_in = frames_in_;
    figures.dropped_in = dropped_in_;
    return figures;
  }

 private:
  void wake() const {
    const std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);
  }

  // --- with the lock held ---------------------------------------------------------------------

  static void attach(Port& port, int fd) {
    // A socket that was opened before goes on in the middle of its frames; another starts anew.
    struct stat status {};
    const ino_t socket = ::fstat(fd, &status) == 0 ? status.st_ino : 0;
    if (socket != port.inside_socket) port.stream.reset();
    port.inside_socket = socket;
    port.inside = fd;
  }

  // Everything that may leave, leaves. From whichever thread released it: nobody is waited for.
  void pump() {
    if (!open_) return;
    while (auto frame = held_.pop_released()) {
      Port& port = ports_[frame->port];
      port.outside.send(std::move(frame->frame));
      note_trouble(port);
    }
  }

  [[nodiscard]] bool waiting() const {
    return std::any_of(ports_.begin(), ports_.end(),
                       [](const Port& port) { return port.outside.waiting_frames() > 0; });
  }

  // No more output is taken from the guest: it waits, and loses nothing.
  [[nodiscard]] bool stuffed() const {
    std::size_t packets = held_.packets();
    std::size_t bytes = held_.bytes();
    for (const Port& port : ports_) {
      packets += port.outside.waiting_frames();
      bytes += port.outside.waiting_bytes();
    }
    return packets >= limits_.packets || bytes >= limits_.bytes;
  }

  void note_trouble(Port& port) {
    if (auto trouble = port.outside.take_trouble()) {
      troubles_.push_back(std::move(*trouble));
      wake();
    }
  }

  // False: nothing more to read now.
  bool read_inside(std::size_t index) {
    Port& port = ports_[index];
    const auto state = port.stream.read(port.inside, [&](Bytes frame) {
      held_.push(static_cast<std::uint32_t>(index), std::move(frame), steady_now());
    });
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

  void take_output(std::size_t index) {
    for (int i = 0; i < reads_per_turn && !stuffed(); ++i) {
      if (!read_inside(index)) break;
    }
  }

  void take_input(Port& port) {
    for (int i = 0; i < frames_per_turn; ++i) {
      const bool flows = open_ && port.inside >= 0;
      if (flows && port.stream.write_pending())
        break;  // the guest reads slowly: the network queues
      const auto frame = port.outside.receive(space_);
      if (!frame) break;
      if (!flows || frame->size() > packet_bytes_max) {
        ++dropped_in_;
        continue;
      }
      ++frames_in_;
      if (port.stream.write(port.inside, *frame) == PacketStream::State::ended) port.inside = -1;
    }
    note_trouble(port);
  }

  // --- the thread -------------------------------------------------------------------------------

  void run() {
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
      if (polled[0].revents != 0) {
        std::uint64_t value = 0;
        (void)!::read(wake_.get(), &value, sizeof value);
      }
      // Opened or closed meanwhile: these descriptors may be another file's by now.
      if (turn == turn_ && !stop_) move(polled);
    }
  }

  // Handlers may call the gate, so they run without the lock.
  void tell(std::unique_lock<std::mutex>& lock) {
    const bool full = open_ && held_.holding() && held_.full();
    const bool tell_full = full && !told_full_;
    told_full_ = full;
    const std::vector<Error> troubles = std::exchange(troubles_, {});
    if (!tell_full && troubles.empty()) return;
    lock.unlock();
    if (tell_full) handlers_.full();
    for (const Error& trouble : troubles) handlers_.trouble(trouble);
    lock.lock();
  }

  // polled: the wake-up, then inside and outside of each port. Returns poll's patience.
  int prepare(std::vector<pollfd>& polled) const {
    polled.assign(1, {wake_.get(), POLLIN, 0});
    const bool take = !stuffed();
    for (const Port& port : ports_) {
      short inside = 0;
      if (take) inside |= POLLIN;
      if (port.stream.write_pending()) inside |= POLLOUT;
      polled.push_back({inside != 0 ? port.inside : -1, inside, 0});
      const bool stuck = port.inside >= 0 && port.stream.write_pending();
      polled.push_back({stuck ? -1 : port.outside.fd(), POLLIN, 0});
    }
    return open_ && waiting() ? retry_milliseconds : -1;
  }

  void move(const std::vector<pollfd>& polled) {
    for (std::size_t i = 0; i < ports_.size(); ++i) {
      Port& port = ports_[i];
      const short inside = polled[1 + 2 * i].revents;
      if (open_ && port.inside >= 0 && inside != 0) {
        if (port.stream.write_pending() &&
            port.stream.finish_write(port.inside) == PacketStream::State::ended) {
          port.inside = -1;
        }
        if (port.inside >= 0 && (inside & ~POLLOUT) != 0) take_output(i);
      }
      if (polled[2 + 2 * i].revents != 0) take_input(port);
      if (open_ && port.outside.waiting_frames() > 0) port.outside.flush();
      note_trouble(port);
    }
    pump();
  }

  const compare::HoldLimits limits_;
  const Handlers handlers_;
  const UniqueFd wake_;

  mutable std::mutex mutex_;  // guards all below
  std::vector<Port> ports_;
  compare::HoldQueue held_;
  std::vector<Error> troubles_;
  std::uint64_t frames_in_ = 0;
  std::uint64_t dropped_in_ = 0;
  std::uint64_t turn_ = 0;  // grows whenever the descriptors change
  bool open_ = false;
  bool told_full_ = false;
  bool stop_ = false;
  std::array<std::byte, packet_bytes_max + 1> space_{};
  std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<PacketGate>> PacketGate::start(std::vector<OutsidePort> outside,
                                                      compare::HoldLimits limits,
                                                      Handlers handlers) {
  UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) {
    return fail("no-descriptors", std::string("eventfd: ") + std::strerror(errno),
                "raise the limit of open files (ulimit -n)");
  }
  return std::make_unique<Gate>(std::move(wake), std::move(outside), limits, std::move(handlers));
}

}  // namespace colo::io
