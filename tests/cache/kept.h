// Caches with a store in shared memory, for tests.
#pragma once

#include "tests/cache/memory_target.h"
#include "tests/cache/shared_arena.h"

namespace colo::cache::testing {

inline constexpr std::uint64_t staged_pages = 400;

inline std::shared_ptr<SharedMemory> new_arena() {
  return std::make_shared<SharedMemory>(Store::arena_bytes(small_layout, staged_pages));
}

inline std::unique_ptr<Cache> new_cache(std::unique_ptr<Arena> arena) {
  auto store = Store::create(std::move(arena), small_layout);
  EXPECT_TRUE(store) << store.error().text();
  return std::make_unique<Cache>(small_layout, video_mirrored, CacheLimits{staged_pages},
                                 std::move(*store));
}

inline Origin origin_of(std::uint64_t epoch) {
  Origin origin;
  origin.generation = {3 + epoch / 7};
  origin.token[5] = static_cast<std::byte>(epoch);
  origin.primary_run = "run-" + std::to_string(epoch);
  origin.memory = 77;
  origin.identity = epoch * 31;
  origin.flows.assign(epoch % 5 * 40, static_cast<std::byte>(epoch));
  return origin;
}

}  // namespace colo::cache::testing
