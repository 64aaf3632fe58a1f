// The running digest of a ledger: a chain, so that one missing, changed or reordered entry changes
// every digest after it. Both kinds of guests and the judge outside compute it in the same way.
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace colo::demo {

inline constexpr std::uint64_t empty_digest = 0;

// XXH3-64 of the digest so far (8 bytes, big-endian) followed by the entry.
[[nodiscard]] inline std::uint64_t next_digest(std::uint64_t digest, std::string_view entry) {
  std::string bytes;
  bytes.reserve(sizeof digest + entry.size());
  for (int shift = 56; shift >= 0; shift -= 8) {
    bytes.push_back(static_cast<char>((digest >> shift) & 0xff));
  }
  bytes.append(entry);
  return XXH3_64bits(bytes.data(), bytes.size());
}

}  // namespace colo::demo
