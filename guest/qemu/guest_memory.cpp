#include "guest/qemu/guest_memory.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

#include "guest/memory_file.h"
#include "guest/system_error.h"

namespace colo::guest {
namespace {
tl::unexpected<Error> no_memory(const char* doing, std::uint64_t bytes) {
  return fail(
      "memory-unavailable",
      errno_text(std::string(doing) + " " + std::to_string(bytes >> 20) + " MiB of guest memory",
                 errno),
      "give the guest less memory with -m, or the host more");
}
}  // namespace

Result<Mapping> Mapping::make(std::uint64_t bytes, int fd) {
  const int flags = fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (at == MAP_FAILED) return no_memory("mapping", bytes);
  Mapping mapping;
  mapping.bytes_ = {static_cast<std::byte*>(at), bytes};
  return mapping;
}

Mapping::~Mapping() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

Result<std::shared_ptr<GuestMemory>> GuestMemory::make(std::uint64_t bytes) {
  UniqueFd fd(::memfd_create("colo-guest-memory", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) {
    return no_memory("making", bytes);
  }
  // Nobody may cut the file short under our mapping: that would end us by SIGBUS.
  if (::fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK) != 0) return no_memory("sealing", bytes);
  return of(std::move(fd), bytes);
}

Result<std::shared_ptr<GuestMemory>> GuestMemory::of(UniqueFd file, std::uint64_t bytes) {
  std::shared_ptr<GuestMemory> memory(new GuestMemory);
  struct stat facts {};
  if (::fstat(file.get(), &facts) != 0) return no_memory("examining", bytes);
  memory->file_ = {facts.st_dev, facts.st_ino};
  auto mapping = Mapping::make(bytes, file.get());
  if (!mapping) return fail(mapping.error());
  memory->fd_ = std::move(file);
  memory->main_ = std::move(*mapping);
  return memory;
}

Result<void> GuestMemory::fit(const MemoryLayout& layout) {
  if (layout == layout_) return {};
  std::vector<Mapping> fresh(layout.size());
  for (std::size_t i = 0; i < layout.size(); ++i) {
    if (layout[i].mapped) continue;
    auto mapping = Mapping::make(layout[i].pages * page_bytes, -1);
    if (!mapping) return fail(mapping.error());
    fresh[i] = std::move(*mapping);
  }
  outside_ = std::move(fresh);
  layout_ = layout;
  return {};
}

Result<std::uint64_t> GuestMemory::release_behind(OwnCopies& copies) {
  has_holes_ = true;
  return copies.release_behind(fd_.get());
}

Result<void> GuestMemory::reserve() {
  if (!has_holes_) return {};
  if (auto reserved = reserve_memory_file(fd_.get(), main_.bytes().size()); !reserved) {
    return reserved;
  }
  has_holes_ = false;
  return {};
}

Result<void> GuestMemory::clear() {
  const std::uint64_t bytes = main_.bytes().size();
  if (::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                  static_cast<off_t>(bytes)) != 0) {
    return no_memory("clearing", bytes);
  }
  for (const Mapping& mapping : outside_) {
    const MutableBytes content = mapping.bytes();
    if (!content.empty() && ::madvise(content.data(), content.size(), MADV_DONTNEED) != 0) {
      return no_memory("clearing", content.size());
    }
  }
  return {};
}

}  // namespace colo::guest
