#include "guest/qemu/memory_map.h"

#include <sys/sysmacros.h>

#include <cinttypes>
#include <cstdio>
#include <fstream>

#include "base/types.h"

namespace colo::guest {

std::optional<MappedRange> parse_map_line(std::string_view line) {
  const std::string text(line);
  MappedRange range;
  char flags[5] = {};
  int path_at = 0;
  unsigned int major_number = 0;
  unsigned int minor_number = 0;
  if (std::sscanf(text.c_str(), "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %x:%x %" SCNu64 " %n",
                  &range.begin, &range.end, flags, &range.offset, &major_number, &minor_number,
                  &range.inode, &path_at) != 7 ||
      path_at == 0 || range.end <= range.begin) {
    return std::nullopt;
  }
  range.readable = flags[0] == 'r';
  range.writable = flags[1] == 'w';
  range.executable = flags[2] == 'x';
  range.shared = flags[3] == 's';
  range.device = makedev(major_number, minor_number);
  range.path = text.substr(static_cast<std::size_t>(path_at));
  return range;
}

Result<MemoryMap> read_memory_map(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/maps";
  std::ifstream file(path);
  MemoryMap map;
  for (std::string line; std::getline(file, line);) {
    auto range = parse_map_line(line);
    if (!range) return fail("guest-not-traceable", "unexpected line in " + path + ": " + line);
    map.push_back(std::move(*range));
  }
  if (map.empty()) {
    return fail("guest-not-traceable", path + " cannot be read",
                "run the engine as the user that QEMU runs as, or as root");
  }
  return map;
}

std::optional<std::uint64_t> find_file(const MemoryMap& map, FileId file, std::uint64_t bytes,
                                       bool shared) {
  std::uint64_t begin = 0;
  std::uint64_t found = 0;
  for (const MappedRange& range : map) {
    if (FileId{range.device, range.inode} != file || range.shared != shared || !range.writable)
      continue;
    if (range.offset == 0) {
      begin = range.begin;
      found = range.bytes();
    } else if (found != 0 && range.begin == begin + found && range.offset == found) {
      found += range.bytes();
    } else {
      continue;
    }
    if (found >= bytes) return begin;
  }
  return std::nullopt;
}

std::vector<std::uint64_t> find_anonymous_blocks(const MemoryMap& map, std::uint64_t bytes) {
  constexpr std::uint64_t alignment = 2U << 20;
  std::vector<std::uint64_t> found;
  for (std::size_t i = 0; i + 1 < map.size(); ++i) {
    const MappedRange& range = map[i];
    const MappedRange& guard = map[i + 1];
    if (range.inode == 0 && range.path.empty() && !range.shared && range.writable &&
        !range.executable && range.bytes() == bytes && range.begin % alignment == 0 &&
        guard.begin == range.end && !guard.readable && guard.bytes() == page_bytes) {
      found.push_back(range.begin);
    }
  }
  return found;
}

}  // namespace colo::guest
