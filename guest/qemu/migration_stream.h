// The parts of QEMU's migration stream that we write ourselves, so that a device state saved by
// `xen-save-devices-state` becomes a stream which a fresh QEMU loads. Integers are big-endian.
//   magic "QEVM", version 3        8 bytes, as saved
//   configuration section          0x07, length, the machine's versioned name  (added)
//   RAM section                    "ram" version 4: the blocks outside the main memory  (added at
//   load) device sections, end           as saved
// The guest's main memory is never in the stream: both processes see the engine's memory.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace colo::guest {

// A saved stream with the configuration section put in.
[[nodiscard]] Result<Bytes> add_configuration(ByteView saved, std::string_view machine);

// Firmware tables (ACPI) that QEMU computed for the running guest are not in the stream; a loaded
// guest must compute them again when its firmware asks next. Clears the one field that would keep
// it from doing so. No effect on a stream without that section.
void ask_for_fresh_acpi_tables(Bytes& stream);

// One RAM block to be loaded, whole.
struct LoadedBlock {
  std::string_view name;
  ByteView content;  // whole pages
};

// The stream to be sent: `state` (made by add_configuration) with the blocks put in.
// Errors: "load-failed" if the state is none of ours.
[[nodiscard]] Result<Bytes> add_ram_blocks(ByteView state, const std::vector<LoadedBlock>& blocks);

}  // namespace colo::guest
