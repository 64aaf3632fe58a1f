// The memory of one configured guest. It outlives the QEMU processes that use it.
// Main memory is a memory file that QEMU and we map; the other regions live inside QEMU, and here
// is what a standby will get of them when it loads.
// Ownership: shared by the maker and its guests. Threads: as the guest's.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "base/types.h"
#include "base/unique_fd.h"
#include "guest/own_copies.h"
#include "guest/qemu/memory_map.h"

namespace colo::guest {

// Anonymous or shared memory of our address space; zero-filled and not resident until written.
class Mapping {
 public:
  Mapping() = default;
  // fd -1: private memory of ours.
  [[nodiscard]] static Result<Mapping> make(std::uint64_t bytes, int fd);
  Mapping(Mapping&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
  Mapping& operator=(Mapping&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~Mapping();
  [[nodiscard]] MutableBytes bytes() const { return bytes_; }

 private:
  MutableBytes bytes_;
};

class GuestMemory {
 public:
  // Anonymous and zero.
  [[nodiscard]] static Result<std::shared_ptr<GuestMemory>> make(std::uint64_t bytes);
  // A file's memory, with its content.
  [[nodiscard]] static Result<std::shared_ptr<GuestMemory>> of(UniqueFd file, std::uint64_t bytes);

  [[nodiscard]] int fd() const { return fd_.get(); }
  [[nodiscard]] FileId file() const { return file_; }
  [[nodiscard]] MutableBytes main() const { return main_.bytes(); }
  // Buffers for the regions of the layout that are not mapped; kept if the layout is the same.
  Result<void> fit(const MemoryLayout& layout);
  // What a standby will get of an unmapped region; empty for a mapped one.
  // REQUIRES: fit() was called.
  [[nodiscard]] MutableBytes outside(RegionIndex region) const { return outside_[region].bytes(); }
  // See OwnCopies::release_behind().
  Result<std::uint64_t> release_behind(OwnCopies& copies);
  // Gives a file the memory again that was released; see open_memory_file().
  Result<void> reserve();
  // All zero again, as a guest that boots expects it.
  Result<void> clear();

 private:
  GuestMemory() = default;

  UniqueFd fd_;
  FileId file_;
  Mapping main_;
  MemoryLayout layout_;
  std::vector<Mapping> outside_;
  bool has_holes_ = false;  // made by release_behind()
};

}  // namespace colo::guest
