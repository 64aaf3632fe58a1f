#include "guest/qemu/ram_blocks.h"

#include <algorithm>
#include <charconv>
#include <sstream>

namespace colo::guest {
namespace {

bool ends_with_any(std::string_view name, std::initializer_list<std::string_view> endings) {
  return std::any_of(endings.begin(), endings.end(),
                     [name](std::string_view ending) { return name.ends_with(ending); });
}

std::optional<std::uint64_t> parse_hex(std::string_view text) {
  if (text.starts_with("0x")) text.remove_prefix(2);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size() || text.empty()) {
    return std::nullopt;
  }
  return value;
}

}  // namespace

// A line is: name, page size and its unit, offset, used length, total length. Newer versions of
// QEMU append columns. A name may hold blanks no more than an id of a device may.
Result<std::vector<RamBlock>> parse_ram_blocks(std::string_view text) {
  std::vector<RamBlock> blocks;
  std::istringstream lines{std::string(text)};
  std::string line;
  std::getline(lines, line);  // the columns' headings
  while (std::getline(lines, line)) {
    std::istringstream words(line);
    std::string name, page, unit, offset, used, total;
    if (!(words >> name)) continue;
    words >> page >> unit >> offset >> used >> total;
    const auto bytes = parse_hex(total);
    if (!words || !bytes || *bytes == 0) {
      return fail("qemu-unknown-answer", "unexpected line in `info ramblock`: " + line,
                  "use a version of QEMU that this release names as supported");
    }
    blocks.push_back({name, *bytes});
  }
  return blocks;
}

bool guest_can_write(const RamBlock& block) {
  const std::string_view name = block.name;
  // "/rom@..." are firmware's tables, served by fw_cfg: QEMU makes them again for a loaded guest.
  if (name.starts_with("/rom@") || name.starts_with("system.flash")) return false;
  return !ends_with_any(name, {".rom", ".bios"});
}

Result<MemoryLayout> layout_of(const std::vector<RamBlock>& blocks) {
  MemoryLayout layout;
  for (const RamBlock& block : blocks) {
    if (!guest_can_write(block)) continue;
    if (block.bytes % page_bytes != 0) {
      return fail("qemu-unknown-answer", "RAM block " + block.name + " is not made of whole pages");
    }
    layout.push_back({block.name, block.bytes / page_bytes, block.name == main_memory_name});
  }
  std::sort(layout.begin(), layout.end(), [](const RegionLayout& a, const RegionLayout& b) {
    return a.mapped != b.mapped ? a.mapped : a.name < b.name;
  });
  if (layout.empty() || !layout.front().mapped) {
    return fail("memory-not-shared", "QEMU does not use the memory that the engine made",
                "leave memory options but -m out of the command");
  }
  return layout;
}

// "  00000000fd000000-00000000fdffffff (prio 1, ram): vga.vram"; a part of a region has " @offset".
std::optional<std::uint64_t> find_guest_address(std::string_view flat_tree, std::string_view name) {
  std::istringstream lines{std::string(flat_tree)};
  const std::string ending = ", ram): " + std::string(name);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t begin = line.find_first_not_of(' ');
    const std::size_t dash = line.find('-');
    if (begin == std::string::npos || dash == std::string::npos || dash < begin) continue;
    const std::string_view all = line;
    if (!all.ends_with(ending) && all.find(ending + " KVM") == std::string_view::npos) continue;
    if (const auto address = parse_hex(all.substr(begin, dash - begin))) return address;
  }
  return std::nullopt;
}

}  // namespace colo::guest
