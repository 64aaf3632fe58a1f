// Embedded guests and what a test needs of them.
#pragma once

#include <poll.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "guest/embedded/maker.h"
#include "tests/guest_embedded/client.h"

namespace colo::guest::embedded::testing {

inline GuestConfig config_of(std::uint32_t pages_per_second = 20000,
                             std::vector<std::string> nics = {"net0"},
                             std::uint64_t memory_bytes = 4ULL << 20) {
  GuestConfig config;
  config.name = "test";
  config.kind = "embedded";
  config.embedded = {memory_bytes, pages_per_second};
  for (std::string& id : nics) config.nics.push_back({std::move(id)});
  return config;
}

#define ASSERT_OK(call)                                         \
  do {                                                          \
    const auto outcome = (call);                                \
    ASSERT_TRUE(outcome.has_value()) << outcome.error().text(); \
  } while (false)

// All pages of a region, read through the contract.
inline Bytes read_region(Guest& guest, RegionIndex region) {
  std::vector<PageIndex> pages(guest.identity().layout[region].pages);
  for (PageIndex page = 0; page < pages.size(); ++page) pages[page] = page;
  Bytes out(pages.size() * page_bytes);
  const auto ok = guest.read_pages(region, pages, out);
  EXPECT_TRUE(ok) << ok.error().text();
  return out;
}

// The counts of pages that the guest's workers have rewritten, from its header in ram.
inline std::uint64_t steps_of(Guest& guest) {
  const std::vector<PageIndex> header_page{0};
  Bytes page(page_bytes);
  EXPECT_TRUE(guest.read_pages(ram_region, header_page, page));
  std::uint64_t sum = 0;
  for (std::size_t worker = 0; worker < worker_count; ++worker) {
    std::uint64_t steps = 0;
    std::memcpy(&steps, page.data() + header::steps(worker), sizeof steps);
    sum += steps;
  }
  return sum;
}

inline void wait_for_steps(Guest& guest, std::uint64_t more) {
  const std::uint64_t until = steps_of(guest) + more;
  while (steps_of(guest) < until) std::this_thread::yield();
}

inline bool has_ended(const Guest& guest) {
  pollfd end{guest.end_fd(), POLLIN, 0};
  return ::poll(&end, 1, 0) > 0;
}

}  // namespace colo::guest::embedded::testing
