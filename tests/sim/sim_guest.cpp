#include "tests/sim/sim_guest.h"

#include <array>
#include <cstring>

#include "base/check.h"
#include "base/page.h"
#include "tests/sim/frames.h"
#include "tests/sim/world.h"

namespace colo::sim {

namespace {

constexpr std::byte garbage{0xee};  // whatever a fresh process holds in the memory that lives in it
constexpr std::size_t device_bytes = 40;
constexpr std::size_t outbox_max = 6;  // then the guest waits with what it would send
constexpr std::size_t inbox_max = 64;
constexpr int frames_per_step = 3;

using Page = std::array<std::byte, page_bytes>;

void put(std::byte* at, std::uint64_t value) { std::memcpy(at, &value, sizeof value); }
std::uint64_t get(const std::byte* at) {
  std::uint64_t value = 0;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// Marks at the begin, the middle and the end; a page of point 0 is zero.
void fill(MutableBytes page, Point version) {
  put(page.data(), version);
  put(page.data() + page_bytes / 2, version * 0x9e3779b97f4a7c15ULL);
  put(page.data() + page_bytes - 8, ~(version * 0x9e3779b97f4a7c15ULL) * (version != 0 ? 1U : 0U));
}

// The version whose bytes these are; a version that no page has if they are nobody's.
Point version_of(ByteView bytes) {
  constexpr Point none = ~Point{0};
  const auto version = static_cast<Point>(get(bytes.data()));
  Page expected{};
  fill(expected, version);
  return std::memcmp(expected.data(), bytes.data(), page_bytes) == 0 ? version : none;
}

PageId id_of(std::size_t page) {
  if (page < ram_pages) return {0, page};
  return {1, page - ram_pages};
}

}  // namespace

Ram make_ram() { return std::make_shared<Bytes>(ram_pages * page_bytes); }

const guest::Identity& guest_identity() {
  static const guest::Identity identity{
      "sim", "1", "sim-1", "none", {{"ram", ram_pages, true}, {"video", video_pages, false}}};
  return identity;
}

SimGuest::SimGuest(World& world, std::size_t host, Ram ram)
    : world_(world),
      host_(host),
      number_(world.fresh_number()),
      ram_(std::move(ram)),
      video_(video_pages * page_bytes),
      dirty_(guest::no_pages(guest_identity().layout)),
      pace_(world.settings.guest_step) {}

std::shared_ptr<SimGuest> SimGuest::boot(World& world, std::size_t host, Ram ram) {
  std::shared_ptr<SimGuest> made(new SimGuest(world, host, std::move(ram)));
  std::memset(made->ram_->data(), 0, made->ram_->size());
  made->live_ = true;
  world.track(host, made);
  world.judge.booted(host, made->number_);
  return made;
}

std::shared_ptr<SimGuest> SimGuest::standby(World& world, std::size_t host, Ram ram,
                                            bool own_copies) {
  std::shared_ptr<SimGuest> made(new SimGuest(world, host, std::move(ram)));
  made->own_copies_ = own_copies;
  made->pace_ = world.settings.guest_step * world.guest_random.pick(std::array{1, 2, 2, 4}) / 2;
  std::memset(made->video_.data(), static_cast<int>(garbage), made->video_.size());
  made->standby_ = true;
  world.track(host, made);
  return made;
}

SimGuest::~SimGuest() { kill(); }

void SimGuest::kill() {
  if (ended_) return;
  ended_ = true;
  if (live_ || replica_) world_.judge.guest_gone(host_, number_);
}

void SimGuest::hang() {
  hangs_ = true;
  world_.judge.guest_gone(host_, number_);
}

MutableBytes SimGuest::page_bytes_of(std::size_t page) {
  if (page < ram_pages) return MutableBytes(*ram_).subspan(page * page_bytes, page_bytes);
  return MutableBytes(video_).subspan((page - ram_pages) * page_bytes, page_bytes);
}

MutableBytes SimGuest::mapping(RegionIndex region) {
  return region == 0 ? MutableBytes(*ram_) : MutableBytes();
}

Versions SimGuest::memory_now() {
  Versions versions;
  for (std::size_t page = 0; page < all_pages; ++page) {
    versions[page] = version_of(page_bytes_of(page));
  }
  return versions;
}

// --- running -------------------------------------------------------------------------------------

Result<void> SimGuest::pause() {
  if (ended_) return fail("guest-ended", "the guest's process has ended");
  if (world_.ails(host_).pauses > 0) {
    --world_.ails(host_).pauses;
    return fail("pause-failed", "the guest did not stop in time");
  }
  if (running_) lived_ += world_.queue.now() - resumed_;
  running_ = false;
  if (live_) world_.judge.stands(host_, number_, world_.queue.now());
  return {};
}

Result<std::optional<guest::Standstill>> SimGuest::resume() {
  if (ended_) return fail("guest-ended", "the guest's process has ended");
  if (stays_) return std::optional<guest::Standstill>(guest::Standstill{});
  auto& ails = world_.ails(host_);
  if (standby_ && !loaded_) return fail("not-loaded", "a standby cannot run");
  int& failures = live_ ? ails.resumes : ails.runs;
  if (failures > 0) {
    --failures;
    world_.reach.mark(Mark::resume_failed);
    return fail("resume-failed", "the guest did not go on");
  }
  if (std::exchange(own_copies_, false) &&
      world_.mutation != Mutation::replica_writes_the_checkpoint) {
    ram_ = std::make_shared<Bytes>(*ram_);
  }
  if (!running_) resumed_ = world_.queue.now();
  running_ = true;
  if (replica_) {
    world_.judge.replica_runs(host_, number_, past());
  } else {
    live_ = true;
    world_.judge.runs(host_, number_, past());
  }
  schedule_step();
  return std::optional<guest::Standstill>(guest::Standstill{});
}

Result<void> SimGuest::take_over() {
  if (ended_) return fail("guest-ended", "the guest's process has ended");
  if (hangs_) return fail("guest-hangs", "the guest's process does not answer");
  replica_ = false;
  if (!running_) resumed_ = world_.queue.now();
  live_ = running_ = true;
  world_.judge.runs(host_, number_, past());
  schedule_step();
  return {};
}

void SimGuest::schedule_step() {
  if (stepping_) return;
  stepping_ = true;
  world_.queue.after(pace_, no_process, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->stepping_ = false;
    if (!self->running()) return;
    if (!self->world_.frozen(self->host_)) self->step();
    self->schedule_step();
  });
}

bool SimGuest::receive(Bytes frame) {
  if (inbox_.size() >= inbox_max && !replica_) return false;
  inbox_.push_back(std::move(frame));
  return true;
}

void SimGuest::write(std::size_t page, Point version) {
  versions_[page] = version;
  fill(page_bytes_of(page), version);
  const PageId id = id_of(page);
  dirty_[id.region].set(id.page);
  own_pages_.set(page);
}

void SimGuest::step() {
  if (hangs_) return;
  Random& random = world_.guest_random;
  if (outbox_.size() < outbox_max) {  // else it waits until its frames are read
    if (inbox_.empty()) write(random.below(all_pages), world_.idle_version());
    for (int i = 0; i < frames_per_step && !inbox_.empty(); ++i) {
      take(inbox_.front());
      inbox_.pop_front();
    }
  }
  if (!outbox_.empty()) world_.guest_sent(host_, *this);
}

void SimGuest::take(const Bytes& frame) {
  if (!is_tcp(frame)) {
    become(told_by(frame));
    if (Random(point_, 8).chance(700)) outbox_.push_back(word_frame(point_));
  } else {
    Random& random = world_.guest_random;
    const Connection connection = connection_of(frame, false);
    const std::size_t before = outbox_.size();
    if (!tcp_.take(frame, clock(), random, outbox_).empty()) {
      become(told_by(connection, tcp_.received()[connection.client].bytes));
      tcp_.answer(connection, point_, clock(), random, outbox_);
    }
    if (outbox_.size() > before) world_.reach.mark(Mark::segment_sent);
  }
  world_.judge.steps(host_, number_, past());
}

// What it writes is drawn from the point that it comes to: the same on both hosts.
void SimGuest::become(std::uint64_t told) {
  const bool differs = world_.guest_random.chance(world_.settings.differs);
  if (differs) world_.reach.mark(Mark::guest_differs);
  point_ = differs ? world_.story.next(point_) : world_.story.child(point_, told);
  Random random(point_, 7);
  const int writes = random.between(1, 2);
  for (int i = 0; i < writes; ++i) {
    const std::size_t page = random.below(all_pages);
    // Pages become zero and come back: a zero page that is forgotten shows at the next load.
    write(page, random.chance(300) ? 0 : point_);
  }
}

// In milliseconds, and behind that of a guest that ran while this one was loaded.
std::uint32_t SimGuest::clock() const {
  const Duration lived = lived_ + (world_.queue.now() - resumed_);
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(lived).count());
}

