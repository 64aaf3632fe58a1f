// QEMU's RAM blocks: which exist and which of them a guest can write.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace colo::guest {

// The guest's main memory: the engine makes it and QEMU gets it under this name.
inline constexpr std::string_view main_memory_name = "colo.ram";

struct RamBlock {
  std::string name;
  std::uint64_t bytes = 0;
  friend bool operator==(const RamBlock&, const RamBlock&) = default;
};

// Reads the text of the monitor's `info ramblock`.
[[nodiscard]] Result<std::vector<RamBlock>> parse_ram_blocks(std::string_view text);

// False for firmware and option ROMs: the guest cannot write them and a standby of the same
// version has the same ones. Whatever is not known to be one counts as writable.
[[nodiscard]] bool guest_can_write(const RamBlock& block);

// Main memory first, then the other writable blocks by name: the same on both hosts.
[[nodiscard]] Result<MemoryLayout> layout_of(const std::vector<RamBlock>& blocks);

// Guest address of a memory region in the text of `info mtree -f`, if it is mapped from its start.
// name: behind the last slash of the block's name.
[[nodiscard]] std::optional<std::uint64_t> find_guest_address(std::string_view flat_tree,
                                                              std::string_view name);

}  // namespace colo::guest
