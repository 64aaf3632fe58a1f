// The cache and its store: what is committed is written down before anybody is told of it.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "cache/cache.h"
#include "cache/state.h"

namespace colo::cache {

Result<void> Cache::State::share_pool(const std::vector<Kept::Page>& kept) {
  std::vector<Slot> slots;
  slots.reserve(kept.size());
  for (const Kept::Page& page : kept) slots.push_back(page.slot);
  auto shared = pool.share([this](std::size_t index) { return store->slab(index); }, slots);
  keeps = shared.has_value();
  return shared;
}

void Cache::State::keep() {
  if (!keeps) return;
  committed.list(listed);
  Kept record{origin, committed_epoch, flushed_epoch, layout, mirrored, device_state, {}};
  record.pages.swap(listed);
  const auto written = store->write(record);
  record.pages.swap(listed);
  if (written) return;
  store_trouble = written.error();
  stop_keeping();
}

// What the store still says is older than what is committed now, so it must say nothing.
void Cache::State::stop_keeping() {
  if (!std::exchange(keeps, false)) return;
  store->strike_out();
}

Result<std::unique_ptr<Cache>> Cache::reopen(std::unique_ptr<Arena> arena, CacheLimits limits) {
  auto reopened = Store::reopen(std::move(arena));
  if (!reopened) return fail(reopened.error());
  const Kept& kept = reopened->kept;
  auto cache = std::make_unique<Cache>(kept.layout, kept.mirrored, limits);
  State& state = *cache->state_;
  state.store = std::move(reopened->store);
  if (auto shared = state.share_pool(kept.pages); !shared) return fail(shared.error());
  for (const Kept::Page& page : kept.pages) {
    state.committed.accept(state.pool, page.page, page.slot);
    if (kept.mirrored[page.page.region]) state.committed.mark_diverged(page.page, 1);
  }
  state.committed_epoch = kept.committed;
  state.flushed_epoch = kept.flushed;
  state.device_state = kept.device_state;
  state.origin = kept.origin;
  state.next_origin = kept.origin;
  state.through_pages.clear();
  return cache;
}

const MemoryLayout& Cache::layout() const { return state_->layout; }

void Cache::set_origin(Origin origin) {
  const std::lock_guard lock(state_->mutex);
  state_->next_origin = std::move(origin);
}

Origin Cache::origin() const {
  const std::lock_guard lock(state_->mutex);
  return state_->origin;
}

void Cache::strike_out() {
  const std::lock_guard lock(state_->mutex);
  state_->stop_keeping();
}

std::optional<Error> Cache::store_trouble() const {
  const std::lock_guard lock(state_->mutex);
  return state_->store_trouble;
}

}  // namespace colo::cache
