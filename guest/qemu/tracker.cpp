#include "guest/qemu/tracker.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <string>

#include "guest/system_error.h"

namespace colo::guest {
namespace {
// Ranges that one ioctl can report; a scan with more goes on where the last one ended.
constexpr std::size_t ranges_per_call = 8192;
}  // namespace

Tracker::Tracker(UniqueFd uffd, UniqueFd pagemap)
    : uffd_(std::move(uffd)), pagemap_(std::move(pagemap)), found_(ranges_per_call) {}

Result<Tracker> Tracker::start(pid_t pid, UniqueFd uffd) {
  const std::string path = "/proc/" + std::to_string(pid) + "/pagemap";
  UniqueFd pagemap(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!pagemap) {
    return fail("guest-not-traceable", errno_text("opening " + path, errno),
                "run the engine as root or with CAP_SYS_PTRACE");
  }
  return Tracker(std::move(uffd), std::move(pagemap));
}

Result<void> Tracker::add(const TrackedRange& range) {
  uffdio_register request{};
  request.range.start = range.begin;
  request.range.len = range.bytes;
  request.mode = UFFDIO_REGISTER_MODE_WP;
  if (::ioctl(uffd_.get(), UFFDIO_REGISTER, &request) != 0) {
    return fail("tracking-failed", errno_text("UFFDIO_REGISTER of the guest's memory", errno),
                "use a kernel of version 6.7 or newer");
  }
  return {};
}

Result<void> Tracker::scan(const TrackedRange& range, Bitmap& written) {
  COLO_CHECK(written.size() * page_bytes == range.bytes);
  const std::uint64_t end = range.begin + range.bytes;
  for (std::uint64_t at = range.begin; at < end;) {
    PmScanArg request;
    request.flags = pm_scan_wp_matching | pm_scan_check_wpasync;
    request.start = at;
    request.end = end;
    request.vec = reinterpret_cast<std::uint64_t>(found_.data());
    request.vec_len = found_.size();
    request.category_mask = page_is_written;
    request.return_mask = page_is_written;
    const int count = ::ioctl(pagemap_.get(), pagemap_scan, &request);
    if (count < 0) {
      if (errno == EINTR) continue;
      return fail("tracking-failed", errno_text("PAGEMAP_SCAN of the guest's memory", errno),
                  "use a kernel of version 6.7 or newer");
    }
    for (int i = 0; i < count; ++i) {
      const PageRegion& found = found_[static_cast<std::size_t>(i)];
      written.set_range((found.start - range.begin) / page_bytes,
                        (found.end - found.start) / page_bytes);
    }
    if (request.walk_end <= at) {
      return fail("tracking-failed", "PAGEMAP_SCAN made no progress in the guest's memory");
    }
    at = request.walk_end;
  }
  return {};
}

}  // namespace colo::guest
