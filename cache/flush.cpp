// The flush: committed pages go to the guest's memory, batch by batch. Pages are picked under the
// lock and written outside it, so that staging goes on; slots that a commit replaces meanwhile
// stay readable until their batch has ended.
#include <array>
#include <utility>

#include "base/check.h"
#include "cache/cache.h"
#include "cache/state.h"

namespace colo::cache {

namespace {

constexpr std::size_t batch_pages = 256;
constexpr std::array<std::byte, page_bytes> zero_bytes{};

}  // namespace

void Cache::mark_diverged(PageId first, std::uint64_t pages) {
  const std::lock_guard lock(state_->mutex);
  state_->committed.mark_diverged(first, pages);
}

bool Cache::flush_needed() const {
  const std::lock_guard lock(state_->mutex);
  if (state_->committed_epoch == Epoch{}) return false;
  return state_->committed.any() || state_->flushed_epoch != state_->committed_epoch;
}

Result<void> Cache::flush(FlushTarget& target) {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  COLO_CHECK(!state.flushing);
  if (state.committed_epoch == Epoch{}) {
    return fail("nothing-committed", "a flush was asked for before any checkpoint was complete");
  }
  state.flushing = true;
  // Always everything: what an earlier flush wrote before it was cut off may be gone with the
  // process that held it.
  state.committed.restart();
  Result<void> outcome;
  for (;;) {
    outcome = state.committed.pick(batch_pages, state.batch);
    if (!outcome || state.batch.empty()) break;
    state.pool.begin_reading();
    // The addresses are looked up under the lock: the table of slabs may grow meanwhile.
    std::array<ByteView, batch_pages> bytes;
    for (std::size_t i = 0; i < state.batch.size(); ++i) {
      const Slot slot = state.batch[i].slot;
      bytes[i] = has_bytes(slot) ? ByteView(state.pool.bytes(slot)) : ByteView(zero_bytes);
    }
    lock.unlock();
    for (std::size_t i = 0; i < state.batch.size() && outcome; ++i) {
      outcome = target.write_page(state.batch[i].page, bytes[i]);
    }
    lock.lock();
    state.pool.end_reading();
    if (!outcome) break;
  }
  if (outcome) {
    // Nothing is pending under this lock: the target is exactly the committed checkpoint.
    state.committed.forget(state.pool);
    state.flushed_epoch = state.committed_epoch;
    state.keep();
  }
  state.flushing = false;
  return outcome;
}

}  // namespace colo::cache
