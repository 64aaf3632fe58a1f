// The words of the domain as types. One word per idea; docs/ARCHITECTURE.md has the list.
#pragma once

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace colo {

// A number that only counts up and is never mixed with another kind of number.
template <class Tag>
struct Ordinal {
  std::uint64_t value = 0;
  [[nodiscard]] constexpr Ordinal next() const { return {value + 1}; }
  [[nodiscard]] constexpr Ordinal previous() const { return {value - 1}; }
  friend constexpr auto operator<=>(const Ordinal&, const Ordinal&) = default;
};

// The number of a checkpoint. 0: no checkpoint; the first one of a session is 1.
using Epoch = Ordinal<struct EpochTag>;
// The number of the current ownership. 0: nobody has ever owned the guest.
using Generation = Ordinal<struct GenerationTag>;

// Time is an argument everywhere outside io/ and app/: this clock has no now().
struct SteadyTime {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = std::chrono::nanoseconds;
  using time_point = std::chrono::time_point<SteadyTime, duration>;
  static constexpr bool is_steady = true;
};
using Instant = SteadyTime::time_point;
using Duration = std::chrono::nanoseconds;

using Bytes = std::vector<std::byte>;
using ByteView = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;

inline constexpr std::size_t page_bytes = 4096;

// A memory region of a guest, counted from 0 in the order of its layout.
using RegionIndex = std::uint32_t;
// A page of a region, counted from 0 in units of page_bytes.
using PageIndex = std::uint64_t;

struct PageId {
  RegionIndex region = 0;
  PageIndex page = 0;
  friend constexpr auto operator<=>(const PageId&, const PageId&) = default;
};

// `count` pages of one region, from `first` on.
struct PageRange {
  RegionIndex region = 0;
  PageIndex first = 0;
  std::uint64_t count = 0;
  friend bool operator==(const PageRange&, const PageRange&) = default;
};

// One memory region as both hosts must see it. Mapped: the engine has the guest's own pages in
// its address space. Not mapped (QEMU's video memory, ROMs): reached through the guest only.
struct RegionLayout {
  std::string name;
  std::uint64_t pages = 0;
  bool mapped = true;
  friend bool operator==(const RegionLayout&, const RegionLayout&) = default;
};
using MemoryLayout = std::vector<RegionLayout>;

}  // namespace colo
