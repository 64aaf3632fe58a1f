#include "guest/embedded/embedded_guest.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/check.h"

namespace colo::guest::embedded {

namespace {

// Pages copied in one go while the program waits: some ten microseconds.
constexpr std::size_t pages_at_once = 32;

std::chrono::microseconds time_of_day() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::system_clock::now().time_since_epoch());
}

}  // namespace

Result<std::unique_ptr<Guest>> EmbeddedGuest::create(const GuestConfig& config,
                                                     std::shared_ptr<Ram> ram, Start start) {
  std::unique_ptr<EmbeddedGuest> guest;
  if (start == Start::standby_with_own_copies) {
    auto own = ram->map_privately();
    if (!own) return fail(own.error());
    const MutableBytes bytes = (*own)->bytes();
    auto copies =
        OwnCopies::of(::getpid(), reinterpret_cast<std::uint64_t>(bytes.data()), bytes.size());
    if (!copies) return fail(copies.error());
    guest.reset(new EmbeddedGuest(std::move(*own)));
    guest->own_.emplace(OwnMemory{std::move(ram), std::move(*copies)});
  } else {
    guest.reset(new EmbeddedGuest(std::move(ram)));
  }
  for (const NicConfig& nic : config.nics) {
    auto card = NetworkCard::create();
    if (!card) return fail(card.error());
    guest->ports_.push_back({nic.id, card->outer()});
    guest->cards_.push_back(std::move(*card));
  }
  auto runner =
      Runner::create(guest->machine_, guest->cards_, config.embedded.dirty_pages_per_second);
  if (!runner) return fail(runner.error());
  guest->runner_ = std::move(*runner);
  if (start == Start::from_the_beginning) {
    guest->machine_.start_from_the_beginning();
    guest->life_ = Life::ready;
  }
  return guest;
}

EmbeddedGuest::EmbeddedGuest(std::shared_ptr<Ram> ram) : machine_(std::move(ram)) {
  identity_ = {"embedded", "1", "embedded-1", "none", machine_.memory().layout()};
}

MutableBytes EmbeddedGuest::mapping(RegionIndex region) {
  if (region >= identity_.layout.size() || !identity_.layout[region].mapped) return {};
  if (!own_) return machine_.memory().region(region);
  return sees_base() ? own_->base->bytes() : MutableBytes{};
}

Result<void> EmbeddedGuest::has_not_ended() {
  if (const auto ended = runner_->end()) return fail("guest-ended", ended->reason);
  return {};
}

Result<void> EmbeddedGuest::has_state() {
  if (auto ok = has_not_ended(); !ok) return ok;
  if (life_ == Life::ready) return {};
  return fail("not-loaded",
              life_ == Life::waiting
                  ? "the embedded guest is a standby that has no device state yet"
                  : "the embedded guest's device state failed to load",
              life_ == Life::waiting ? "" : "start another standby on the same memory");
}

Result<void> EmbeddedGuest::page_exists(RegionIndex region, PageIndex page) {
  const MemoryLayout& layout = identity_.layout;
  if (region < layout.size() && page < layout[region].pages) return {};
  return fail("page-out-of-range", "the embedded guest has no page " + std::to_string(page) +
                                       " in region " + std::to_string(region));
}

Result<void> EmbeddedGuest::pause() {
  if (auto ok = has_not_ended(); !ok) return ok;
  if (!runner_->running()) return has_not_ended();
  runner_->stand_still();
  stopped_ = time_of_day();
  return has_not_ended();  // it may have crashed just before
}

Result<std::optional<Standstill>> EmbeddedGuest::resume() {
  if (auto ok = has_state(); !ok) return fail(ok.error());
  std::optional<Standstill> standstill;
  if (runner_->running()) return standstill;
  if (stopped_) standstill = Standstill{*stopped_, time_of_day()};
  stopped_.reset();
  runner_->run();
  return standstill;
}

Result<void> EmbeddedGuest::start_tracking() {
  if (auto ok = has_not_ended(); !ok) return ok;
  const auto lock = runner_->exclusive();
  machine_.memory().start_tracking();
  return {};
}

