// Where a secondary keeps what has to outlive its engine: the memory of its standby guest and the
// committed checkpoint's store, two files of one directory per guest and host, on a file system
// that lives in memory. Everything goes with the host, never with the process.
//
// Ownership: one engine has a directory at a time (a lock in it). Destroying this leaves the files.
// Threads: the loop's; memory_file() any.
// Errors: "not-in-memory", "checkpoint-files", "memory-full"; open_store(): "nothing-kept".
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "app/run_lock.h"
#include "base/result.h"
#include "cache/store.h"

namespace colo::app {

class CheckpointFiles {
 public:
  // <parent>/<name>/, made if it is missing.
  [[nodiscard]] static Result<std::unique_ptr<CheckpointFiles>> open(
      const std::filesystem::path& parent, const std::string& name);

  [[nodiscard]] std::filesystem::path memory_file() const { return directory_ / "memory"; }

  // A new store's memory; what an earlier one kept is gone.
  [[nodiscard]] Result<std::unique_ptr<cache::Arena>> create_store(std::size_t bytes) const;
  // That of an engine that is gone.
  [[nodiscard]] Result<std::unique_ptr<cache::Arena>> open_store() const;
  // The checkpoint of this mark is run as a replica from here on: known to every later engine
  // before it returns. There is one mark.
  Result<void> mark_run(const std::string& mark) const;
  // Also where that cannot be told.
  [[nodiscard]] bool has_run(const std::string& mark) const;
  // They are of no use any more. Whoever has them open keeps their memory until it is done.
  void remove() const;

 private:
  CheckpointFiles(std::filesystem::path directory, RunLock lock)
      : directory_(std::move(directory)), lock_(std::move(lock)) {}
  [[nodiscard]] std::filesystem::path store_file() const { return directory_ / "checkpoint"; }

  [[nodiscard]] std::filesystem::path mark_file() const { return directory_ / "ran"; }

  std::filesystem::path directory_;
  RunLock lock_;
};

}  // namespace colo::app
