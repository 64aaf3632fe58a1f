#include "guest/memory_file.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

namespace colo::guest {

namespace {

tl::unexpected<Error> trouble(const std::filesystem::path& path, const std::string& what,
                              int error) {
  return fail("memory-file",
              path.string() + " " + what + ": " + std::generic_category().message(error),
              "set `checkpoint_directory` to a directory that this user may write to");
}

tl::unexpected<Error> full(const std::string& where, int file, std::uint64_t bytes) {
  struct statfs system {};
  const bool known = ::fstatfs(file, &system) == 0;
  const auto block = static_cast<std::uint64_t>(known ? system.f_bsize : 0);
  return fail("memory-full",
              where + " needs " + std::to_string(bytes >> 20) + " MiB; " +
                  std::to_string(system.f_bavail * block >> 20) + " MiB are left there",
              "give that file system more: mount -o remount,size=...; or another one in "
              "`checkpoint_directory`");
}

}  // namespace

Result<void> check_in_memory(const std::filesystem::path& directory) {
  struct statfs system {};
  if (::statfs(directory.c_str(), &system) != 0) {
    return trouble(directory, "cannot be examined", errno);
  }
  if (system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC) return {};
  return fail("not-in-memory", directory.string() + " is not in memory, and a disk is too slow",
              "set `checkpoint_directory` to a directory on a tmpfs, such as /dev/shm/colo");
}

Result<MemoryFile> open_memory_file(const std::filesystem::path& path, std::uint64_t bytes) {
  if (auto there = check_in_memory(path.parent_path()); !there) return fail(there.error());
  for (int attempt = 0; attempt < 2; ++attempt) {
    MemoryFile file;
    file.fd.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file.fd) return trouble(path, "cannot be opened", errno);
    struct stat facts {};
    if (::fstat(file.fd.get(), &facts) != 0) return trouble(path, "cannot be examined", errno);
    if (!S_ISREG(facts.st_mode) || facts.st_uid != ::geteuid() || (facts.st_mode & 0077) != 0 ||
        facts.st_nlink != 1) {
      return fail("memory-file", path.string() + " is not a file that only this user may open",
                  "remove it; the engine makes it again with mode 0600");
    }
    const auto size = static_cast<std::uint64_t>(facts.st_size);
    if (size != 0 && size != bytes) {
      if (::unlink(path.c_str()) != 0) return trouble(path, "cannot be replaced", errno);
      continue;
    }
    file.inode = facts.st_ino;
    const int refused = ::posix_fallocate(file.fd.get(), 0, static_cast<off_t>(bytes));
    if (refused == 0) return file;
    if (size == 0) (void)::unlink(path.c_str());
    if (refused == ENOSPC) return full(path.parent_path().string(), file.fd.get(), bytes);
    return trouble(path, "cannot be made so large", refused);
  }
  return fail("memory-file", path.string() + " changes its size while it is opened",
              "end whatever else uses `checkpoint_directory`");
}

Result<void> reserve_memory_file(int file, std::uint64_t bytes) {
  const int refused = ::posix_fallocate(file, 0, static_cast<off_t>(bytes));
  if (refused == 0) return {};
  if (refused == ENOSPC) return full("`checkpoint_directory`", file, bytes);
  return fail("memory-file", "the memory file cannot have all of its memory: " +
                                 std::generic_category().message(refused));
}

}  // namespace colo::guest
