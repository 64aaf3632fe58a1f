#include "guest/own_copies.h"

#include <fcntl.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <string>
#include <utility>

#include "guest/system_error.h"

namespace colo::guest {
namespace {

// Ranges that one ioctl can report; a scan with more goes on where the last one ended.
constexpr std::size_t ranges_per_call = 8192;
// Estimates from one count.
constexpr unsigned estimates_max = 50;
constexpr std::uint64_t growth_never_counted = 1024;  // pages

// Not the file's, and there. The kernel also shows a marker of write protection, where no page is,
// as swapped out; but never as one that was written.
bool is_own(std::uint64_t categories) {
  return (categories & page_is_present) != 0 || (categories & page_is_written) != 0;
}

std::string process_file(pid_t pid, const char* name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}

}  // namespace

OwnCopies::OwnCopies(pid_t pid, UniqueFd pagemap, std::uint64_t begin, std::uint64_t bytes)
    : pid_(pid),
      pagemap_(std::move(pagemap)),
      begin_(begin),
      end_(begin + bytes),
      found_(ranges_per_call),
      released_(bytes / page_bytes) {}

Result<OwnCopies> OwnCopies::of(pid_t pid, std::uint64_t begin, std::uint64_t bytes) {
  const std::string path = process_file(pid, "pagemap");
  UniqueFd pagemap(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!pagemap) {
    return fail("guest-not-traceable", errno_text("opening " + path, errno),
                "run the engine as root or with CAP_SYS_PTRACE");
  }
  return OwnCopies(pid, std::move(pagemap), begin, bytes);
}

Result<void> OwnCopies::for_each(PageIndex from, const Visit& visit) {
  std::uint64_t at = begin_ + from * page_bytes;
  while (at < end_) {
    PmScanArg request;
    request.start = at;
    request.end = end_;
    request.vec = reinterpret_cast<std::uint64_t>(found_.data());
    request.vec_len = found_.size();
    request.category_inverted = page_is_file;
    request.category_mask = page_is_file;
    request.category_anyof_mask = page_is_present | page_is_swapped;
    request.return_mask = page_is_present | page_is_written;
    const int count = ::ioctl(pagemap_.get(), pagemap_scan, &request);
    if (count < 0) {
      if (errno == EINTR) continue;
      return fail("own-pages-unknown", errno_text("PAGEMAP_SCAN of the guest's memory", errno),
                  "use a kernel of version 6.7 or newer");
    }
    for (int i = 0; i < count; ++i) {
      const PageRegion& found = found_[static_cast<std::size_t>(i)];
      if (!is_own(found.categories)) continue;
      if (!visit((found.start - begin_) / page_bytes, (found.end - found.start) / page_bytes)) {
        return {};
      }
    }
    // With room left in the answer the walk has come to the end. Its walk_end may be of an earlier
    // part (the kernel works in parts and leaves it alone in the last), which would count twice.
    if (static_cast<std::size_t>(count) < found_.size()) break;
    at = std::max<std::uint64_t>(request.walk_end, found_.back().end);
  }
  return {};
}

Result<std::uint64_t> OwnCopies::count() {
  std::uint64_t own = 0;
  const auto process = process_pages();
  const auto all = for_each(0, [&own](PageIndex, std::uint64_t pages) {
    own += pages;
    return true;
  });
  if (!all) return fail(all.error());
  counted_.reset();
  if (process) counted_ = {own, *process, 0};
  return own;
}

// "RssAnon:      8192 kB"
std::optional<std::uint64_t> OwnCopies::process_pages() const {
  std::ifstream status(process_file(pid_, "status"));
  std::uint64_t kilobytes = 0;
  int found = 0;
  for (std::string word; found < 2 && status >> word;) {
    std::uint64_t value = 0;
    if ((word == "RssAnon:" || word == "VmSwap:") && status >> value) {
      kilobytes += value;
      ++found;
    }
  }
  if (found < 2) return std::nullopt;
  return kilobytes * 1024 / page_bytes;
}

Result<std::uint64_t> OwnCopies::estimate() {
  if (!counted_ || ++counted_->used > estimates_max) return count();
  const auto process = process_pages();
  if (!process) return count();
  const std::uint64_t growth = *process - std::min(counted_->process, *process);
  if (growth >= std::max(growth_never_counted, counted_->own / 8)) return count();
  return counted_->own + growth;
}

Result<std::uint64_t> OwnCopies::release_behind(int file) {
  const bool whole = cursor_ == 0;
  auto released = release_some(file);
  if (released && *released == 0 && !whole) return release_some(file);
  return released;
}

Result<std::uint64_t> OwnCopies::release_some(int file) {
  std::uint64_t released = 0;
  std::uint64_t holes = 0;
  int refused = 0;
  const auto punch = [&](PageIndex first, std::uint64_t pages) {
    if (::fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                    static_cast<off_t>(first * page_bytes),
                    static_cast<off_t>(pages * page_bytes)) != 0) {
      refused = errno;
      return false;
    }
    released_.set_range(first, pages);
    released += pages;
    cursor_ = first + pages;
    return ++holes < holes_per_call && released < pages_per_call;
  };
  bool ended = true;
  const auto walked = for_each(cursor_, [&](PageIndex first, std::uint64_t pages) {
    // What was released before lies in between.
    for (PageIndex page = first; page < first + pages; ++page) {
      if (released_.test(page)) continue;
      const std::uint64_t left = std::min(first + pages - page, pages_per_call - released);
      std::uint64_t run = 1;
      while (run < left && !released_.test(page + run)) ++run;
      if (!punch(page, run)) return ended = false;
      page += run - 1;
    }
    return true;
  });
  if (!walked) return fail(walked.error());
  if (refused != 0) {
    return fail("memory-not-released", errno_text("punching holes into the memory", refused));
  }
  if (ended) cursor_ = 0;
  return released;
}

}  // namespace colo::guest
