// What a guest is to the rest of the engine: memory regions, pause and resume, a dirty scan, a
// device state, packet ports, and an end. QEMU is known behind this interface only.
//
// Ownership: a Guest owns its process or threads and its mappings; destroying it ends the guest.
// Threads: one thread at a time drives a Guest (the engine's guest thread). end_fd() and ports()
//   may be polled, read and written from any thread.
// Errors: every call may fail with a reason; after a failure the guest is as paused or running as
//   it was before the call unless the call says otherwise.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/bitmap.h"
#include "base/result.h"
#include "base/types.h"

namespace colo::guest {

// What both hosts must agree on before memory flows, and what status shows.
struct Identity {
  std::string kind;         // "qemu" or "embedded"
  std::string version;      // "7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)"
  std::string machine;      // "pc-q35-7.2": the versioned name, never an alias
  std::string accelerator;  // "kvm", "tcg" or "none"
  MemoryLayout layout;      // every region that the guest can write
  [[nodiscard]] std::uint64_t memory_bytes() const {
    std::uint64_t pages = 0;
    for (const RegionLayout& region : layout) pages += region.pages;
    return pages * page_bytes;
  }
};

// Pages written since the last scan, one bitmap per region in the order of the layout.
using DirtyPages = std::vector<Bitmap>;
[[nodiscard]] DirtyPages no_pages(const MemoryLayout& layout);
[[nodiscard]] DirtyPages all_pages(const MemoryLayout& layout);

// How a standby's main memory and the engine's are one.
enum class StandbyMemory {
  // Both map the same pages: what either writes is the other's.
  shared,
  // The guest maps them copy-on-write: what it writes goes to copies of its own, made by the kernel
  // at the first write of a page, and the engine's memory keeps what the guest was loaded from.
  // The guest's copies end with it.
  own_copies,
};

// One network card's inner end: a stream socket; each Ethernet frame is behind its length (be32),
// both ways. A reader that stops reading makes the guest wait; no frame is lost.
struct PacketPort {
  std::string name;  // the netdev's id, "net0"
  int fd = -1;       // owned by the guest; non-blocking
};
// Tells whether the guest has read all that was written to its port. (How many bytes it has not,
// the kernel does not tell the writing end.) QEMU may keep a read frame until its card takes it.
[[nodiscard]] Result<bool> all_read(const PacketPort& port);

// How a guest ended. A guest whose end is `expected` was ended by us.
struct End {
  bool expected = false;
  bool by_guest = false;  // it shut itself down; not a fault. A crash is one.
  std::string reason;     // "QEMU (pid 812) was killed by signal 9"
};

// When the guest stood still, by the guest's own clock of events (QEMU: STOP and RESUME).
struct Standstill {
  std::chrono::microseconds stopped{};  // since the Unix epoch
  std::chrono::microseconds resumed{};
  [[nodiscard]] std::chrono::microseconds length() const { return resumed - stopped; }
};

class Guest {
 public:
  Guest() = default;
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;
  virtual ~Guest() = default;

  [[nodiscard]] virtual const Identity& identity() const = 0;
  // The guest's pages of a region, in our address space; empty where the region is not mapped, and
  // for a guest with own copies that has loaded: its pages are had by read_pages() then.
  [[nodiscard]] virtual MutableBytes mapping(RegionIndex region) = 0;

  // --- running -----------------------------------------------------------------------------
  // After pause() returns, memory and device state do not change until resume().
  virtual Result<void> pause() = 0;
  // The times of the standstill that this call ends. (The first start of a guest has none.)
  virtual Result<std::optional<Standstill>> resume() = 0;

