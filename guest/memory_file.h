// A guest's memory in a file with a name, in a file system that lives in memory: it outlives the
// process that made it. A standby's memory is kept so, for the case that its engine dies.
// Threads: any. Errors: "memory-file" (what is there is not ours, or the system's reason),
//   "not-in-memory" (a disk would be written at each page), "memory-full" (with what is missing).
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/result.h"
#include "base/unique_fd.h"

namespace colo::guest {

struct MemoryFile {
  UniqueFd fd;
  std::uint64_t inode = 0;  // another file of that name has another one
};

// Exactly `bytes` long and mode 0600. One of that size is used as it is, with its content; of
// another size, it is replaced. All of it has memory behind it: a guest that finds none left when
// it writes would be killed, so what is missing must be told before.
[[nodiscard]] Result<MemoryFile> open_memory_file(const std::filesystem::path& path,
                                                  std::uint64_t bytes);

// Gives a memory file what it lacks of its memory: holes become zeros that have memory behind them.
[[nodiscard]] Result<void> reserve_memory_file(int file, std::uint64_t bytes);

// Tells whether files of this directory live in memory.
[[nodiscard]] Result<void> check_in_memory(const std::filesystem::path& directory);

}  // namespace colo::guest
