// What the kernel offers and Debian 12's headers do not name yet: asynchronous write protection of
// userfaultfd (kernel 6.7) and the PAGEMAP_SCAN ioctl (kernel 6.7).
// Names and values: Documentation/admin-guide/mm/pagemap.rst, .../userfaultfd.rst of the kernel.
#pragma once

#include <linux/ioctl.h>
#include <linux/userfaultfd.h>

#include <cstdint>

namespace colo::guest {

// Values are the kernel's interface for programs and never change.
inline constexpr std::uint64_t uffd_feature_wp_hugetlbfs_shmem = std::uint64_t{1} << 12;
inline constexpr std::uint64_t uffd_feature_wp_unpopulated = std::uint64_t{1} << 13;
inline constexpr std::uint64_t uffd_feature_wp_async = std::uint64_t{1} << 15;
inline constexpr std::uint64_t uffd_features_needed =
    uffd_feature_wp_hugetlbfs_shmem | uffd_feature_wp_unpopulated | uffd_feature_wp_async;
// With this flag no privilege is needed; asynchronous protection never delivers a fault to a
// reader, so faults taken inside the kernel are resolved all the same.
inline constexpr unsigned uffd_user_mode_only = 1;

inline constexpr std::uint64_t page_is_written = std::uint64_t{1} << 1;
inline constexpr std::uint64_t page_is_file = std::uint64_t{1} << 2;
inline constexpr std::uint64_t page_is_present = std::uint64_t{1} << 3;
inline constexpr std::uint64_t page_is_swapped = std::uint64_t{1} << 4;
inline constexpr std::uint64_t pm_scan_wp_matching = std::uint64_t{1} << 0;
inline constexpr std::uint64_t pm_scan_check_wpasync = std::uint64_t{1} << 1;

struct PageRegion {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t categories = 0;
};

struct PmScanArg {
  std::uint64_t size = sizeof(PmScanArg);
  std::uint64_t flags = 0;
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t walk_end = 0;
  std::uint64_t vec = 0;
  std::uint64_t vec_len = 0;
  std::uint64_t max_pages = 0;
  std::uint64_t category_inverted = 0;
  std::uint64_t category_mask = 0;
  std::uint64_t category_anyof_mask = 0;
  std::uint64_t return_mask = 0;
};
static_assert(sizeof(PmScanArg) == 96);

inline constexpr unsigned long pagemap_scan = _IOWR('f', 16, PmScanArg);

}  // namespace colo::guest
