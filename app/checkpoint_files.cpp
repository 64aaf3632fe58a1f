#include "app/checkpoint_files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/unique_fd.h"
#include "guest/memory_file.h"

namespace colo::app {

namespace {

namespace fs = std::filesystem;

tl::unexpected<Error> trouble(const fs::path& path, const std::string& what, int error) {
  return fail("checkpoint-files", path.string() + " " + what + ": " + std::strerror(error),
              "set `checkpoint_directory` to a directory on a tmpfs that this user may write to");
}

class FileArena final : public cache::Arena {
 public:
  FileArena(fs::path path, UniqueFd file, MutableBytes mapping)
      : path_(std::move(path)), file_(std::move(file)), mapping_(mapping) {}
  FileArena(const FileArena&) = delete;
  FileArena& operator=(const FileArena&) = delete;
  ~FileArena() override { ::munmap(mapping_.data(), mapping_.size()); }

  MutableBytes bytes() override { return mapping_; }
  Result<void> back(std::size_t first, std::size_t bytes) override {
    const int refused =
        ::posix_fallocate(file_.get(), static_cast<off_t>(first), static_cast<off_t>(bytes));
    if (refused == 0) return {};
    if (refused != ENOSPC) return trouble(path_, "cannot grow", refused);
    return fail("memory-full", "no memory is left for " + path_.string(),
                "give its file system more: mount -o remount,size=...; or another one in "
                "`checkpoint_directory`");
  }

 private:
  fs::path path_;
  UniqueFd file_;
  MutableBytes mapping_;
};

Result<std::unique_ptr<cache::Arena>> map(const fs::path& path, UniqueFd file, std::size_t bytes) {
  void* at =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file.get(), 0);
  if (at == MAP_FAILED) return trouble(path, "cannot be mapped", errno);
  return std::make_unique<FileArena>(path, std::move(file),
                                     MutableBytes(static_cast<std::byte*>(at), bytes));
}

// In /dev/shm everybody may make a directory: one that another user made could be changed under us.
Result<void> check_parent(const fs::path& parent) {
  std::error_code error;
  fs::create_directories(parent, error);
  struct stat facts {};
  if (::lstat(parent.c_str(), &facts) != 0) return trouble(parent, "cannot be examined", errno);
  const bool ours = facts.st_uid == ::geteuid() || facts.st_uid == 0;
  const bool closed = (facts.st_mode & 0022) == 0 || (facts.st_mode & S_ISVTX) != 0;
  if (S_ISDIR(facts.st_mode) && ours && closed) return guest::check_in_memory(parent);
  return fail("checkpoint-files", parent.string() + " is a directory that other users may change",
              "remove it, or set `checkpoint_directory` to one of this user's");
}

}  // namespace

Result<std::unique_ptr<CheckpointFiles>> CheckpointFiles::open(const fs::path& parent,
                                                               const std::string& name) {
  if (auto fits = check_parent(parent); !fits) return fail(fits.error());
  auto lock = RunLock::take(parent / name);
  if (!lock) {
    return fail("checkpoint-files", lock.error().reason,
                "give each engine a `checkpoint_directory` of its own");
  }
  return std::unique_ptr<CheckpointFiles>(new CheckpointFiles(parent / name, std::move(*lock)));
}

Result<std::unique_ptr<cache::Arena>> CheckpointFiles::create_store(std::size_t bytes) const {
  const fs::path path = store_file();
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) {
    return trouble(path, "cannot be replaced", errno);
  }
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  // A size alone takes no memory; the store asks for it as it goes.
  if (!file || ::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0) {
    return trouble(path, "cannot be made", errno);
  }
  return map(path, std::move(file), bytes);
}

Result<std::unique_ptr<cache::Arena>> CheckpointFiles::open_store() const {
  const fs::path path = store_file();
  UniqueFd file(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!file && errno == ENOENT) return fail("nothing-kept", "no checkpoint was kept here");
  struct stat facts {};
  if (!file || ::fstat(file.get(), &facts) != 0) return trouble(path, "cannot be opened", errno);
  if (!S_ISREG(facts.st_mode) || facts.st_uid != ::geteuid() || facts.st_size < 1) {
    return fail("nothing-kept", path.string() + " is no file of ours");
  }
  return map(path, std::move(file), static_cast<std::size_t>(facts.st_size));
}

// In one write to a new file that then takes the name: there is never half a mark.
Result<void> CheckpointFiles::mark_run(const std::string& mark) const {
  const fs::path fresh = directory_ / "ran.new";
  (void)::unlink(fresh.c_str());
  UniqueFd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return trouble(fresh, "cannot be made", errno);
  const ssize_t written = ::write(file.get(), mark.data(), mark.size());
  if (written != static_cast<ssize_t>(mark.size())) {
    return trouble(fresh, "cannot be written", written < 0 ? errno : ENOSPC);
  }
  if (::rename(fresh.c_str(), mark_file().c_str()) != 0) {
    return trouble(mark_file(), "cannot be replaced", errno);
  }
  return {};
}

bool CheckpointFiles::has_run(const std::string& mark) const {
  UniqueFd file(::open(mark_file().c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file) return errno != ENOENT;
  std::string found(mark.size() + 1, '\0');
  const ssize_t size = ::read(file.get(), found.data(), found.size());
  if (size < 0) return true;
  found.resize(static_cast<std::size_t>(size));
  return found == mark;
}

void CheckpointFiles::remove() const {
  (void)::unlink(store_file().c_str());  // first: without it the other one is only memory
  (void)::unlink(memory_file().c_str());
  (void)::unlink(mark_file().c_str());
}

}  // namespace colo::app
