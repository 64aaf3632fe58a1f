// The embedded guest behind the contract of guest/guest.h.
//
// Ownership: shares its ram with the maker; owns its device.ram, cards and threads.
// Threads and errors: as in guest/guest.h. Words of its own: "guest-ended", "guest-running",
//   "guest-paused", "not-loaded", "load-failed", "not-tracking", "page-out-of-range".
#pragma once

#include <memory>
#include <vector>

#include "guest/config.h"
#include "guest/embedded/machine.h"
#include "guest/embedded/network_card.h"
#include "guest/embedded/runner.h"
#include "guest/guest.h"
#include "guest/own_copies.h"

namespace colo::guest::embedded {

class EmbeddedGuest final : public Guest {
 public:
  enum class Start { from_the_beginning, standby, standby_with_own_copies };
  // REQUIRES: all of ram is zero where it starts from the beginning.
  [[nodiscard]] static Result<std::unique_ptr<Guest>> create(const GuestConfig& config,
                                                             std::shared_ptr<Ram> ram, Start start);

  [[nodiscard]] const Identity& identity() const override { return identity_; }
  [[nodiscard]] MutableBytes mapping(RegionIndex region) override;

  Result<void> pause() override;
  Result<std::optional<Standstill>> resume() override;

  Result<void> start_tracking() override;
  Result<void> scan(DirtyPages& dirty) override;
  Result<void> read_pages(RegionIndex region, std::span<const PageIndex> pages,
                          MutableBytes out) override;
  Result<void> write_page(RegionIndex region, PageIndex page, ByteView bytes) override;

  Result<std::uint64_t> own_pages() override;
  Result<std::uint64_t> release_hidden() override;

  Result<Bytes> save_device_state() override;
  Result<void> load_device_state(ByteView state) override;
  Result<void> announce() override;

  [[nodiscard]] std::span<const PacketPort> ports() const override { return ports_; }
  [[nodiscard]] int end_fd() const override { return runner_->end_fd(); }
  [[nodiscard]] End end() override;

 private:
  // What the guest may do next.
  enum class Life {
    waiting,  // a standby: for memory and device state
    ready,    // has a whole state; runs or is paused
    spoiled,  // its load failed
  };

  // What a guest with own copies was loaded from, and by what it is told which pages are its own.
  struct OwnMemory {
    std::shared_ptr<Ram> base;
    OwnCopies copies;
  };

  explicit EmbeddedGuest(std::shared_ptr<Ram> ram);
  // It has own copies, and no device state yet: its ram is what lies in the base.
  [[nodiscard]] bool sees_base() const { return own_ && life_ != Life::ready; }
  [[nodiscard]] Result<void> has_not_ended();
  [[nodiscard]] Result<void> has_state();
  [[nodiscard]] Result<void> page_exists(RegionIndex region, PageIndex page);

  std::optional<OwnMemory> own_;
  Machine machine_;
  Identity identity_;
  std::vector<NetworkCard> cards_;
  std::vector<PacketPort> ports_;
  std::unique_ptr<Runner> runner_;
  Life life_ = Life::waiting;
  std::optional<std::chrono::microseconds> stopped_;  // of the standstill that lasts
};

}  // namespace colo::guest::embedded
