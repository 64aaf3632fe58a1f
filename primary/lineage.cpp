#include "primary/lineage.h"

#include "base/check.h"

namespace colo::primary {

namespace {

guest::DirtyPages empty_like(const guest::DirtyPages& pages) {
  guest::DirtyPages empty;
  for (const Bitmap& region : pages) empty.emplace_back(region.size());
  return empty;
}

}  // namespace

Lineage::Lineage(const MemoryLayout& layout)
    : pending_(guest::no_pages(layout)),
      unacknowledged_(guest::no_pages(layout)),
      resent_(guest::no_pages(layout)) {}

Result<guest::DirtyPages> Lineage::bitmaps_of(const std::vector<PageRange>& ranges) const {
  guest::DirtyPages pages = empty_like(pending_);
  for (const PageRange& range : ranges) {
    const std::uint64_t size = range.region < pages.size() ? pages[range.region].size() : 0;
    if (range.first > size || range.count > size - range.first) {
      return fail("bad-held-pages",
                  "the secondary says it holds " + std::to_string(range.count) +
                      " pages from page " + std::to_string(range.first) + " of region " +
                      std::to_string(range.region) + " on, which the guest does not have",
                  "run the same version of colo on both hosts");
    }
    pages[range.region].set_range(range.first, range.count);
  }
  return pages;
}

Result<void> Lineage::begin(const wire::Token& token, const std::vector<PageRange>& stale) {
  auto doubtful = bitmaps_of(stale);
  if (!doubtful) return fail(doubtful.error());
  token_ = token;
  sound_ = true;
  acknowledged_ = {};
  captured_ = {};
  pending_ = empty_like(pending_);
  // As if sent twice: held or not, they are sent again.
  resent_ = *doubtful;
  unacknowledged_ = std::move(*doubtful);
  return {};
}

Result<void> Lineage::resume(const Base& base) {
  if (!is(base.token) || (base.epoch != acknowledged_ && base.epoch != captured_)) {
    return fail("no-such-base",
                "checkpoint " + std::to_string(base.epoch.value) +
                    " is not one that this guest can go on from; the last acknowledged is " +
                    std::to_string(acknowledged_.value),
                "none needed: the next session copies the whole memory");
  }
  const bool cut_off = base.epoch == Epoch{};
  const auto held = bitmaps_of(cut_off ? base.pages : std::vector<PageRange>{});
  if (!held) return fail(held.error());
  if (base.epoch == acknowledged_) {
    for (std::size_t i = 0; i < pending_.size(); ++i) {
      // What is not held counts as never sent: it can only be held again by being sent again.
      Bitmap still_held(pending_[i].size());
      unacknowledged_[i].for_each([&](PageIndex page) {
        if ((*held)[i].test(page)) {
          still_held.set(page);
          if (resent_[i].test(page)) pending_[i].set(page);
        } else {
          pending_[i].set(page);
          resent_[i].clear(page);
        }
      });
      unacknowledged_[i] = std::move(still_held);
    }
  } else {
    unacknowledged_ = empty_like(pending_);
    resent_ = empty_like(pending_);
  }
  acknowledged_ = base.epoch;
  captured_ = base.epoch;
  return {};
}

void Lineage::open(Epoch epoch) {
  if (epoch.previous() == acknowledged_) {
    COLO_CHECK(captured_ == acknowledged_);
    return;
  }
  COLO_CHECK(epoch.previous() == captured_);
  acknowledged_ = captured_;
  unacknowledged_ = empty_like(pending_);
  resent_ = empty_like(pending_);
}

void Lineage::captured() { captured_ = acknowledged_.next(); }

std::uint64_t Lineage::pending_pages() const {
  std::uint64_t pages = 0;
  for (const Bitmap& region : pending_) pages += region.count();
  return pages;
}

void Lineage::sent(PageId page) {
  pending_[page.region].clear(page.page);
  if (!unacknowledged_[page.region].set(page.page)) resent_[page.region].set(page.page);
}

}  // namespace colo::primary
