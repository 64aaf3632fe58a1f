#include "arbiter/agent_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <system_error>

#include "base/unique_fd.h"

namespace colo::arbiter {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t output_bytes_max = 4096;

tl::unexpected<Error> not_started(const std::filesystem::path& agent, const char* what) {
  return fail("fence-agent-missing",
              agent.string() + ": " + what + ": " + std::generic_category().message(errno),
              "see `agent` of [arbiter] and that the engine's user may run it");
}

// Runs between fork and exec in a process that has threads: system calls only.
[[noreturn]] void become(const char* program, int input, int output, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(126);
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::dup2(input, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  ::syscall(SYS_close_range, 3U, ~0U, 0U);
  char* const arguments[] = {const_cast<char*>(program), nullptr};
  ::execv(program, arguments);
  ::_exit(127);
}

// A running agent. Ownership: destroying it kills its group and reaps it.
class Agent {
 public:
  Agent(pid_t pid, UniqueFd handle, UniqueFd output)
      : pid_(pid), handle_(std::move(handle)), output_(std::move(output)) {}
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;
  ~Agent() { (void)end(); }

  // True: it has ended. What it says is read meanwhile; what its children say later is not awaited.
  bool wait(Clock::time_point until) {
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
      if (left <= 0) return false;
      std::array<pollfd, 2> polled{pollfd{handle_.get(), POLLIN, 0},
                                   pollfd{output_.get(), POLLIN, 0}};
      if (::poll(polled.data(), polled.size(), static_cast<int>(left)) < 0 && errno != EINTR) {
        return false;
      }
      read_output();
      if ((polled[0].revents & POLLIN) != 0) return true;
    }
  }
  // The exit status; nothing where the kernel does not take it away.
  std::optional<int> end() {
    if (pid_ == 0) return std::nullopt;
    // Before it is reaped, so that the group's number is still its own.
    ::kill(-pid_, SIGKILL);
    pollfd ended{handle_.get(), POLLIN, 0};
    ::poll(&ended, 1, 1000);
    int status = 0;
    const pid_t reaped = ::waitpid(pid_, &status, WNOHANG);
    pid_ = 0;
    if (reaped <= 0) return std::nullopt;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  [[nodiscard]] std::string said() const { return said_; }

 private:
  void read_output() {
    std::array<char, 4096> bytes{};
    for (;;) {
      const ssize_t count = ::read(output_.get(), bytes.data(), bytes.size());
      if (count == 0) output_.reset();  // poll() passes over it
      if (count <= 0) return;
      said_.append(bytes.data(), static_cast<std::size_t>(count));
      if (said_.size() > output_bytes_max) said_.erase(0, said_.size() - output_bytes_max);
    }
  }

  pid_t pid_;
  UniqueFd handle_, output_;
  std::string said_;
};

bool may_run(const std::filesystem::path& program) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(program, ignored) && ::access(program.c_str(), X_OK) == 0;
}

// The agent's input as a file without a name, to be read from its beginning.
UniqueFd file_in_memory(const std::string& text) {
  UniqueFd file(static_cast<int>(::syscall(SYS_memfd_create, "fence", MFD_CLOEXEC)));
  if (!file || ::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      ::lseek(file.get(), 0, SEEK_SET) != 0) {
    return UniqueFd();
  }
  return file;
}

}  // namespace

Result<std::filesystem::path> find_agent(const std::string& agent) {
  if (agent.starts_with('/')) {
    if (may_run(agent)) return agent;
  } else {
    const char* path = std::getenv("PATH");
    std::string places = (path == nullptr ? "/usr/bin:/bin" : std::string(path)) + ":/usr/sbin";
    while (!places.empty()) {
      const std::size_t end = std::min(places.find(':'), places.size());
      const std::filesystem::path program = std::filesystem::path(places.substr(0, end)) / agent;
      places.erase(0, end + 1);
      if (program.is_absolute() && may_run(program)) return program;
    }
  }
  return fail("fence-agent-missing", "there is no program " + agent + " that this user may run",
              "install it (Debian: fence-agents), or correct `agent` of [arbiter]");
}

Result<AgentExit> run_agent(const std::filesystem::path& agent, const std::string& input,
                            Duration timeout) {
  const auto until = Clock::now() + timeout;
  const UniqueFd in = file_in_memory(input);
  std::array<int, 2> ends{};
  if (!in || ::pipe2(ends.data(), O_CLOEXEC) != 0) return not_started(agent, "a pipe for it");
  UniqueFd out(ends[0]), out_child(ends[1]);
  ::fcntl(out.get(), F_SETFL, O_NONBLOCK);
  const std::string program = agent.string();
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return not_started(agent, "fork");
  if (pid == 0) become(program.c_str(), in.get(), out_child.get(), parent);
  // Both sides set it: whichever comes first, the group is there before we kill it.
  ::setpgid(pid, pid);
  out_child.reset();
  UniqueFd handle(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  Agent running(pid, std::move(handle), std::move(out));
  const bool ended = running.wait(until);
  const auto status = running.end();
  if (!ended || !status) {
    return fail("fence-timeout",
                agent.string() + " did not end within " +
                    std::to_string(std::chrono::ceil<std::chrono::seconds>(timeout).count()) + " s",
                "see that its device answers; raise `timeout` of [arbiter] if it is only slow");
  }
  return AgentExit{*status, running.said()};
}

}  // namespace colo::arbiter
