#include "guest/qemu/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

#include "guest/system_error.h"

namespace colo::guest {
namespace {

constexpr std::uintmax_t log_bytes_max = 1U << 20;
constexpr std::size_t last_words_lines = 4;

// All that the child needs, made before fork: behind it only async-signal-safe calls are allowed.
struct Launch {
  std::vector<char*> arguments;
  const std::vector<int>* inherited = nullptr;
  int log = -1;
  int null = -1;
  int failure = -1;  // pipe; receives errno if the program cannot be started
  pid_t parent = 0;
};

[[noreturn]] void run_child(const Launch& launch) {
  const auto give_up = [&launch] {
    const int error = errno;
    [[maybe_unused]] const ssize_t told = ::write(launch.failure, &error, sizeof error);
    ::_exit(127);
  };
  // A session of its own: a Ctrl-C at our terminal is ours to handle, not the guest's.
  ::setsid();
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) give_up();
  // We may have died before the line above; then the parent is another already.
  if (::getppid() != launch.parent) ::_exit(127);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  if (::dup2(launch.null, 0) < 0 || ::dup2(launch.log, 1) < 0 || ::dup2(launch.log, 2) < 0) {
    give_up();
  }
  if (::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0) give_up();
  for (const int fd : *launch.inherited) {
    if (::fcntl(fd, F_SETFD, 0) != 0) give_up();
  }
  ::execvp(launch.arguments[0], launch.arguments.data());
  give_up();
  ::_exit(127);
}

Result<UniqueFd> open_log(const std::filesystem::path& path, std::uintmax_t& start) {
  std::error_code none;
  const std::uintmax_t size = std::filesystem::file_size(path, none);
  const bool fresh = none || size > log_bytes_max;
  UniqueFd log(::open(path.c_str(),
                      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (fresh ? O_TRUNC : 0), 0600));
  if (!log) {
    return fail("run-directory-unusable", errno_text("opening " + path.string(), errno),
                "create the directory and let the engine's user write to it");
  }
  start = fresh ? 0 : size;
  return log;
}

}  // namespace

Result<std::unique_ptr<Process>> Process::start(ProcessPlan plan) {
  std::unique_ptr<Process> process(new Process);
  process->log_ = plan.log;
  auto log = open_log(plan.log, process->log_start_);
  if (!log) return fail(log.error());
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  int ends[2] = {-1, -1};
  if (!null || ::pipe2(ends, O_CLOEXEC) != 0) {
    return fail("guest-not-started", errno_text("preparing to start QEMU", errno));
  }
  const UniqueFd failure(ends[0]);
  UniqueFd failure_child(ends[1]);

  Launch launch;
  for (std::string& argument : plan.command) launch.arguments.push_back(argument.data());
  launch.arguments.push_back(nullptr);
  launch.inherited = &plan.inherited;
  launch.log = log->get();
  launch.null = null.get();
  launch.failure = failure_child.get();
  launch.parent = ::getpid();

  std::promise<pid_t> made;
  std::future<pid_t> pid = made.get_future();
  process->keeper_ =
      std::thread([&launch, &made, released = process->release_keeper_.get_future()] {
        const pid_t child = ::fork();
        if (child == 0) run_child(launch);
        made.set_value(child < 0 ? -errno : child);
        // launch and made belong to the caller and are gone from here on.
        released.wait();
      });
  const pid_t child = pid.get();
  if (child < 0) return fail("guest-not-started", errno_text("fork", -child));
  process->pid_ = child;
  process->pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, child, 0)));
  if (!process->pidfd_) return fail("guest-not-started", errno_text("pidfd_open", errno));
  failure_child.reset();
  int error = 0;
  if (::read(failure.get(), &error, sizeof error) == static_cast<ssize_t>(sizeof error)) {
    return fail("qemu-not-found", errno_text("starting " + plan.command[0], error),
                "install qemu-system-x86 or correct the command in the configuration");
  }
  return process;
}

Process::~Process() {
  if (pid_ > 0 && !how_it_ended()) {
    ::kill(pid_, SIGKILL);
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) != 0 && errno == EINTR) {
    }
  }
  release_keeper_.set_value();
  if (keeper_.joinable()) keeper_.join();
}

bool Process::wait_end(int timeout_ms) const {
  pollfd ended{pidfd_.get(), POLLIN, 0};
  return ::poll(&ended, 1, timeout_ms) == 1;
}

std::optional<std::string> Process::how_it_ended() {
  if (ended_) return ended_;
  siginfo_t info{};
  if (::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG) != 0 ||
      info.si_pid != pid_) {
    return std::nullopt;
  }
  ended_ = info.si_code == CLD_EXITED ? "exited with status " + std::to_string(info.si_status)
                                      : "was killed by signal " + std::to_string(info.si_status);
  return ended_;
}

std::string Process::last_words() const {
  std::ifstream file(log_);
  file.seekg(static_cast<std::streamoff>(log_start_));
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (line.empty()) continue;
    if (lines.size() == last_words_lines) lines.erase(lines.begin());
    lines.push_back(std::move(line));
  }
  std::string all;
  for (const std::string& line : lines) all += (all.empty() ? "" : " | ") + line;
  return all;
}

}  // namespace colo::guest
