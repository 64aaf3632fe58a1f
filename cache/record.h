// The body of a commit record: what a store keeps of a checkpoint besides its pages' bytes.
// Role: encoding and checked decoding; numbers as this machine has them, since no other reads it.
// Threads: none. Errors: "bad-record".
#pragma once

#include "base/result.h"
#include "base/types.h"
#include "cache/store.h"

namespace colo::cache {

// Room for the largest record of a guest. A device state of more bytes, or a larger table of
// connections, is not kept.
inline constexpr std::size_t kept_device_bytes_max = 64U << 20;
inline constexpr std::size_t kept_flows_bytes_max = 2U << 20;
[[nodiscard]] std::size_t record_bytes_max(const MemoryLayout& layout);

[[nodiscard]] std::size_t encoded_bytes(const Kept& kept);
// REQUIRES: out.size() == encoded_bytes(kept).
void encode(const Kept& kept, MutableBytes out);
// Every length, page and region is checked; no page is named twice, no slot either. A guest of more
// than pages_max pages is refused.
[[nodiscard]] Result<Kept> decode_record(ByteView body, std::uint64_t pages_max);

}  // namespace colo::cache
