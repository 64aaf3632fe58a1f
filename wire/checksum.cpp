#include "wire/checksum.h"

#include <xxhash.h>

#include "wire/bytes.h"
#include "wire/messages.h"

namespace colo::wire {

std::uint64_t checksum64(ByteView bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

Hash128 hash128(ByteView bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  Hash128 out;
  put_little<std::uint64_t>(out.data(), hash.low64);
  put_little<std::uint64_t>(out.data() + 8, hash.high64);
  return out;
}

}  // namespace colo::wire
