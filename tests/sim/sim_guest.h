// The simulated guest behind guest::Guest: ten pages of which some become zero again, a device
// state that names the checkpoint, and frames that each carry a point of its story. Memory is real
// (4 KiB pages), so that capturing, staging and flushing are the product's own code.
//
// What it becomes, writes and says follows from what it was told, in that order, and from nothing
// else: so a replica that is told the same says the same, at its own pace. Two things are its own:
// now and then it goes another way, and while nothing comes it writes pages that say nothing.
//
// A page's bytes follow from the point at which it was written, so that the judge can keep what a
// checkpoint is as ten numbers and still compare all bytes at a load.
// Threads: none.
#pragma once

#include <bitset>
#include <deque>
#include <memory>

#include "guest/guest.h"
#include "tests/sim/guest_tcp.h"
#include "tests/sim/judge.h"
#include "tests/sim/random.h"

namespace colo::sim {

class World;

// Of a guest, beside its memory: what a device state stands for.
struct GuestState {
  Point point = 0;
  GuestTcp tcp;
  std::deque<Bytes> inbox;
  Duration lived{};
};

// What a guest of a host needs beyond its own process: "ram" outlives the guests on it.
using Ram = std::shared_ptr<Bytes>;
[[nodiscard]] Ram make_ram();
[[nodiscard]] const guest::Identity& guest_identity();

class SimGuest final : public guest::Guest, public std::enable_shared_from_this<SimGuest> {
 public:
  static std::shared_ptr<SimGuest> boot(World& world, std::size_t host, Ram ram);
  // own_copies: what it writes once it runs stays its own, and `ram` keeps what it was loaded from.
  static std::shared_ptr<SimGuest> standby(World& world, std::size_t host, Ram ram,
                                           bool own_copies);
  ~SimGuest() override;

  [[nodiscard]] const guest::Identity& identity() const override { return guest_identity(); }
  [[nodiscard]] MutableBytes mapping(RegionIndex region) override;
  Result<void> pause() override;
  Result<std::optional<guest::Standstill>> resume() override;
  Result<void> start_tracking() override;
  Result<void> scan(guest::DirtyPages& dirty) override;
  Result<void> read_pages(RegionIndex region, std::span<const PageIndex> pages,
                          MutableBytes out) override;
  Result<void> write_page(RegionIndex region, PageIndex page, ByteView bytes) override;
  Result<Bytes> save_device_state() override;
  Result<void> load_device_state(ByteView state) override;
  Result<void> announce() override { return {}; }
  [[nodiscard]] std::span<const guest::PacketPort> ports() const override { return {}; }
  [[nodiscard]] int end_fd() const override { return -1; }
  [[nodiscard]] guest::End end() override { return {}; }

  // The process ends, by a fault or by its engine.
  void kill();
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] bool running() const { return running_ && !ended_; }
  [[nodiscard]] bool live() const { return live_ && !ended_; }
  [[nodiscard]] bool replica() const { return replica_ && !ended_; }
  [[nodiscard]] Point point() const { return point_; }
  // The replica becomes the guest.
  Result<void> take_over();
  // It does nothing any more, and does not end.
  void hang();
  [[nodiscard]] bool hangs() const { return hangs_; }
  [[nodiscard]] std::uint64_t own_pages() const { return own_pages_.count(); }
  // A frame for it. False: it has no room for more.
  bool receive(Bytes frame);
  [[nodiscard]] std::size_t waiting() const { return inbox_.size(); }
  // One step of its story: takes what was received, writes some pages, some of them back to zero,
  // and often sends a frame.
  void step();
  // Resumed by RunReplica: it runs, and is not the guest.
  void become_replica() { replica_ = true; }
  // The resume that ends the next capture leaves it stopped.
  void stay_at_resume(bool stays) { stays_ = stays; }
  // What it has sent and nobody has read yet.
  std::deque<Bytes>& outbox() { return outbox_; }

 private:
  SimGuest(World& world, std::size_t host, Ram ram);
  void schedule_step();
  void take(const Bytes& frame);
  void become(std::uint64_t told);
  [[nodiscard]] Past past() const { return {point_, tcp_.received()}; }
  [[nodiscard]] std::uint32_t clock() const;
  void write(std::size_t page, Point version);
  [[nodiscard]] MutableBytes page_bytes_of(std::size_t page);
  [[nodiscard]] Versions memory_now();

  World& world_;
  const std::size_t host_;
  const std::uint64_t number_;
  Ram ram_;
  Bytes video_;
  Versions versions_{};
  guest::DirtyPages dirty_;
  bool tracking_ = false;
  bool standby_ = false;
  bool live_ = false;  // booted, or loaded and run
  bool loaded_ = false;
  bool running_ = false;
  bool ended_ = false;
  bool stepping_ = false;
  bool stays_ = false;
  bool own_copies_ = false;
  bool replica_ = false;
  bool hangs_ = false;
  Duration pace_{};
  std::bitset<all_pages> own_pages_;
  Point point_ = 0;
  GuestTcp tcp_;
  Duration lived_{};   // when it was loaded or resumed last
  Instant resumed_{};  // since then
  std::deque<Bytes> inbox_;
  std::deque<Bytes> outbox_;
};

}  // namespace colo::sim
