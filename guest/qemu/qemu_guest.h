// A guest that runs in an unmodified QEMU process, driven from outside.
// See guest/guest.h for what each call promises.
#pragma once

#include <memory>
#include <vector>

#include "guest/guest.h"
#include "guest/own_copies.h"
#include "guest/qemu/launch.h"
#include "guest/qemu/memory_map.h"
#include "guest/qemu/tracker.h"

namespace colo::guest {

class QemuGuest final : public Guest {
 public:
  // Asks QEMU who it is. memory: the same that QEMU was started with.
  [[nodiscard]] static Result<std::unique_ptr<QemuGuest>> make(StartedQemu started,
                                                               std::shared_ptr<GuestMemory> memory,
                                                               StandbyKind standby);

  [[nodiscard]] const Identity& identity() const override { return identity_; }
  [[nodiscard]] MutableBytes mapping(RegionIndex region) override;
  Result<void> pause() override;
  Result<std::optional<Standstill>> resume() override;
  Result<void> start_tracking() override;
  Result<void> scan(DirtyPages& dirty) override;
  Result<void> read_pages(RegionIndex region, std::span<const PageIndex> pages,
                          MutableBytes out) override;
  [[nodiscard]] Bitmap untouched(RegionIndex region) override;
  Result<void> write_page(RegionIndex region, PageIndex page, ByteView bytes) override;
  Result<std::uint64_t> own_pages() override;
  Result<std::uint64_t> release_hidden() override;
  Result<Bytes> save_device_state() override;
  Result<void> load_device_state(ByteView state) override;
  Result<void> announce() override;
  [[nodiscard]] std::span<const PacketPort> ports() const override { return qemu_.ports; }
  [[nodiscard]] int end_fd() const override { return qemu_.process->end_fd(); }
  [[nodiscard]] End end() override;
  Result<void> answers(std::chrono::milliseconds patience) override;
  [[nodiscard]] int process_id() const override { return qemu_.process->pid(); }

 private:
  QemuGuest(StartedQemu started, std::shared_ptr<GuestMemory> memory, StandbyKind standby)
      : qemu_(std::move(started)),
        memory_(std::move(memory)),
        own_memory_(standby == StandbyMemory::own_copies),
        waiting_(standby.has_value()) {}

  Result<void> learn_identity();
  // Address of an unmapped region inside QEMU; it is looked for until it is found.
  Result<std::uint64_t> address_of(RegionIndex region);
  Result<std::uint64_t> find_unmapped(RegionIndex region, const MemoryMap& map);
  // A region where its content is in our address space; else empty: it is QEMU's alone.
  [[nodiscard]] MutableBytes here(RegionIndex region) const;
  Result<OwnCopies*> own_copies();
  // Fails unless what is in the memory file is what this standby would see.
  Result<void> check_fresh();
  Result<nlohmann::json> call(std::string_view command, nlohmann::json arguments = {});
  // An error of the control connection, told as the end of QEMU where that is the cause.
  [[nodiscard]] tl::unexpected<Error> explain(const Error& error);
  Result<std::optional<Standstill>> resumed_from_unknown();
  Result<void> feed(ByteView stream);
  Result<void> wait_loaded();

  StartedQemu qemu_;
  std::shared_ptr<GuestMemory> memory_;
  Identity identity_;
  // Where a region lies in QEMU's address space, once known.
  std::vector<std::optional<std::uint64_t>> addresses_;
  const bool own_memory_;  // it maps main memory copy-on-write
  std::optional<OwnCopies> own_copies_;
  std::optional<Tracker> tracker_;
  std::vector<bool> tracked_;
  bool first_scan_ = true;
  bool waiting_;         // a standby that has not loaded
  bool spoilt_ = false;  // a load failed
  // False also while that is not known: after a stop that was not answered in time.
  bool running_ = false;
  std::optional<std::chrono::microseconds> stopped_at_;  // of a STOP that was seen
  bool by_guest_ = false;  // QEMU ended because the guest asked for it
  bool panicked_ = false;  // and that was a crash, told by its pvpanic device
};

}  // namespace colo::guest
