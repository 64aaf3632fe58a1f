// Runs a Machine: worker threads that rewrite pages at a rate, and a thread for the network cards.
//
// One lock serializes every step of the machine, so standing still is: no step holds the lock and
// none begins. Whoever wants the lock from outside goes before the next step.
// Ownership: the machine and the cards must outlive the Runner; destroying it ends its threads.
// Threads: one thread drives it; end_fd() is for any.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "guest/embedded/machine.h"
#include "guest/embedded/network_card.h"
#include "guest/guest.h"

namespace colo::guest::embedded {

class Runner {
 public:
  // pages_per_second: of all workers together; 0: they do nothing.
  [[nodiscard]] static Result<std::unique_ptr<Runner>> create(Machine& machine,
                                                              std::vector<NetworkCard>& cards,
                                                              std::uint32_t pages_per_second);
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  ~Runner();

  // The first call starts the threads.
  void run();
  void stand_still();
  [[nodiscard]] bool running();
  // While it is held no step is made, running or not.
  [[nodiscard]] std::unique_lock<std::mutex> exclusive();
  // Sends a frame as the guest does. REQUIRES: the lock of exclusive() is held.
  void send(std::uint32_t port, ByteView frame);

  [[nodiscard]] int end_fd() const { return end_fd_.get(); }
  [[nodiscard]] std::optional<End> end();

 private:
  Runner(Machine& machine, std::vector<NetworkCard>& cards, std::uint32_t pages_per_second,
         UniqueFd end_fd, UniqueFd wake_fd);

  using Lock = std::unique_lock<std::mutex>;
  void work(std::size_t worker);
  void serve_cards();
  // Lets the card's frames in and out. True if it has more to do at once.
  bool serve(std::uint32_t port);
  // Waits until the guest runs. False: it is to end.
  bool wait_until_running(Lock& lock);
  void give_way(Lock& lock);
  void crash(std::string reason);
  void wake_cards();

  Machine& machine_;
  std::vector<NetworkCard>& cards_;
  const std::uint32_t pages_per_second_;
  const UniqueFd end_fd_, wake_fd_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<int> waiting_outside_{0};
  bool running_ = false;
  bool stopping_ = false;
  std::optional<End> end_;
  std::vector<std::thread> threads_;
};

}  // namespace colo::guest::embedded
