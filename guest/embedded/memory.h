// The memory of an embedded guest: "ram", which belongs to the maker and outlives its guests, and
// "device.ram", which belongs to one guest and is zero in a new one, as QEMU's video memory is.
//
// Role: every write of the program comes through here and marks its page as dirty: a write barrier
//   in software, which needs no privilege and works under every kernel and sanitizer.
// Threads: none; callers serialize (the Runner's lock). Units: offsets in bytes from the region's
//   start. REQUIRES of every access: it lies within its region.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "base/types.h"
#include "base/unique_fd.h"
#include "guest/guest.h"

namespace colo::guest::embedded {

inline constexpr RegionIndex ram_region = 0;
inline constexpr RegionIndex device_ram_region = 1;
inline constexpr std::uint64_t device_ram_pages = 64;

// A mapping of memory that has a descriptor.
class Ram {
 public:
  // Anonymous and zero.
  [[nodiscard]] static Result<std::shared_ptr<Ram>> create(std::uint64_t bytes);
  // A file's memory, with its content.
  [[nodiscard]] static Result<std::shared_ptr<Ram>> map(UniqueFd file, std::uint64_t bytes);
  Ram(UniqueFd fd, MutableBytes mapping) : fd_(std::move(fd)), mapping_(mapping) {}
  Ram(const Ram&) = delete;
  Ram& operator=(const Ram&) = delete;
  ~Ram();

  // The same memory mapped copy-on-write: what is written there is not seen here.
  [[nodiscard]] Result<std::shared_ptr<Ram>> map_privately() const;

  [[nodiscard]] MutableBytes bytes() { return mapping_; }
  [[nodiscard]] int fd() const { return fd_.get(); }
  // Everything zero again. REQUIRES: nothing runs on it.
  Result<void> clear();

 private:
  [[nodiscard]] static Result<std::shared_ptr<Ram>> map(UniqueFd file, std::uint64_t bytes,
                                                        int flags);

  UniqueFd fd_;
  MutableBytes mapping_;
};

class Memory {
 public:
  explicit Memory(std::shared_ptr<Ram> ram);

  [[nodiscard]] const MemoryLayout& layout() const { return layout_; }
  [[nodiscard]] MutableBytes region(RegionIndex index);

  [[nodiscard]] std::uint64_t read(RegionIndex index, std::uint64_t offset);
  [[nodiscard]] ByteView view(RegionIndex index, std::uint64_t offset, std::uint64_t size);
  void write(RegionIndex index, std::uint64_t offset, std::uint64_t value);
  void write(RegionIndex index, std::uint64_t offset, ByteView bytes);
  // A page that is about to be rewritten.
  [[nodiscard]] MutableBytes page_to_write(RegionIndex index, PageIndex page);

  // From now on pages count as dirty once written; all do at first.
  void start_tracking();
  [[nodiscard]] bool tracking() const { return !dirty_.empty(); }
  // Adds the dirty pages to `into` and forgets them. REQUIRES: tracking(), the layout's sizes.
  void collect_dirty(DirtyPages& into);

 private:
  void mark(RegionIndex index, std::uint64_t offset, std::uint64_t size);

  std::shared_ptr<Ram> ram_;
  Bytes device_ram_;
  MemoryLayout layout_;
  DirtyPages dirty_;  // empty until start_tracking()
};

}  // namespace colo::guest::embedded
