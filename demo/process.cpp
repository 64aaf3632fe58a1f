#include "demo/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

extern char** environ;

namespace colo::demo {
namespace {

std::vector<char*> pointers(const std::vector<std::string>& arguments) {
  std::vector<char*> all;
  for (const std::string& argument : arguments) all.push_back(const_cast<char*>(argument.c_str()));
  all.push_back(nullptr);
  return all;
}

std::string joined(const std::vector<std::string>& arguments) {
  std::string text;
  for (const std::string& argument : arguments) text += (text.empty() ? "" : " ") + argument;
  return text;
}

std::string describe(int status) {
  if (WIFSIGNALED(status)) return "signal " + std::to_string(WTERMSIG(status));
  return "exit status " + std::to_string(WEXITSTATUS(status));
}

// These run between fork and exec, in a process that had threads: system calls only.

[[noreturn]] void give_up(int log, const char* what) {
  static_cast<void>(!::write(log, what, std::strlen(what)));
  ::_exit(127);
}

struct Birth {
  char* const* arguments;
  int network_namespace, log;
  const char* directory;  // may be empty
  pid_t parent;
};

[[noreturn]] void become(const Birth& birth) {
  const int log = birth.log;
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // A session of its own: a terminal's Ctrl-C reaches the demonstration only, which ends us well.
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != birth.parent) give_up(log, "the demonstration is gone\n");
  if (birth.network_namespace >= 0 && ::setns(birth.network_namespace, CLONE_NEWNET) != 0) {
    give_up(log, "cannot enter the network namespace\n");
  }
  if (*birth.directory != '\0' && ::chdir(birth.directory) != 0) {
    give_up(log, "cannot enter the working directory\n");
  }
  const int null = ::open("/dev/null", O_RDONLY);
  ::dup2(null, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::execv(birth.arguments[0], birth.arguments);
  give_up(log, "cannot execute the program\n");
}

}  // namespace

Result<Child> Child::start(const Command& command) {
  const std::vector<char*> arguments = pointers(command.arguments);
  UniqueFd log(::open(command.log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (!log) return fail("log-failed", command.log.string() + ": " + std::strerror(errno));
  const Birth birth{arguments.data(), command.network_namespace, log.get(),
                    command.directory.c_str(), ::getpid()};
  const pid_t pid = ::fork();
  if (pid < 0) return fail("fork-failed", std::strerror(errno));
  if (pid == 0) become(birth);
  UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  return Child(pid, std::move(handle));
}

Child::Child(Child&& other) noexcept
    : pid_(std::exchange(other.pid_, 0)),
      handle_(std::move(other.handle_)),
      ended_(std::move(other.ended_)) {}

Child& Child::operator=(Child&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(handle_, other.handle_);
  std::swap(ended_, other.ended_);
  return *this;
}

Child::~Child() {
  if (pid_ == 0 || ended()) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

std::optional<std::string> Child::ended() {
  if (ended_) return ended_;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) == pid_) ended_ = describe(status);
  return ended_;
}

bool Child::wait(std::chrono::milliseconds time) {
  pollfd item{handle_.get(), POLLIN, 0};
  ::poll(&item, 1, static_cast<int>(time.count()));
  return ended().has_value();
}

std::string Child::end(std::chrono::milliseconds patience) {
  if (ended()) return *ended_;
  ::kill(pid_, SIGTERM);
  if (!wait(patience)) {
    ::kill(pid_, SIGKILL);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    ended_ = "SIGKILL, since it did not end within " + std::to_string(patience.count()) + " ms";
  }
  return *ended_;
}

Result<std::string> run(const std::vector<std::string>& arguments) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail("pipe-failed", std::strerror(errno));
  UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, writing.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, writing.get(), STDERR_FILENO);
  const std::vector<char*> pointed = pointers(arguments);
  pid_t pid = 0;
  const int error = ::posix_spawnp(&pid, pointed[0], &actions, nullptr, pointed.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail("command-failed", joined(arguments) + ": " + std::strerror(error));
  writing.reset();
  std::string output;
  std::array<char, 4096> piece{};
  for (ssize_t n = 0; (n = ::read(reading.get(), piece.data(), piece.size())) > 0;) {
    output.append(piece.data(), static_cast<std::size_t>(n));
  }
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (status != 0) {
    return fail("command-failed", joined(arguments) + ": " + describe(status) + ": " + output);
  }
  return output;
}

}  // namespace colo::demo
