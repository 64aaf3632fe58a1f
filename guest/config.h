// How to make a guest, as the configuration file says it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "guest/guest.h"

namespace colo::guest {

struct NicConfig {
  std::string id;  // the netdev's id; a QEMU command line names it: -device ...,netdev=net0
};

struct QemuConfig {
  std::vector<std::string> command;  // program and arguments, as the user wrote them
  std::string accelerator = "auto";  // "auto", "kvm", "tcg"
};

struct EmbeddedConfig {
  std::uint64_t memory_bytes = 64ULL << 20;
  std::uint32_t dirty_pages_per_second = 2000;  // what its worker threads rewrite
};

struct GuestConfig {
  std::string name;
  std::string kind = "qemu";
  QemuConfig qemu;
  EmbeddedConfig embedded;
  std::vector<NicConfig> nics;
  std::filesystem::path run_directory;  // sockets of this host's engine; exists, ours alone
};

[[nodiscard]] Result<std::unique_ptr<GuestMaker>> make_guest_maker(const GuestConfig& config);

// One line of `colo check`: what is missing and its remedy.
struct Finding {
  bool fatal = true;
  std::string word;    // "kernel-too-old"
  std::string reason;  // "kernel 6.1 has no PAGEMAP_SCAN"
  std::string remedy;  // "boot a kernel of version 6.7 or newer"
};

// Looks at the host and at the configured command without starting the guest. own_copies: such
// standbys are wanted too (StandbyMemory::own_copies).
[[nodiscard]] std::vector<Finding> check_guest(const GuestConfig& config, bool own_copies = false);

}  // namespace colo::guest
