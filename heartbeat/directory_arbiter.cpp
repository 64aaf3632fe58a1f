#include "heartbeat/directory_arbiter.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <limits>
#include <optional>
#include <system_error>

#include "base/unique_fd.h"
#include "heartbeat/ownership_file.h"

namespace colo::heartbeat {

namespace {

constexpr std::string_view file_prefix = "generation.";

std::string file_of(Generation generation) {
  return std::string(file_prefix) + std::to_string(generation.value);
}

// The directory, opened for one call. Every path goes through its descriptor, so that a directory
// that is replaced or unmounted in the middle cannot answer half of a claim.
class OwnershipDirectory {
 public:
  static Result<OwnershipDirectory> open(const std::filesystem::path& path) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    OwnershipDirectory directory(path.string(), std::move(fd));
    if (!directory.fd_) return directory.unreachable("opening it");
    return directory;
  }

  // The newest generation there is; 0 if none.
  Result<Generation> newest() const;
  // Nothing if there is no such file.
  Result<std::optional<Ownership>> read(Generation generation) const;
  // True: created, whole, and durable once sync() succeeds. False: the name is taken.
  Result<bool> create(const Ownership& ownership) const;
  Result<void> sync() const {
    if (::fsync(fd_.get()) != 0) return unreachable("fsync of it");
    return {};
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  OwnershipDirectory(std::string path, UniqueFd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  // REQUIRES: errno is that of the failed call.
  tl::unexpected<Error> unreachable(const std::string& what) const {
    return fail("arbiter-unreachable",
                path_ + ": " + what + ": " + std::generic_category().message(errno),
                "see that the shared directory is mounted, writable and has free space");
  }
  Result<void> write_whole(int file, const std::string& text) const;

  std::string path_;
  UniqueFd fd_;
};

// The number in `generation.N`; other names are none of the arbiter's.
std::optional<Generation> generation_of(std::string_view name) {
  if (name.substr(0, file_prefix.size()) != file_prefix) return std::nullopt;
  Generation generation;
  const char* end = name.data() + name.size();
  const auto parsed = std::from_chars(name.data() + file_prefix.size(), end, generation.value);
  if (parsed.ec != std::errc{} || parsed.ptr != end || file_of(generation) != name) {
    return std::nullopt;
  }
  return generation;
}

Result<Generation> OwnershipDirectory::newest() const {
  UniqueFd listing(::openat(fd_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!listing) return unreachable("opening it");
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(listing.get()), ::closedir);
  if (!entries) return unreachable("listing it");
  (void)listing.release();  // closed with the listing from here on
  Generation newest;
  errno = 0;
  while (const dirent* entry = ::readdir(entries.get())) {
    if (const auto generation = generation_of(entry->d_name))
      newest = std::max(newest, *generation);
    errno = 0;
  }
  if (errno != 0) return unreachable("listing it");
  // A network file system may list from a cache; opening a name asks the server.
  while (::faccessat(fd_.get(), file_of(newest.next()).c_str(), F_OK, 0) == 0) {
    newest = newest.next();
  }
  if (errno != ENOENT) return unreachable("looking for " + file_of(newest.next()));
  return newest;
}

Result<std::optional<Ownership>> OwnershipDirectory::read(Generation generation) const {
  const std::string name = file_of(generation);
  const UniqueFd file(
      ::openat(fd_.get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file) return unreachable("opening " + name);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) return unreachable("looking at " + name);
  if (!S_ISREG(status.st_mode)) {
    return fail("arbiter-corrupt", path_ + "/" + name + " is not a regular file",
                "find out who put it there");
  }
  std::string text;
  std::array<char, ownership_file_bytes_max + 1> bytes;
  while (text.size() <= ownership_file_bytes_max) {
    const ssize_t count = ::read(file.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return unreachable("reading " + name);
    if (count == 0) break;
    text.append(bytes.data(), static_cast<std::size_t>(count));
  }
  auto ownership = decode_ownership(text, generation);
  if (!ownership) {
    ownership.error().reason = path_ + ": " + ownership.error().reason;
    return fail(ownership.error());
  }
  return std::move(*ownership);
}

Result<void> OwnershipDirectory::write_whole(int file, const std::string& text) const {
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t count = ::write(file, rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return unreachable("writing a claim");
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::fsync(file) != 0) return unreachable("fsync of a claim");
  return {};
}

Result<bool> OwnershipDirectory::create(const Ownership& ownership) const {
  // No other claimant has this name: the run is this engine's, the rest tells its claims apart.
  static std::atomic<std::uint64_t> claims{0};
  const std::string temporary = ".claim." + ownership.run + "." + std::to_string(::getpid()) + "." +
                                std::to_string(claims.fetch_add(1));
  UniqueFd file(::openat(fd_.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                         S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH));
  if (!file) return unreachable("making a claim's file");
  auto written = write_whole(file.get(), encode_ownership(ownership));
  file.reset();
  int linked = 0;
  if (written) {
    linked =
        ::linkat(fd_.get(), temporary.c_str(), fd_.get(), file_of(ownership.generation).c_str(), 0);
  }
  const int error = errno;
  ::unlinkat(fd_.get(), temporary.c_str(), 0);  // what stays behind is harmless
  if (!written) return fail(written.error());
  if (linked == 0) return true;
  if (error == EEXIST) return false;
  errno = error;
  return unreachable("creating " + file_of(ownership.generation));
}

// The ownership of a generation that is known to be there.
Result<Ownership> read_known(const OwnershipDirectory& directory, Generation generation) {
  auto found = directory.read(generation);
  if (!found) return fail(found.error());
  if (!*found) {
    return fail("arbiter-corrupt", directory.path() + ": " + file_of(generation) + " is missing",
                "restore it from a backup of the storage; ownership files are never removed");
  }
  return std::move(**found);
}

Result<Ownership> newest_ownership(const OwnershipDirectory& directory) {
  const auto newest = directory.newest();
  if (!newest) return fail(newest.error());
  if (newest->value == 0) return Ownership{};
  return read_known(directory, *newest);
}

}  // namespace

Result<ClaimAnswer> DirectoryArbiter::claim(const Claim& claim) {
  if (auto names = check_names(claim.owner, claim.run); !names) return fail(names.error());
  if (claim.from.value == std::numeric_limits<std::uint64_t>::max()) {
    return fail("bad-claim", "no generation comes after " + std::to_string(claim.from.value));
  }
  const auto directory = OwnershipDirectory::open(directory_);
  if (!directory) return fail(directory.error());
  auto current = newest_ownership(*directory);
  if (!current) return fail(current.error());
  if (current->generation < claim.from) {
    return fail("arbiter-behind",
                directory_.string() + " ends at generation " +
                    std::to_string(current->generation.value) + ", we know of " +
                    std::to_string(claim.from.value),
                "see that the right storage is mounted there and that no file was removed");
  }
  const Ownership wanted{claim.from.next(), claim.owner, claim.run};
  if (current->generation == claim.from) {
    auto created = directory->create(wanted);
    if (!created) return fail(created.error());
    if (!*created) {
      // Another claimant came first, or an earlier try of this very claim.
      current = newest_ownership(*directory);
      if (!current) return fail(current.error());
      if (current->generation < wanted.generation) {
        return fail("arbiter-unreachable",
                    directory_.string() + ": " + file_of(wanted.generation) +
                        " cannot be made and cannot be found: a stale listing",
                    "see that both hosts mount the shared directory without stale caches");
      }
    } else {
      current = wanted;
    }
  }
  if (*current != wanted) return ClaimLost{std::move(*current)};
  // Also where an earlier try made the file: that try may have died before it was durable.
  if (auto durable = directory->sync(); !durable) return fail(durable.error());
  return ClaimWon{wanted.generation};
}

Result<Ownership> DirectoryArbiter::current() {
  const auto directory = OwnershipDirectory::open(directory_);
  if (!directory) return fail(directory.error());
  return newest_ownership(*directory);
}

Result<std::vector<Ownership>> DirectoryArbiter::history() {
  const auto directory = OwnershipDirectory::open(directory_);
  if (!directory) return fail(directory.error());
  const auto newest = directory->newest();
  if (!newest) return fail(newest.error());
  std::vector<Ownership> history;
  for (Generation generation{1}; generation <= *newest; generation = generation.next()) {
    auto ownership = read_known(*directory, generation);
    if (!ownership) return fail(ownership.error());
    history.push_back(std::move(*ownership));
  }
  return history;
}

}  // namespace colo::heartbeat
