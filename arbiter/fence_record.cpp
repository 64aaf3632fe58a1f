#include "arbiter/fence_record.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string>
#include <system_error>

#include "base/unique_fd.h"
#include "heartbeat/ownership_file.h"

namespace colo::arbiter {

namespace {

constexpr std::size_t bytes_max = record_entries_max * heartbeat::ownership_file_bytes_max;
constexpr std::size_t lines_of_entry = 4;

tl::unexpected<Error> unusable(const std::filesystem::path& path, const char* what) {
  return fail("record-unusable",
              path.string() + ": " + what + ": " + std::generic_category().message(errno),
              "see that `state_directory` exists, belongs to the engine's user and has space");
}

// The four lines at the front of `text`, which are then removed; all of it if there are fewer.
std::string_view take_entry(std::string_view& text) {
  std::size_t end = 0;
  for (std::size_t line = 0; line < lines_of_entry && end < text.size(); ++line) {
    end = std::min(text.find('\n', end), text.size() - 1) + 1;
  }
  const std::string_view entry = text.substr(0, end);
  text.remove_prefix(end);
  return entry;
}

}  // namespace

Result<std::vector<heartbeat::Ownership>> FenceRecord::read() const {
  const UniqueFd fd(::open(file_.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd && errno == ENOENT) {
    // Without the directory there is no record that could be missing.
    struct stat facts {};
    if (::stat(file_.parent_path().c_str(), &facts) == 0)
      return std::vector<heartbeat::Ownership>();
    return unusable(file_.parent_path(), "looking at it");
  }
  if (!fd) return unusable(file_, "opening it");
  std::string text;
  std::array<char, 65536> bytes{};
  while (text.size() <= bytes_max) {
    const ssize_t count = ::read(fd.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return unusable(file_, "reading it");
    if (count == 0) break;
    text.append(bytes.data(), static_cast<std::size_t>(count));
  }
  std::vector<heartbeat::Ownership> entries;
  std::string_view rest = text;
  while (!rest.empty()) {
    auto entry = heartbeat::decode_ownership(take_entry(rest));
    if (!entry || entries.size() == record_entries_max) {
      return fail(
          "record-corrupt", file_.string() + " is not as this host wrote it",
          "see whether the other host runs the guest; if not, and it is certain, remove the "
          "file and start anew");
    }
    entries.push_back(std::move(*entry));
  }
  return entries;
}

Result<void> FenceRecord::prepare(std::vector<heartbeat::Ownership> entries) const {
  std::string text;
  const std::size_t first =
      entries.size() > record_entries_max ? entries.size() - record_entries_max : 0;
  for (std::size_t i = first; i < entries.size(); ++i) {
    text += heartbeat::encode_ownership(entries[i]);
  }
  const UniqueFd fd(::open(prepared().c_str(),
                           O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
                           S_IRUSR | S_IWUSR | S_IRGRP | S_IROTH));
  if (!fd) return unusable(prepared(), "making it");
  std::string_view rest = text;
  while (!rest.empty()) {
    const ssize_t count = ::write(fd.get(), rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return unusable(prepared(), "writing it");
    rest.remove_prefix(static_cast<std::size_t>(count));
  }
  if (::fsync(fd.get()) != 0) return unusable(prepared(), "fsync");
  return {};
}

Result<void> FenceRecord::commit() const {
  if (std::rename(prepared().c_str(), file_.c_str()) != 0) return unusable(file_, "replacing it");
  const UniqueFd directory(::open(file_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0) return unusable(file_, "fsync of its directory");
  return {};
}

}  // namespace colo::arbiter