// --- memory --------------------------------------------------------------------------------------

Result<void> SimGuest::start_tracking() {
  if (ended_) return fail("guest-ended", "the guest's process has ended");
  tracking_ = true;
  dirty_ = guest::all_pages(guest_identity().layout);
  return {};
}

Result<void> SimGuest::scan(guest::DirtyPages& dirty) {
  if (ended_) return fail("guest-ended", "the guest's process has ended");
  if (!tracking_) return fail("not-tracked", "tracking was not started");
  if (world_.ails(host_).scans > 0) {
    --world_.ails(host_).scans;
    return fail("scan-failed", "the pages written could not be found");
  }
  for (std::size_t page = 0; page < all_pages; ++page) {
    const PageId id = id_of(page);
    if (!dirty_[id.region].test(id.page)) continue;
    if (world_.mutation == Mutation::forgotten_zero_page && versions_[page] == 0) continue;
    dirty[id.region].set(id.page);
  }
  for (Bitmap& region : dirty_) region.clear_all();
  return {};
}

Result<void> SimGuest::read_pages(RegionIndex region, std::span<const PageIndex> pages,
                                  MutableBytes out) {
  if (ended_) return fail("guest-ended", "the guest's process has ended");
  COLO_CHECK(region == 1 && out.size() == pages.size() * page_bytes);
  for (std::size_t i = 0; i < pages.size(); ++i) {
    const auto page = page_bytes_of(ram_pages + pages[i]);
    std::memcpy(out.data() + i * page_bytes, page.data(), page_bytes);
  }
  return {};
}

