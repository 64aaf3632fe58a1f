#include "drill/workers.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <thread>

#include "demo/folder.h"
#include "demo/namespaces.h"

namespace colo::drill {
namespace {

using Json = nlohmann::ordered_json;

constexpr auto end_patience = std::chrono::seconds(40);
constexpr auto tick = std::chrono::milliseconds(20);

void write_all(int fd, const std::string& text) {
  std::size_t sent = 0;
  while (sent < text.size()) {
    const ssize_t n = ::write(fd, text.data() + sent, text.size() - sent);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    sent += static_cast<std::size_t>(n);
  }
}

// What a round that died left behind; its namespaces and folders carry its process id.
void remove_leftovers() {
  demo::remove_stale_namespaces();
  demo::remove_stale_folders();
}

Json broken(const Job& job, const std::string& why) {
  Record record;
  record.drill = job.drill->name;
  record.guest = job.assignment.guest;
  record.mode = job.assignment.mode;
  record.round = job.assignment.round;
  record.attempt = job.assignment.attempt;
  record.seed = job.assignment.seed;
  record.allowed = job.drill->allowed;
  record.check("the round reports", false, why);
  return to_json(record);
}

}  // namespace

Result<void> Workers::start(const Job& job) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail("fork-failed", std::strerror(errno));
  UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) return fail("fork-failed", std::strerror(errno));
  if (pid == 0) work(job, writing.get(), parent);
  ::fcntl(reading.get(), F_SETFL, O_NONBLOCK);
  playing_.push_back({job, pid, std::move(reading), {}});
  return {};
}

void Workers::work(const Job& job, int report, pid_t parent) {
  // A session of its own: what a terminal sends reaches our parent only, which passes it on once.
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  // A killed engine's QEMU becomes ours, so that it is reaped wherever we run.
  ::prctl(PR_SET_CHILD_SUBREAPER, 1);
  if (::getppid() != parent) ::_exit(1);
  int status = 0;
  try {
    demo::Interrupt interrupt;
    const Played played = play(*job.drill, job.assignment, interrupt);
    write_all(report, Json{{"record", to_json(played.record)}, {"logs", played.logs}}.dump(
                          -1, ' ', false, Json::error_handler_t::replace));
  } catch (const std::exception& error) {
    write_all(report, Json{{"record", broken(job, error.what())}, {"logs", ""}}.dump());
    status = 1;
  }
  ::_exit(status);
}

std::optional<Finished> Workers::take() {
  for (auto at = playing_.begin(); at != playing_.end(); ++at) {
    std::array<char, 65536> piece{};
    for (;;) {
      const ssize_t n = ::read(at->report.get(), piece.data(), piece.size());
      if (n > 0) {
        at->text.append(piece.data(), static_cast<std::size_t>(n));
        continue;
      }
      if (n < 0 && (errno == EAGAIN || errno == EINTR)) break;
      return finish(at);
    }
  }
  return std::nullopt;
}

std::optional<Finished> Workers::finish(std::list<Playing>::iterator at) {
  int status = 0;
  ::waitpid(at->pid, &status, 0);
  Playing played = std::move(*at);
  playing_.erase(at);
  if (status != 0) remove_leftovers();
  // Orphans of a round that died are ours now.
  for (bool reaped = true; reaped && status != 0;) {
    siginfo_t info{};
    reaped = false;
    // Never a round's own process: its status is still wanted.
    if (::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0) {
      bool ours = false;
      for (const Playing& other : playing_) ours = ours || other.pid == info.si_pid;
      if (!ours) reaped = ::waitpid(info.si_pid, nullptr, WNOHANG) > 0;
    }
  }
  const Json report = Json::parse(played.text, nullptr, false);
  if (!report.is_object() || !report.contains("record")) {
    return Finished{
        played.job,
        broken(played.job, "its process ended without a word, status " + std::to_string(status)),
        ""};
  }
  return Finished{played.job, report.at("record"), report.at("logs").get<std::string>()};
}

Workers::~Workers() {
  for (const Playing& one : playing_) ::kill(one.pid, SIGTERM);
  const auto deadline = std::chrono::steady_clock::now() + end_patience;
  for (Playing& one : playing_) {
    int status = 0;
    while (::waitpid(one.pid, &status, WNOHANG) == 0) {
      if (std::chrono::steady_clock::now() > deadline) ::kill(one.pid, SIGKILL);
      std::this_thread::sleep_for(tick);
    }
  }
  if (!playing_.empty()) remove_leftovers();
}

}  // namespace colo::drill
