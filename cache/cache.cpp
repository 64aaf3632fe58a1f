#include "cache/cache.h"

#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/page.h"
#include "cache/state.h"

namespace colo::cache {

namespace {

constexpr std::array<std::byte, page_bytes> zeros{};

}  // namespace

Result<void> Cache::State::accepts(Epoch epoch) const {
  const Epoch next = committed_epoch.next();
  if (epoch == next) return {};
  return fail("epoch-out-of-order", "something of checkpoint " + std::to_string(epoch.value) +
                                        " arrived where only checkpoint " +
                                        std::to_string(next.value) + " may arrive");
}

Result<void> Cache::State::accepts(Epoch epoch, PageId page) const {
  if (page.region >= layout.size()) {
    return fail("page-out-of-range", "region " + std::to_string(page.region) + " of " +
                                         std::to_string(layout.size()) + " does not exist");
  }
  const RegionLayout& region = layout[page.region];
  if (page.page >= region.pages) {
    return fail("page-out-of-range", "page " + std::to_string(page.page) + " of region " +
                                         region.name + ", which has " +
                                         std::to_string(region.pages) + " pages");
  }
  return accepts(epoch);
}

Result<void> Cache::State::write_through_page(std::unique_lock<std::mutex>& lock, Epoch epoch,
                                              PageId page, ByteView bytes) {
  staged.begin(epoch);
  staged.count_written_through();
  FlushTarget& target = *through;
  lock.unlock();  // before the first commit no flush writes this target
  auto written = target.write_page(page, bytes);
  lock.lock();
  if (written && !through_pages.empty()) through_pages[page.region].set(page.page);
  return written;
}

Cache::Cache(MemoryLayout layout, std::vector<bool> mirrored, CacheLimits limits,
             std::unique_ptr<Store> store)
    : state_(std::make_unique<State>(std::move(layout), std::move(mirrored), limits,
                                     std::move(store))) {
  if (state_->store) COLO_CHECK(state_->share_pool({}).has_value());  // nothing is taken yet
}

Cache::~Cache() = default;

void Cache::write_through(FlushTarget* target) {
  const std::lock_guard lock(state_->mutex);
  COLO_CHECK(state_->staged.epoch() == Epoch{} && state_->committed_epoch == Epoch{});
  state_->through = target;
}

Result<void> Cache::put_page(Epoch epoch, PageId page, ByteView bytes) {
  if (bytes.size() != page_bytes) {
    return fail("page-size", "a page came with " + std::to_string(bytes.size()) + " bytes");
  }
  if (is_zero_page(bytes)) return put_zero(epoch, page);
  std::unique_lock lock(state_->mutex);
  if (auto ok = state_->accepts(epoch, page); !ok) return ok;
  StagedSet& staged = state_->staged;
  if (state_->goes_through(page)) {
    return state_->write_through_page(lock, epoch, page, bytes);
  }
  Slot slot = staged.at(page);
  if (!has_bytes(slot)) {
    if (staged.byte_pages() >= state_->limits.staged_pages) {
      return fail("cache-full",
                  "checkpoint " + std::to_string(epoch.value) + " has more than the limit of " +
                      std::to_string(state_->limits.staged_pages) + " staged pages (" +
                      std::to_string(state_->limits.staged_pages * page_bytes >> 20) + " MiB)",
                  "raise limits.staged in the configuration");
    }
    slot = state_->pool.allocate();
  }
  staged.begin(epoch);
  if (auto trouble = state_->pool.take_trouble()) {
    state_->store_trouble = std::move(trouble);
    state_->stop_keeping();
  }
  std::memcpy(state_->pool.bytes(slot).data(), bytes.data(), page_bytes);
  staged.put(state_->pool, page, slot);
  return {};
}

Result<void> Cache::put_zero(Epoch epoch, PageId page) {
  std::unique_lock lock(state_->mutex);
  if (auto ok = state_->accepts(epoch, page); !ok) return ok;
  if (state_->goes_through(page)) {
    return state_->write_through_page(lock, epoch, page, zeros);
  }
  state_->staged.begin(epoch);
  state_->staged.put(state_->pool, page, zero_page);
  return {};
}

Result<void> Cache::put_device_state(Epoch epoch, Bytes state) {
  const std::lock_guard lock(state_->mutex);
  if (auto ok = state_->accepts(epoch); !ok) return ok;
  state_->staged.begin(epoch);
  state_->staged.put_device_state(std::move(state));
  return {};
}

void Cache::discard_staged() {
  const std::lock_guard lock(state_->mutex);
  state_->staged.discard(state_->pool);
  for (Bitmap& region : state_->through_pages) region.clear_all();
}

void Cache::end_session() {
  const std::lock_guard lock(state_->mutex);
  if (state_->committed_epoch == Epoch{}) {
    // The next session saves its own: this one must never be committed with that one's pages.
    state_->staged.drop_device_state();
  } else {
    state_->staged.discard(state_->pool);
  }
}

std::vector<PageRange> Cache::held_pages(std::size_t most) {
  const std::lock_guard lock(state_->mutex);
  std::vector<PageRange> ranges;
  if (state_->committed_epoch > Epoch{}) return ranges;
  for (RegionIndex i = 0; i < state_->layout.size(); ++i) {
    Bitmap& through = state_->through_pages[i];
    Bitmap held = through;
    held.unite(state_->staged.present(i));
    held.for_each([&](PageIndex page) {
      const bool grows = !ranges.empty() && ranges.back().region == i &&
                         ranges.back().first + ranges.back().count == page;
      if (grows) {
        ++ranges.back().count;
      } else if (ranges.size() < most) {
        ranges.push_back({i, page, 1});
      } else {
        through.clear(page);
        state_->staged.forget(state_->pool, {i, page});
      }
    });
  }
  return ranges;
}

Result<void> Cache::commit(Epoch epoch) {
  const std::lock_guard lock(state_->mutex);
  if (auto ok = state_->accepts(epoch); !ok) return ok;
  StagedSet& staged = state_->staged;
  if (staged.epoch() != epoch) {
    return fail("epoch-out-of-order", "checkpoint " + std::to_string(epoch.value) +
                                          " was to be committed, but nothing of it had arrived");
  }
  if (!staged.has_device_state()) {
    return fail("no-device-state",
                "checkpoint " + std::to_string(epoch.value) + " has no device state");
  }
  state_->device_state = staged.move_out(
      [this](PageId page, Slot slot) { state_->committed.accept(state_->pool, page, slot); });
  state_->committed_epoch = epoch;
  state_->through_pages.clear();
  state_->origin = state_->next_origin;
  state_->keep();
  return {};
}

Epoch Cache::committed() const {
  const std::lock_guard lock(state_->mutex);
  return state_->committed_epoch;
}

std::shared_ptr<const Bytes> Cache::device_state() const {
  const std::lock_guard lock(state_->mutex);
  return state_->device_state;
}

CacheFigures Cache::figures() const {
  const std::lock_guard lock(state_->mutex);
  CacheFigures figures;
  figures.staged = state_->staged.epoch();
  figures.committed = state_->committed_epoch;
  figures.flushed = state_->flushed_epoch;
  figures.staged_pages = state_->staged.pages();
  figures.received_pages = state_->committed.received_pages();
  figures.diverged_pages = state_->committed.diverged_pages();
  figures.zero_pages = state_->staged.zero_pages() + state_->committed.zero_pages();
  figures.written_through_pages = state_->staged.written_through();
  figures.bytes = state_->pool.memory_bytes();
  return figures;
}

}  // namespace colo::cache
