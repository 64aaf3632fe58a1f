#include "app/run_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>

namespace colo::app {
namespace {

// Locks of the open file, not of the process (fcntl(2), F_OFD_*): unlike flock(2), somebody may
// ask whether they are held without taking them for an instant and so refusing an engine's start.
struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

tl::unexpected<Error> trouble(const std::filesystem::path& path, const std::string& what) {
  return fail("run-directory", path.string() + " " + what + ": " + std::strerror(errno),
              "set `run_directory` to a directory that this user may write to");
}

Result<void> make_directory(const std::filesystem::path& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory.parent_path(), error);
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return trouble(directory, "cannot be created");
  }
  struct stat facts {};
  if (::stat(directory.c_str(), &facts) != 0) return trouble(directory, "cannot be examined");
  if (!S_ISDIR(facts.st_mode) || facts.st_uid != ::geteuid() || (facts.st_mode & 0077) != 0) {
    return fail("run-directory",
                directory.string() + " is not a directory that only this user may enter",
                "remove it; the engine makes it again with mode 0700");
  }
  return {};
}

std::optional<pid_t> written_pid(int file) {
  std::array<char, 16> text{};
  const ssize_t length = ::pread(file, text.data(), text.size(), 0);
  if (length <= 0) return std::nullopt;
  pid_t pid = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + length, pid);
  if (error != std::errc{} || pid <= 0) return std::nullopt;
  return pid;
}

}  // namespace

Result<RunLock> RunLock::take(const std::filesystem::path& directory) {
  if (const auto made = make_directory(directory); !made) return fail(made.error());
  const std::filesystem::path path = directory / "lock";
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return trouble(path, "cannot be opened");
  struct flock lock = whole_file();
  if (::fcntl(file.get(), F_OFD_SETLK, &lock) != 0) {
    if (errno != EAGAIN && errno != EACCES) return trouble(path, "cannot be locked");
    const auto pid = written_pid(file.get());
    return fail("already-running",
                "an engine for " + directory.filename().string() + " runs already" +
                    (pid ? " (pid " + std::to_string(*pid) + ")" : ""),
                "see `colo status FILE`; end it before you start another");
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(file.get(), 0) != 0 ||
      ::pwrite(file.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return trouble(path, "cannot be written");
  }
  return RunLock(std::move(file));
}

std::optional<pid_t> RunLock::holder(const std::filesystem::path& directory) {
  const UniqueFd file(::open((directory / "lock").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return std::nullopt;
  struct flock lock = whole_file();
  if (::fcntl(file.get(), F_OFD_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return std::nullopt;
  return written_pid(file.get());
}

}  // namespace colo::app