Result<void> SimGuest::write_page(RegionIndex region, PageIndex page, ByteView bytes) {
  if (ended_) return fail("guest-ended", "the guest's process has ended");
  COLO_CHECK(region == 1 && standby_ && !loaded_);
  std::memcpy(page_bytes_of(ram_pages + page).data(), bytes.data(), page_bytes);
  return {};
}

// --- device state --------------------------------------------------------------------------------

Result<Bytes> SimGuest::save_device_state() {
  if (ended_) return fail("guest-ended", "the guest's process has ended");
  COLO_CHECK(!running_);
  auto& ails = world_.ails(host_);
  if (ails.saves > 0) {
    --ails.saves;
    return fail("save-failed", "the device state could not be saved");
  }
  const std::uint64_t number = world_.judge.captured(versions_, past());
  world_.saved(number, {point_, tcp_, inbox_, lived_});
  if (ails.bad_states > 0) {
    --ails.bad_states;
    world_.bad_state(number);
  }
  Bytes state(device_bytes);
  put(state.data(), number);
  put(state.data() + 16, ~number);
  return state;
}

std::uint64_t checkpoint_of(ByteView state) {
  if (state.size() != device_bytes || get(state.data()) != ~get(state.data() + 16)) return 0;
  return get(state.data());
}

Result<void> SimGuest::load_device_state(ByteView state) {
  if (ended_) return fail("guest-ended", "the guest's process has ended");
  COLO_CHECK(standby_ && !loaded_);
  const std::uint64_t number = checkpoint_of(state);
  auto& ails = world_.ails(host_);
  standby_ = true;
  loaded_ = true;  // used up, whether it succeeded or not
  if (ails.loads > 0 || world_.is_bad_state(number)) {
    if (ails.loads > 0) --ails.loads;
    world_.reach.mark(Mark::load_failed);
    loaded_ = false;
    return fail("load-failed", "QEMU refused the device state");
  }
  versions_ = memory_now();
  world_.judge.loaded(host_, number, versions_);
  const GuestState& of = world_.saved(number);
  point_ = of.point;
  tcp_ = of.tcp;
  inbox_ = of.inbox;
  lived_ = of.lived;
  return {};
}

}  // namespace colo::sim
