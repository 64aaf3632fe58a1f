#include "arbiter/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "base/unique_fd.h"

namespace colo::arbiter {

Result<std::string> read_secret_file(const std::filesystem::path& file) {
  const auto missing = [&](const std::string& why) {
    return fail("secret-missing", file.string() + ": " + why,
                "make it with mode 0600 for the engine's user");
  };
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd) return missing(std::generic_category().message(errno));
  struct stat facts {};
  if (::fstat(fd.get(), &facts) != 0 || !S_ISREG(facts.st_mode)) {
    return missing("not a regular file");
  }
  if ((facts.st_mode & 0077) != 0 || (facts.st_uid != ::geteuid() && facts.st_uid != 0)) {
    return fail("secret-permissions", file.string() + " can be read or changed by others",
                "chmod 600, and chown it to the engine's user");
  }
  std::string text;
  std::array<char, secret_bytes_max + 1> bytes{};
  while (text.size() <= secret_bytes_max) {
    const ssize_t count = ::read(fd.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return missing(std::generic_category().message(errno));
    if (count == 0) break;
    text.append(bytes.data(), static_cast<std::size_t>(count));
  }
  if (text.size() > secret_bytes_max) return missing("longer than 4 KiB");
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

}  // namespace colo::arbiter
