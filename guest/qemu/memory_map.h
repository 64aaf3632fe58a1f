// The address space of another process, as /proc/<pid>/maps tells it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace colo::guest {

struct MappedRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  bool readable = false;
  bool writable = false;
  bool executable = false;
  bool shared = false;
  std::uint64_t offset = 0;
  dev_t device = 0;
  std::uint64_t inode = 0;
  std::string path;
  [[nodiscard]] std::uint64_t bytes() const { return end - begin; }
};
using MemoryMap = std::vector<MappedRange>;  // ascending

[[nodiscard]] std::optional<MappedRange> parse_map_line(std::string_view line);
[[nodiscard]] Result<MemoryMap> read_memory_map(pid_t pid);

// A file as fstat() tells it apart; its inode alone does not: each file system has its own.
struct FileId {
  dev_t device = 0;
  std::uint64_t inode = 0;
  friend bool operator==(const FileId&, const FileId&) = default;
};

// Where the first `bytes` bytes of a memory file are mapped, in one piece, shared or else
// privately. The kernel may list them as several ranges.
[[nodiscard]] std::optional<std::uint64_t> find_file(const MemoryMap& map, FileId file,
                                                     std::uint64_t bytes, bool shared);

// Where QEMU could keep an anonymous RAM block of this size: a range of exactly this size that
// begins at a multiple of 2 MiB and is followed by the guard page which QEMU puts behind a block.
[[nodiscard]] std::vector<std::uint64_t> find_anonymous_blocks(const MemoryMap& map,
                                                               std::uint64_t bytes);

}  // namespace colo::guest
