// Where the program keeps what in "ram" and "device.ram".
//
//   ram:        header | client table | log of entries (a ring) | table that the workers rewrite
//   device.ram: one page per worker with its step count | ledger pages, written in turn
//
// The header and device.ram repeat what the registers say, so that a guest put together from parts
// of different checkpoints is noticed when it is loaded.
// Units: byte offsets and pages. Numbers in memory are in host order.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/types.h"
#include "guest/embedded/ledger.h"
#include "guest/embedded/memory.h"
#include "guest/embedded/registers.h"

namespace colo::guest::embedded {

inline constexpr std::uint64_t ram_pages_min = 64;

namespace header {
inline constexpr std::uint64_t magic_value = 0x434F4C4F454D4231;
inline constexpr std::uint64_t magic = 0;
inline constexpr std::uint64_t sequence = 8;
inline constexpr std::uint64_t digest = 16;
constexpr std::uint64_t steps(std::size_t worker) { return 24 + worker * 8; }
}  // namespace header

namespace client_slot {
inline constexpr std::uint64_t bytes = 64;
inline constexpr std::uint64_t client = 0;  // 0: free
inline constexpr std::uint64_t request = 8;
inline constexpr std::uint64_t sequence = 16;
inline constexpr std::uint64_t digest = 24;
}  // namespace client_slot

namespace log_record {
inline constexpr std::uint64_t bytes = 256;
inline constexpr std::uint64_t sequence = 0;
inline constexpr std::uint64_t client = 8;
inline constexpr std::uint64_t request = 16;
inline constexpr std::uint64_t digest = 24;
inline constexpr std::uint64_t entry_size = 32;
inline constexpr std::uint64_t entry = 40;
static_assert(entry + ledger_entry_bytes_max <= bytes);
}  // namespace log_record

struct RamPlan {
  explicit RamPlan(std::uint64_t ram_pages)
      : log_page(clients_page + ledger_clients_max * client_slot::bytes / page_bytes),
        log_pages(std::max<std::uint64_t>(1, ram_pages / 8)),
        table_page(log_page + log_pages),
        table_pages(ram_pages - table_page) {}

  static constexpr PageIndex clients_page = 1;
  PageIndex log_page;
  std::uint64_t log_pages;
  PageIndex table_page;
  std::uint64_t table_pages;

  [[nodiscard]] static std::uint64_t client(std::uint64_t slot) {
    return clients_page * page_bytes + slot * client_slot::bytes;
  }
  // The log keeps the latest records.
  [[nodiscard]] std::uint64_t records() const { return log_pages * page_bytes / log_record::bytes; }
  [[nodiscard]] std::uint64_t record(std::uint64_t sequence) const {
    return log_page * page_bytes + sequence % records() * log_record::bytes;
  }
  // In device.ram.
  [[nodiscard]] static std::uint64_t worker_cell(std::size_t worker) { return worker * page_bytes; }
  [[nodiscard]] static std::uint64_t ledger_cell(std::uint64_t sequence) {
    return (worker_count + sequence % (device_ram_pages - worker_count)) * page_bytes;
  }
};

}  // namespace colo::guest::embedded
