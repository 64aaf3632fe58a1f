#include "app/hook_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>

#include "app/hook_output.h"
#include "app/units.h"
#include "base/check.h"
#include "io/clock.h"

namespace colo::app {
namespace {

using namespace std::chrono_literals;

constexpr auto term_patience = 1s;  // from SIGTERM to SIGKILL
constexpr auto kill_patience = 2s;  // a process in uninterruptible sleep does not even die then
constexpr std::size_t last_line_bytes = 200;  // in an error

// All that the child needs, made before fork: behind it only async-signal-safe calls are allowed,
// since another thread may have held any lock.
struct Launch {
  std::vector<char*> arguments;
  std::vector<char*> environment;
  int null = -1;
  int output = -1;
  int failure = -1;  // receives errno if the program cannot be started
  pid_t parent = 0;
};

[[noreturn]] void run_child(const Launch& launch) {
  const auto give_up = [&launch] {
    const int error = errno;
    [[maybe_unused]] const ssize_t told = ::write(launch.failure, &error, sizeof error);
    ::_exit(127);
  };
  ::setpgid(0, 0);
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) give_up();
  // Our process may have died before the line above; then the parent is another already.
  if (::getppid() != launch.parent) ::_exit(127);
  // Signals are blocked until no handler of ours can run in here any more.
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (::chdir("/") != 0) give_up();
  if (::dup2(launch.null, 0) < 0 || ::dup2(launch.output, 1) < 0 || ::dup2(launch.output, 2) < 0) {
    give_up();
  }
  if (::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) give_up();
  ::execve(launch.arguments[0], launch.arguments.data(), launch.environment.data());
  give_up();
  ::_exit(127);
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> all;
  for (const std::string& text : texts) all.push_back(const_cast<char*>(text.c_str()));
  all.push_back(nullptr);
  return all;
}

pid_t fork_child(const Launch& launch) {
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t child = ::fork();
  if (child == 0) run_child(launch);
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return child;
}

struct Pipe {
  UniqueFd read;
  UniqueFd write;
  bool open() {
    int ends[2] = {-1, -1};
    if (::pipe2(ends, O_CLOEXEC) != 0) return false;
    read.reset(ends[0]);
    write.reset(ends[1]);
    return ::fcntl(read.get(), F_SETFL, O_NONBLOCK) == 0;
  }
};

class Child {
 public:
  explicit Child(const HookRun& run) : run_(run), output_(run.name) {}
  Result<void> start();
  // Until it ended, or cannot be ended.
  Result<void> watch(const HookCancel& cancel);

 private:
  enum class Step { running, told_to_end, killed };

  tl::unexpected<Error> failed(const char* word, const std::string& what) const;
  void end(std::string word, std::string why);
  void next_step();
  bool read_output();
  void read_failure();
  Result<void> reap();

  const HookRun& run_;
  HookOutput output_;
  Pipe lines_;
  Pipe failure_;
  UniqueFd pidfd_;
  pid_t pid_ = 0;
  Step step_ = Step::running;
  Instant deadline_;
  std::optional<Error> cause_;  // why it does not simply end by itself
};

tl::unexpected<Error> Child::failed(const char* word, const std::string& what) const {
  std::string reason = "hook " + run_.name + ": " + what;
  if (!output_.last_line().empty()) {
    reason += ": " + output_.last_line().substr(0, last_line_bytes);
  }
  return fail(word, std::move(reason), "what it printed is in the log");
}

Result<void> Child::start() {
  const auto trouble = [this](const std::string& what) {
    return failed("hook-not-started", what + ": " + std::strerror(errno));
  };
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null || !lines_.open() || !failure_.open()) return trouble("cannot prepare to start it");
  Launch launch{pointers(run_.command), pointers(run_.environment), null.get(),
                lines_.write.get(),     failure_.write.get(),       ::getpid()};
  pid_ = fork_child(launch);
  if (pid_ < 0) return trouble("cannot fork");
  ::setpgid(pid_, pid_);  // whoever comes first; its own call may still be to come when we kill it
  lines_.write.reset();
  failure_.write.reset();
  pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!pidfd_) {
    const auto error = trouble("cannot watch it");
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    return error;
  }
  deadline_ = io::steady_now() + run_.timeout;
  return {};
}