Result<void> EmbeddedGuest::scan(DirtyPages& dirty) {
  if (auto ok = has_not_ended(); !ok) return ok;
  COLO_CHECK(dirty.size() == identity_.layout.size());
  const auto lock = runner_->exclusive();
  if (!machine_.memory().tracking()) {
    return fail("not-tracking", "a scan for dirty pages was asked for before tracking had started");
  }
  machine_.memory().collect_dirty(dirty);
  return {};
}

Result<void> EmbeddedGuest::read_pages(RegionIndex region, std::span<const PageIndex> pages,
                                       MutableBytes out) {
  COLO_CHECK(out.size() == pages.size() * page_bytes);
  if (auto ok = has_not_ended(); !ok) return ok;
  for (const PageIndex page : pages) {
    if (auto ok = page_exists(region, page); !ok) return ok;
  }
  for (std::size_t first = 0; first < pages.size(); first += pages_at_once) {
    const auto lock = runner_->exclusive();
    const std::size_t last = std::min(pages.size(), first + pages_at_once);
    for (std::size_t i = first; i < last; ++i) {
      const ByteView page = machine_.memory().view(region, pages[i] * page_bytes, page_bytes);
      std::memcpy(out.data() + i * page_bytes, page.data(), page_bytes);
    }
  }
  return {};
}

Result<void> EmbeddedGuest::write_page(RegionIndex region, PageIndex page, ByteView bytes) {
  COLO_CHECK(bytes.size() == page_bytes);
  if (auto ok = has_not_ended(); !ok) return ok;
  if (auto ok = page_exists(region, page); !ok) return ok;
  if (runner_->running()) {
    return fail("guest-running", "a page of the embedded guest was to be written while it runs");
  }
  if (region == ram_region && sees_base()) {
    std::memcpy(own_->base->bytes().data() + page * page_bytes, bytes.data(), page_bytes);
    return {};
  }
  machine_.memory().write(region, page * page_bytes, bytes);
  return {};
}

Result<std::uint64_t> EmbeddedGuest::own_pages() {
  if (auto ok = has_not_ended(); !ok) return fail(ok.error());
  return own_ ? own_->copies.count() : Result<std::uint64_t>(0);
}

Result<std::uint64_t> EmbeddedGuest::release_hidden() {
  if (auto ok = has_state(); !ok) return fail(ok.error());
  return own_ ? own_->copies.release_behind(own_->base->fd()) : Result<std::uint64_t>(0);
}

Result<Bytes> EmbeddedGuest::save_device_state() {
  if (auto ok = has_state(); !ok) return fail(ok.error());
  if (runner_->running()) {
    return fail("guest-running", "the device state was to be saved while the embedded guest runs");
  }
  return machine_.save();
}

Result<void> EmbeddedGuest::load_device_state(ByteView state) {
  if (auto ok = has_not_ended(); !ok) return ok;
  if (life_ != Life::waiting) {
    return fail("load-failed",
                life_ == Life::ready ? "the embedded guest has a device state already"
                                     : "an earlier load into the same embedded guest failed",
                "start another standby on the same memory");
  }
  const auto own = own_pages();
  if (!own || *own != 0) {
    life_ = Life::spoiled;
    if (!own) return fail(own.error());
    return fail("standby-not-fresh",
                "this standby wrote " + std::to_string(*own) +
                    " pages of its memory before it was loaded, which hide the checkpoint",
                "start another standby on the same memory");
  }
  auto loaded = machine_.load(state);
  life_ = loaded ? Life::ready : Life::spoiled;
  return loaded;
}

Result<void> EmbeddedGuest::announce() {
  if (auto ok = has_state(); !ok) return ok;
  const bool running = runner_->running();
  if (!running) return fail("guest-paused", "a paused guest cannot announce itself");
  const auto lock = runner_->exclusive();
  for (std::uint32_t port = 0; port < cards_.size(); ++port) {
    runner_->send(port, machine_.announcement(port));
  }
  return {};
}

End EmbeddedGuest::end() {
  if (auto ended = runner_->end()) return *ended;
  return {true, false, "the embedded guest has not ended"};
}

}  // namespace colo::guest::embedded