  // --- memory ------------------------------------------------------------------------------
  // Starts tracking. Until then scan() fails. Everything counts as dirty at the first scan.
  virtual Result<void> start_tracking() = 0;
  // Adds to `dirty` the pages written since the last scan, and protects them again in the same
  // step: a page written after the scan is in the next one. Works paused or running.
  virtual Result<void> scan(DirtyPages& dirty) = 0;
  // Copies pages.size() pages into `out` (page_bytes each, in order). A page that the guest
  // writes meanwhile may be torn; the next scan then has it.
  virtual Result<void> read_pages(RegionIndex region, std::span<const PageIndex> pages,
                                  MutableBytes out) = 0;
  // Pages of a mapped region that nobody has touched: zero, and without memory of their own until
  // somebody reads or writes them. One that is written after this call is in the next scan. What is
  // not known to be untouched is left out, by default all.
  [[nodiscard]] virtual Bitmap untouched(RegionIndex region) {
    return Bitmap(identity().layout[region].pages);
  }
  // A standby's mapped region is written where all standbys of its maker have it.
  // REQUIRES: a standby guest that has not loaded, or a paused one.
  virtual Result<void> write_page(RegionIndex region, PageIndex page, ByteView bytes) = 0;

  // --- a guest with own copies ---------------------------------------------------------------
  // Pages of main memory that this guest has its own copy of; 0 for any other guest. May be called
  // every 20 ms: QEMU's is an estimate that may be an eighth (or 4 MiB) too high between two
  // counts. Of a guest that is tracked, a copy that was swapped out may be missing in it.
  virtual Result<std::uint64_t> own_pages() { return std::uint64_t{0}; }
  // Gives back memory that nobody sees any more: what lies in the engine's memory behind pages that
  // the guest has its own copies of. Works paused or running; does a bounded part at a time and
  // returns the pages given back, 0 when there is nothing left for now.
  // REQUIRES: a guest that has loaded. From the first call on the memory is no checkpoint: no
  // standby can be loaded from it before it was written anew, whole.
  virtual Result<std::uint64_t> release_hidden() { return std::uint64_t{0}; }

  // --- device state ------------------------------------------------------------------------
  // REQUIRES: paused. Everything but memory, as one buffer; only load() of the same guest kind,
  // version and machine understands it.
  virtual Result<Bytes> save_device_state() = 0;
  // REQUIRES: a standby guest. The memory must be in place. The guest stays paused after it. A
  // guest whose load failed is of no further use: start another on the same memory. A standby with
  // own copies must have none yet, since they would hide what is in place ("standby-not-fresh").
  virtual Result<void> load_device_state(ByteView state) = 0;
  // Makes the network learn the guest's new place (QEMU: announce-self). REQUIRES: running.
  virtual Result<void> announce() = 0;

  // --- outside -----------------------------------------------------------------------------
  [[nodiscard]] virtual std::span<const PacketPort> ports() const = 0;
  // Readable once the guest has ended by whatever cause; then end() says how. Poll, don't read.
  [[nodiscard]] virtual int end_fd() const = 0;
  [[nodiscard]] virtual End end() = 0;
  // Whether whoever executes the guest still does what it is told. Errors: "guest-silent", those of
  // the guest.
  virtual Result<void> answers(std::chrono::milliseconds /*patience*/) { return {}; }
  // The guest's process for messages and drills; 0 where it has none.
  [[nodiscard]] virtual int process_id() const { return 0; }
};

// Makes the guests of one configuration. Memory belongs to the maker and outlives the guests it
// made: a standby whose load failed is replaced by another on the same memory.
class GuestMaker {
 public:
  virtual ~GuestMaker() = default;
  // A guest that is about to start from its beginning: paused; resume() boots it.
  virtual Result<std::unique_ptr<Guest>> boot() = 0;
  // A guest that waits for memory and device state. With own copies it may be made while another
  // such guest of this maker runs, whose writes it does not see. That one must have ended before
  // the memory is written: where it has no copy it would see what is written there.
  virtual Result<std::unique_ptr<Guest>> standby(StandbyMemory memory = StandbyMemory::shared) = 0;
  // Standby guests made from now on have their main memory in this file (guest/memory_file.h), with
  // what is in it; a guest that boots never has. Returns which file it is: another of that name has
  // another number. After an error memory stays where it was.
  virtual Result<std::uint64_t> use_memory_file(const std::filesystem::path& file) = 0;
};

}  // namespace colo::guest
