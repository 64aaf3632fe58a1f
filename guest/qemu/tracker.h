// Sees which pages a process wrote, through the kernel: the ranges are write-protected
// asynchronously (the kernel lifts the protection at the first write and remembers it), and a scan
// reads and protects again in one step. Nothing of the process is stopped for it.
// Not seen: writers with page tables of their own (VFIO, vhost-user).
// Ownership: the descriptors. Their end lifts the protection. Threads: one at a time.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <vector>

#include "base/bitmap.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "guest/kernel_interface.h"

namespace colo::guest {

// Addresses are of the tracked process.
struct TrackedRange {
  std::uint64_t begin = 0;
  std::uint64_t bytes = 0;
};

class Tracker {
 public:
  // uffd: born in the process `pid`, features agreed on.
  [[nodiscard]] static Result<Tracker> start(pid_t pid, UniqueFd uffd);
  Result<void> add(const TrackedRange& range);
  // Sets the bits of the pages written since the last scan of this range; in the first scan that
  // is all of them. What was found before a failure stays set.
  // REQUIRES: range was added; written.size() is its number of pages.
  Result<void> scan(const TrackedRange& range, Bitmap& written);

 private:
  Tracker(UniqueFd uffd, UniqueFd pagemap);

  UniqueFd uffd_;
  UniqueFd pagemap_;
  std::vector<PageRegion> found_;
};

}  // namespace colo::guest