void Child::end(std::string word, std::string why) {
  if (step_ != Step::running) return;
  cause_ = Error{std::move(word), std::move(why), {}};
  step_ = Step::told_to_end;
  deadline_ = io::steady_now() + term_patience;
  ::kill(-pid_, SIGTERM);
}

// The deadline of the step passed. Its id is ours until it is reaped.
void Child::next_step() {
  if (step_ == Step::running) {
    end("hook-timed-out", "no end within " + duration_text(run_.timeout));
  } else {
    step_ = Step::killed;
    deadline_ = io::steady_now() + kill_patience;
    ::kill(-pid_, SIGKILL);
  }
}

// False: nothing more comes now.
bool Child::read_output() {
  std::array<char, 16384> bytes;
  const ssize_t count = ::read(lines_.read.get(), bytes.data(), bytes.size());
  if (count > 0) {
    output_.feed({bytes.data(), static_cast<std::size_t>(count)});
    return true;
  }
  if (count == 0 || (errno != EAGAIN && errno != EINTR)) lines_.read.reset();
  return false;
}

void Child::read_failure() {
  int error = 0;
  if (::read(failure_.read.get(), &error, sizeof error) == static_cast<ssize_t>(sizeof error)) {
    cause_ = Error{"hook-not-started",
                   "cannot start " + run_.command.front() + ": " + std::strerror(error),
                   {}};
  }
  failure_.read.reset();  // closed without a word: the program runs
}

Result<void> Child::watch(const HookCancel& cancel) {
  while (true) {
    std::array<pollfd, 4> fds{{{pidfd_.get(), POLLIN, 0},
                               {lines_.read.get(), POLLIN, 0},
                               {failure_.read.get(), POLLIN, 0},
                               {step_ == Step::running ? cancel.fd() : -1, POLLIN, 0}}};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - io::steady_now());
    const auto wait = std::clamp<std::int64_t>(left.count(), 0, 600'000);
    if (::poll(fds.data(), fds.size(), static_cast<int>(wait)) < 0 && errno != EINTR) {
      return failed("hook-failed", std::string("poll: ") + std::strerror(errno));
    }
    if (fds[2].revents != 0) read_failure();
    if (fds[1].revents != 0) read_output();
    if (fds[0].revents != 0) return reap();
    if (fds[3].revents != 0) end("hook-canceled", "called off");
    if (io::steady_now() < deadline_) continue;
    if (step_ == Step::killed) {
      return failed(cause_->word.c_str(), cause_->reason + ", and SIGKILL does not end it");
    }
    next_step();
  }
}

Result<void> Child::reap() {
  if (failure_.read) read_failure();
  // What it left in the background may hold the pipe open, so the end of file is not waited for;
  // and may write for ever, so no more is read than a pipe holds.
  for (int i = 0; i < 8 && lines_.read && read_output(); ++i) {
  }
  output_.finish();
  // The others of its group: before it is reaped, as the number is free from then on.
  if (step_ != Step::running) ::kill(-pid_, SIGKILL);
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) != 0 && errno == EINTR) {
  }
  if (cause_) return failed(cause_->word.c_str(), cause_->reason);
  if (info.si_code != CLD_EXITED) {
    return failed("hook-failed", "killed by signal " + std::to_string(info.si_status));
  }
  if (info.si_status == 0) return {};
  return failed("hook-failed", "exit status " + std::to_string(info.si_status));
}

}  // namespace

HookCancel::HookCancel() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) { COLO_CHECK(fd_); }

void HookCancel::cancel() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t told = ::write(fd_.get(), &one, sizeof one);
}

Result<void> run_hook(const HookRun& run, const HookCancel& cancel) {
  pollfd called_off{cancel.fd(), POLLIN, 0};
  if (::poll(&called_off, 1, 0) == 1) {
    return fail("hook-canceled", "hook " + run.name + ": called off before it began");
  }
  Child child(run);
  if (auto started = child.start(); !started) return started;
  return child.watch(cancel);
}

}  // namespace colo::app
