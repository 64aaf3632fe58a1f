// The pages of a private mapping of a file that a process has its own copies of.
//
// A page of such a mapping is the file's until the process writes it; then the kernel gives the
// process a copy (anonymous memory), and what is in the file under that page is seen no more by it.
// PAGEMAP_SCAN tells the two apart (Documentation/admin-guide/mm/pagemap.rst of the kernel).
//
// Ownership: a descriptor of the process's page map. Threads: one at a time.
// Errors: "guest-not-traceable", "own-pages-unknown" (the kernel is too old, or the process ended),
//   "memory-not-released".
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/bitmap.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "guest/kernel_interface.h"

namespace colo::guest {

class OwnCopies {
 public:
  // begin: where the process `pid` maps the file, from its start; bytes: how much of it.
  [[nodiscard]] static Result<OwnCopies> of(pid_t pid, std::uint64_t begin, std::uint64_t bytes);

  // Pages with an own copy. One that was swapped out counts unless its range is write-protected by
  // a tracker: the kernel then shows it as it shows a page of the file that nobody has read.
  // Each page that the process ever touched is looked at: about 10 ms for 512 MiB.
  [[nodiscard]] Result<std::uint64_t> count();
  // The same from the growth of the process's own memory since the last count, which takes some
  // 30 us; counted anew where that is an eighth or more, and now and then. What else the process
  // keeps is in it: up to an eighth (or 4 MiB) too many, and too few by what it gave back
  // meanwhile.
  [[nodiscard]] Result<std::uint64_t> estimate();

  // Punches holes into the file under pages with an own copy and returns how many pages it gave
  // back, 0 once there is nothing left. The copies stay: a hole takes only the file's pages out of
  // a mapping. A call does a bounded part, of some milliseconds, and the next one goes on there.
  // file: open for writing. REQUIRES: nobody gives copies back (MADV_DONTNEED) while it lasts.
  [[nodiscard]] Result<std::uint64_t> release_behind(int file);

  static constexpr std::uint64_t holes_per_call = 512;
  static constexpr std::uint64_t pages_per_call = 4096;

 private:
  OwnCopies(pid_t pid, UniqueFd pagemap, std::uint64_t begin, std::uint64_t bytes);
  // Visits runs of pages at or behind `from`, ascending, until it returns false.
  using Visit = std::function<bool(PageIndex first, std::uint64_t pages)>;
  Result<void> for_each(PageIndex from, const Visit& visit);
  [[nodiscard]] std::optional<std::uint64_t> process_pages() const;
  // From the cursor on.
  Result<std::uint64_t> release_some(int file);

  struct Counted {
    std::uint64_t own = 0;
    std::uint64_t process = 0;  // all of its anonymous pages then
    unsigned used = 0;          // estimates from it
  };

  pid_t pid_;
  UniqueFd pagemap_;
  std::uint64_t begin_;
  std::uint64_t end_;
  std::vector<PageRegion> found_;
  std::optional<Counted> counted_;
  Bitmap released_;
  PageIndex cursor_ = 0;
};

}  // namespace colo::guest
