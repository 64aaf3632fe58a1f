// The configuration file that the demonstration gives to both engines.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "demo/setting.h"

namespace colo::demo {

struct HostText {
  std::string name;
  std::string replication, heartbeat;    // where the peer reaches this host
  std::string listen, heartbeat_listen;  // empty: the same
  std::string outside;                   // of net0
};

struct ConfigText {
  std::filesystem::path key_file, run_directory, checkpoint_directory, arbiter;
  std::uint32_t delay_ms = 100;
  std::string mode = "periodic";
  std::string guest;  // the lines of [guest]
  std::vector<HostText> hosts;
  std::string more;  // whole sections, behind the others
};

[[nodiscard]] std::string render(const ConfigText& config);
// A TOML string with its quotes.
[[nodiscard]] std::string quoted(const std::string& text);
// The guest's QEMU as its user would write it; the engine adds what is its own: accelerator, shared
// memory, QMP, the network's end.
[[nodiscard]] std::vector<std::string> qemu_command(const Setting& setting,
                                                    const std::filesystem::path& console);
// The lines of [guest].
[[nodiscard]] std::string qemu_guest_lines(const Setting& setting,
                                           const std::filesystem::path& console);
[[nodiscard]] std::string embedded_guest_lines(const Setting& setting);

}  // namespace colo::demo
