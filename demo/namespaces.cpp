#include "demo/namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <optional>
#include <thread>

#include "demo/process.h"

namespace colo::demo {
namespace {

namespace fs = std::filesystem;

const fs::path& folder() {
  static const fs::path path = "/run/netns";
  return path;
}

std::optional<pid_t> number(const std::string& text) {
  pid_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value <= 0) return std::nullopt;
  return value;
}

// The process id in "colo-<pid>-alpha".
std::optional<pid_t> maker_of(const std::string& name) {
  const std::string start = "colo-";
  if (name.rfind(start, 0) != 0) return std::nullopt;
  const std::size_t end = name.find('-', start.size());
  if (end == std::string::npos) return std::nullopt;
  return number(name.substr(start.size(), end - start.size()));
}

}  // namespace

Result<UniqueFd> open_namespace(const std::string& name) {
  UniqueFd fd(::open((folder() / name).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail("no-namespace", name + ": " + std::strerror(errno));
  return fd;
}

std::vector<pid_t> members(const std::string& name) {
  std::vector<pid_t> found;
  struct stat wanted {};
  if (::stat((folder() / name).c_str(), &wanted) != 0) return found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    const auto pid = number(entry.path().filename().string());
    if (!pid) continue;
    struct stat theirs {};
    // A process that ends meanwhile is none of ours any more.
    if (::stat((entry.path() / "ns/net").c_str(), &theirs) != 0) continue;
    if (theirs.st_ino == wanted.st_ino && theirs.st_dev == wanted.st_dev) found.push_back(*pid);
  }
  return found;
}

Result<void> kill_members(const std::string& name) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  for (;;) {
    const std::vector<pid_t> alive = members(name);
    if (alive.empty()) return {};
    if (std::chrono::steady_clock::now() > deadline) {
      return fail("still-alive",
                  "process " + std::to_string(alive.front()) + " in " + name + " does not die");
    }
    for (const pid_t pid : alive) ::kill(pid, SIGKILL);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

Result<void> inside(int namespace_fd, const std::function<void()>& work) {
  int error = 0;
  std::thread([&] {
    if (::setns(namespace_fd, CLONE_NEWNET) == 0) {
      work();
    } else {
      error = errno;
    }
  }).join();
  if (error != 0) return fail("setns-failed", std::strerror(error));
  return {};
}

std::string namespace_prefix(pid_t pid) { return "colo-" + std::to_string(pid) + "-"; }

void remove_stale_namespaces() {
  std::error_code ignored;
  std::vector<std::string> stale;
  for (const auto& entry : fs::directory_iterator(folder(), ignored)) {
    const std::string name = entry.path().filename().string();
    const auto maker = maker_of(name);
    if (maker && ::kill(*maker, 0) != 0 && errno == ESRCH) stale.push_back(name);
  }
  for (const std::string& name : stale) {
    static_cast<void>(kill_members(name));
    static_cast<void>(run({"ip", "netns", "del", name}));
  }
}

}  // namespace colo::demo
