// What this host knows of who owned the guest: its own ownerships and ends, the newest last, in one
// file of its own disk, replaced as a whole. Blocks of heartbeat/ownership_file.h, so that an
// operator can read it with cat.
//
// Ownership: one engine of a guest runs on a host, so nobody else writes here. Threads: none.
// Errors: "record-unusable" (the disk), "record-corrupt".
#pragma once

#include <filesystem>
#include <vector>

#include "base/result.h"
#include "heartbeat/arbiter.h"

namespace colo::arbiter {

inline constexpr std::size_t record_entries_max = 256;  // older ones are left out

class FenceRecord {
 public:
  explicit FenceRecord(std::filesystem::path file) : file_(std::move(file)) {}

  [[nodiscard]] const std::filesystem::path& file() const { return file_; }
  // Oldest first; empty where there is no file.
  [[nodiscard]] Result<std::vector<heartbeat::Ownership>> read() const;
  // Writes what commit() puts into place: what can fail for want of space fails here.
  [[nodiscard]] Result<void> prepare(std::vector<heartbeat::Ownership> entries) const;
  // Whole and durable, or not at all.
  [[nodiscard]] Result<void> commit() const;

 private:
  [[nodiscard]] std::filesystem::path prepared() const { return file_.string() + ".new"; }
  std::filesystem::path file_;
};

}  // namespace colo::arbiter
