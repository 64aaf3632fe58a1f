// Takes the frames of a bulk lane into the cache and says when a checkpoint is whole. A peer's
// bytes are never trusted: generation, epoch, order, page numbers, counts, digest and the hash of
// the device state must all fit before anything can be committed.
//
// Ownership: the cache outlives the Stager. One Stager per session.
// Threads: the bulk lane's thread only; committing is the core's decision, elsewhere.
// Errors: those of the wire's decoders and the cache; "out-of-order", "wrong-generation",
//   "device-state-too-large", "wrong-device-state", "wrong-digest", "unexpected-frame". After an
//   error the session is of no further use; the committed checkpoint is untouched.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "base/types.h"
#include "cache/cache.h"
#include "wire/decoder.h"
#include "wire/pages.h"

namespace colo::secondary {

// A q35 with a network card has 80 KB; large virtio or TPM states reach some megabytes.
inline constexpr std::uint64_t device_state_bytes_max = 64ULL << 20;

class Stager {
 public:
  // `base`: the checkpoint that the session goes on from; 0 for a first copy, also one that goes on
  // after it was cut off. A commit record counts and digests this session's frames alone: what an
  // earlier session brought was checked frame by frame when it arrived.
  Stager(cache::Cache& cache, MemoryLayout layout, Generation generation, Epoch base = {});

  // The epoch that this frame completed, if it did.
  Result<std::optional<Epoch>> take(const wire::Frame& frame);

 private:
  Result<void> check_numbers(const wire::Header& header) const;
  Result<void> take_pages(const wire::Frame& frame);
  Result<void> take_device_state(const wire::Frame& frame);
  Result<void> take_device_chunk(const wire::Frame& frame);
  Result<void> take_commit(const wire::Frame& frame);

  cache::Cache& cache_;
  MemoryLayout layout_;
  Generation generation_;
  Epoch open_;
  std::uint64_t pages_ = 0;
  std::uint64_t zero_pages_ = 0;
  wire::PageDigest digest_;
  std::optional<wire::DeviceState> announced_;
  Bytes device_state_;
};

}  // namespace colo::secondary
