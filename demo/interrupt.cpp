#include "demo/interrupt.h"

#include <poll.h>
#include <sys/signalfd.h>

#include <csignal>

namespace colo::demo {
namespace {

constexpr auto step = std::chrono::milliseconds(50);

}  // namespace

Interrupt::Interrupt() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

bool Interrupt::wait(std::chrono::milliseconds time) {
  if (seen_) return true;
  pollfd item{signals_.get(), POLLIN, 0};
  seen_ = ::poll(&item, 1, static_cast<int>(time.count())) > 0;
  return seen_;
}

Result<void> Interrupt::until(const std::string& what, std::chrono::milliseconds patience,
                              const std::function<Result<bool>()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    const Result<bool> met = condition();
    if (!met) return fail(met.error());
    if (*met) return {};
    if (wait(step)) return fail("interrupted", "a signal asked to end");
    if (std::chrono::steady_clock::now() > deadline) {
      return fail("timeout", what + " did not happen within " +
                                 std::to_string(patience.count() / 1000) + " s");
    }
  }
}

}  // namespace colo::demo
