// The memory half of QemuGuest: where the regions lie, which pages were written, copies of pages.
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/page.h"
#include "guest/qemu/qemu_guest.h"
#include "guest/qemu/ram_blocks.h"
#include "guest/qemu/userfault.h"
#include "guest/system_error.h"

namespace colo::guest {
namespace {

constexpr std::chrono::seconds monitor_timeout{5};
constexpr std::size_t pages_per_copy = 512;  // the kernel takes up to 1,024 pieces at once

// "Host virtual address for 0xfd000000 (vga.vram) is 0x7f6885c00000"
std::optional<std::uint64_t> parse_host_address(const std::string& text) {
  const std::size_t at = text.rfind(" is 0x");
  if (at == std::string::npos) return std::nullopt;
  return std::strtoull(text.c_str() + at + 4, nullptr, 16);
}

}  // namespace

MutableBytes QemuGuest::mapping(RegionIndex region) {
  COLO_CHECK(region < identity_.layout.size());
  return identity_.layout[region].mapped ? here(region) : MutableBytes{};
}

MutableBytes QemuGuest::here(RegionIndex region) const {
  if (!identity_.layout[region].mapped) {
    return waiting_ ? memory_->outside(region) : MutableBytes{};
  }
  // A standby has not written: what it sees is the file's.
  return waiting_ || !own_memory_ ? memory_->main() : MutableBytes{};
}

// The size usually tells which range is the block. Where several fit, QEMU is asked for the address
// of the guest's view of it, which exists once firmware has given the device its place.
Result<std::uint64_t> QemuGuest::find_unmapped(RegionIndex region, const MemoryMap& map) {
  const RegionLayout& wanted = identity_.layout[region];
  const auto candidates = find_anonymous_blocks(map, wanted.pages * page_bytes);
  if (candidates.size() == 1) return candidates[0];
  const std::string name = wanted.name.substr(wanted.name.rfind('/') + 1);
  auto tree = qemu_.qmp->human("info mtree -f", monitor_timeout);
  if (!tree) return explain(tree.error());
  const auto guest_address = find_guest_address(*tree, name);
  const auto same_name = [&name](const RegionLayout& other) {
    return other.name == name || other.name.ends_with("/" + name);
  };
  if (guest_address &&
      std::count_if(identity_.layout.begin(), identity_.layout.end(), same_name) == 1) {
    auto answer = qemu_.qmp->human("gpa2hva " + std::to_string(*guest_address), monitor_timeout);
    if (!answer) return explain(answer.error());
    if (const auto address = parse_host_address(*answer)) return *address;
  }
  return fail("region-not-found",
              "the memory of " + wanted.name + " cannot be told apart inside QEMU: " +
                  std::to_string(candidates.size()) + " ranges have its size",
              "give the guest one display device, or none (-vga none)");
}

Result<std::uint64_t> QemuGuest::address_of(RegionIndex region) {
  std::optional<std::uint64_t>& known = addresses_[region];
  if (known) return *known;
  const auto map = read_memory_map(process_id());
  if (!map) return fail(map.error());
  if (!identity_.layout[region].mapped) {
    auto found = find_unmapped(region, *map);
    if (found) known = *found;
    return found;
  }
  known = find_file(*map, memory_->file(), memory_->main().size(), !own_memory_);
  if (!known) {
    return fail("memory-not-shared", "QEMU does not map the memory that the engine made",
                "leave memory options but -m out of the command");
  }
  return *known;
}

Result<void> QemuGuest::start_tracking() {
  if (tracker_) {
    // A second secondary has nothing of what the first was sent.
    first_scan_ = true;
    return {};
  }
  auto uffd = userfaultfd_of(process_id(), end_fd());
  if (!uffd) return fail(uffd.error());
  auto tracker = Tracker::start(process_id(), std::move(*uffd));
  if (!tracker) return fail(tracker.error());
  const auto main = address_of(0);
  if (!main) return fail(main.error());
  if (auto added = tracker->add({*main, memory_->main().size()}); !added) return added;
  tracked_.assign(tracked_.size(), false);
  tracked_[0] = true;
  first_scan_ = true;
  tracker_ = std::move(*tracker);
  return {};
}

Result<void> QemuGuest::scan(DirtyPages& dirty) {
  const MemoryLayout& layout = identity_.layout;
  COLO_CHECK(dirty.size() == layout.size());
  if (!tracker_) return fail("tracking-not-started", "no write of the guest was tracked yet");
  // Everything is dirty the first time, even when a range fails below.
  if (first_scan_) {
    for (std::size_t i = 0; i < layout.size(); ++i) dirty[i].set_range(0, layout[i].pages);
  }
  for (RegionIndex i = 0; i < layout.size(); ++i) {
    const auto address = address_of(i);
    if (!address) return fail(address.error());
    const TrackedRange range{*address, layout[i].pages * page_bytes};
    if (!tracked_[i]) {
      if (auto added = tracker_->add(range); !added) return added;
      tracked_[i] = true;
    }
    if (auto scanned = tracker_->scan(range, dirty[i]); !scanned) return scanned;
  }
  first_scan_ = false;
  return {};
}

Result<void> QemuGuest::read_pages(RegionIndex region, std::span<const PageIndex> pages,
                                   MutableBytes out) {
  COLO_CHECK(region < identity_.layout.size() && out.size() == pages.size() * page_bytes);
  const auto inside = [limit = identity_.layout[region].pages](PageIndex page) {
    return page < limit;
  };
  COLO_CHECK(std::all_of(pages.begin(), pages.end(), inside));
  if (const MutableBytes from = here(region); !from.empty()) {
    for (std::size_t i = 0; i < pages.size(); ++i) {
      std::memcpy(out.data() + i * page_bytes, from.data() + pages[i] * page_bytes, page_bytes);
    }
    return {};
  }
  const auto address = address_of(region);
  if (!address) return fail(address.error());
  std::array<iovec, pages_per_copy> remote;
  for (std::size_t done = 0; done < pages.size();) {
    const std::size_t count = std::min(pages.size() - done, pages_per_copy);
    std::size_t pieces = 0;
    for (std::size_t i = 0; i < count; ++i) {
      // Neighbours in one piece: the kernel's work is mostly per piece.
      if (i > 0 && pages[done + i] == pages[done + i - 1] + 1) {
        remote[pieces - 1].iov_len += page_bytes;
      } else {
        remote[pieces++] = {reinterpret_cast<void*>(*address + pages[done + i] * page_bytes),
                            page_bytes};
      }
    }
    const iovec local{out.data() + done * page_bytes, count * page_bytes};
    if (::process_vm_readv(process_id(), &local, 1, remote.data(), pieces, 0) !=
        static_cast<ssize_t>(local.iov_len)) {
      return fail("guest-not-readable",
                  errno_text("reading " + identity_.layout[region].name + " of QEMU", errno));
    }
    done += count;
  }
  return {};
}

Bitmap QemuGuest::untouched(RegionIndex region) {
  COLO_CHECK(region < identity_.layout.size());
  Bitmap pages(identity_.layout[region].pages);
  // Where the guest has its own copies, a hole of the file says nothing about its page.
  if (!identity_.layout[region].mapped || here(region).empty()) return pages;
  // A memory file has pages where somebody touched it, and holes elsewhere.
  const auto end = static_cast<off_t>(memory_->main().size());
  for (off_t at = 0; at < end;) {
    const off_t hole = ::lseek(memory_->fd(), at, SEEK_HOLE);
    if (hole < 0 || hole >= end) break;
    const off_t data = ::lseek(memory_->fd(), hole, SEEK_DATA);
    if (data < 0 && errno != ENXIO) break;
    at = data < 0 ? end : data;
    const auto first = (static_cast<std::uint64_t>(hole) + page_bytes - 1) / page_bytes;
    const auto behind = static_cast<std::uint64_t>(at) / page_bytes;
    if (behind > first) pages.set_range(first, behind - first);
  }
  return pages;
}

Result<void> QemuGuest::write_page(RegionIndex region, PageIndex page, ByteView bytes) {
  COLO_CHECK(region < identity_.layout.size() && page < identity_.layout[region].pages &&
             bytes.size() == page_bytes);
  if (running_) return fail("write-refused", "a running guest's memory is its own");
  const MutableBytes to = here(region);
  if (identity_.layout[region].mapped && !to.empty() && is_zero_page(bytes)) {
    // The first copy of a mostly empty guest must not fill the standby's memory file with zeros.
    const auto at = static_cast<off_t>(page * page_bytes);
    const off_t data = ::lseek(memory_->fd(), at, SEEK_DATA);
    const bool hole = data < 0 ? errno == ENXIO : data >= at + static_cast<off_t>(page_bytes);
    if (hole) return {};
  }
  if (!to.empty()) {
    std::memcpy(to.data() + page * page_bytes, bytes.data(), page_bytes);
    return {};
  }
  const auto address = address_of(region);
  if (!address) return fail(address.error());
  const iovec local{const_cast<std::byte*>(bytes.data()), page_bytes};
  const iovec remote{reinterpret_cast<void*>(*address + page * page_bytes), page_bytes};
  if (::process_vm_writev(process_id(), &local, 1, &remote, 1, 0) !=
      static_cast<ssize_t>(page_bytes)) {
    return fail("guest-not-writable",
                errno_text("writing " + identity_.layout[region].name + " of QEMU", errno));
  }
  return {};
}

Result<OwnCopies*> QemuGuest::own_copies() {
  if (!own_copies_) {
    const auto main = address_of(0);
    if (!main) return fail(main.error());
    auto copies = OwnCopies::of(process_id(), *main, memory_->main().size());
    if (!copies) return fail(copies.error());
    own_copies_ = std::move(*copies);
  }
  return &*own_copies_;
}

Result<std::uint64_t> QemuGuest::own_pages() {
  if (!own_memory_) return std::uint64_t{0};
  const auto copies = own_copies();
  if (!copies) return fail(copies.error());
  return (*copies)->estimate();
}

Result<void> QemuGuest::check_fresh() {
  if (!own_memory_) return {};
  const auto copies = own_copies();
  if (!copies) return fail(copies.error());
  const auto own = (*copies)->count();
  if (!own) return fail(own.error());
  if (*own == 0) return {};
  return fail("standby-not-fresh",
              "this standby wrote " + std::to_string(*own) +
                  " pages of its memory before it was loaded, which hide the checkpoint",
              "start another standby on the same memory");
}

Result<std::uint64_t> QemuGuest::release_hidden() {
  if (!own_memory_) return std::uint64_t{0};
  if (waiting_) return fail("release-refused", "a standby has nothing of its own to hide memory");
  const auto copies = own_copies();
  if (!copies) return fail(copies.error());
  return memory_->release_behind(**copies);
}

}  // namespace colo::guest
