#include "guest/embedded/memory.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/check.h"

namespace colo::guest::embedded {

namespace {

tl::unexpected<Error> memory_error(const std::string& what, std::uint64_t bytes) {
  return fail("no-memory", what + " of " + std::to_string(bytes >> 20) +
                               " MiB failed: " + std::generic_category().message(errno));
}

}  // namespace

Result<std::shared_ptr<Ram>> Ram::create(std::uint64_t bytes) {
  UniqueFd fd(::memfd_create("colo-embedded-ram", MFD_CLOEXEC));
  if (!fd) return memory_error("memfd_create for guest memory", bytes);
  if (::ftruncate(fd.get(), static_cast<off_t>(bytes)) != 0) {
    return memory_error("ftruncate of guest memory", bytes);
  }
  return map(std::move(fd), bytes);
}

Result<std::shared_ptr<Ram>> Ram::map(UniqueFd fd, std::uint64_t bytes) {
  return map(std::move(fd), bytes, MAP_SHARED);
}

Result<std::shared_ptr<Ram>> Ram::map_privately() const {
  UniqueFd fd(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));
  if (!fd) return memory_error("duplicating the descriptor of guest memory", mapping_.size());
  return map(std::move(fd), mapping_.size(), MAP_PRIVATE);
}

Result<std::shared_ptr<Ram>> Ram::map(UniqueFd fd, std::uint64_t bytes, int flags) {
  void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, fd.get(), 0);
  if (at == MAP_FAILED) return memory_error("mmap of guest memory", bytes);
  return std::make_shared<Ram>(std::move(fd), MutableBytes(static_cast<std::byte*>(at), bytes));
}

Ram::~Ram() { ::munmap(mapping_.data(), mapping_.size()); }

Result<void> Ram::clear() {
  if (::ftruncate(fd_.get(), 0) != 0 ||
      ::ftruncate(fd_.get(), static_cast<off_t>(mapping_.size())) != 0) {
    return memory_error("clearing of guest memory", mapping_.size());
  }
  return {};
}

Memory::Memory(std::shared_ptr<Ram> ram)
    : ram_(std::move(ram)),
      device_ram_(device_ram_pages * page_bytes),
      layout_{{"ram", ram_->bytes().size() / page_bytes, true},
              {"device.ram", device_ram_pages, false}} {}

MutableBytes Memory::region(RegionIndex index) {
  COLO_CHECK(index < layout_.size());
  return index == ram_region ? ram_->bytes() : MutableBytes(device_ram_);
}

ByteView Memory::view(RegionIndex index, std::uint64_t offset, std::uint64_t size) {
  const ByteView all = region(index);
  COLO_CHECK(offset <= all.size() && size <= all.size() - offset);
  return all.subspan(offset, size);
}

std::uint64_t Memory::read(RegionIndex index, std::uint64_t offset) {
  std::uint64_t value = 0;
  std::memcpy(&value, view(index, offset, sizeof value).data(), sizeof value);
  return value;
}

void Memory::write(RegionIndex index, std::uint64_t offset, std::uint64_t value) {
  write(index, offset, std::as_bytes(std::span(&value, 1)));
}

void Memory::write(RegionIndex index, std::uint64_t offset, ByteView bytes) {
  const MutableBytes all = region(index);
  COLO_CHECK(offset <= all.size() && bytes.size() <= all.size() - offset);
  mark(index, offset, bytes.size());
  std::memcpy(all.data() + offset, bytes.data(), bytes.size());
}

MutableBytes Memory::page_to_write(RegionIndex index, PageIndex page) {
  const MutableBytes all = region(index);
  COLO_CHECK(page < all.size() / page_bytes);
  mark(index, page * page_bytes, page_bytes);
  return all.subspan(page * page_bytes, page_bytes);
}

void Memory::start_tracking() { dirty_ = all_pages(layout_); }

void Memory::collect_dirty(DirtyPages& into) {
  COLO_CHECK(tracking() && into.size() == dirty_.size());
  for (std::size_t i = 0; i < dirty_.size(); ++i) {
    into[i].unite(dirty_[i]);
    dirty_[i].clear_all();
  }
}

void Memory::mark(RegionIndex index, std::uint64_t offset, std::uint64_t size) {
  if (!tracking() || size == 0) return;
  const PageIndex last = (offset + size - 1) / page_bytes;
  for (PageIndex page = offset / page_bytes; page <= last; ++page) dirty_[index].set(page);
}

}  // namespace colo::guest::embedded
