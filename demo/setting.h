// What a pair of engines is started with on a scene.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace colo::demo {

enum class GuestKind { qemu, embedded };
[[nodiscard]] const char* word(GuestKind kind);

struct Setting {
  GuestKind guest = GuestKind::qemu;
  std::uint32_t delay_ms = 100;
  std::string mode = "periodic";  // or "colo", "auto"
  std::uint32_t memory_mib = 0;   // 0 is for default_memory_mib()
  std::uint32_t dirty_pages_per_second = 2000;
  std::filesystem::path colo;      // the engine's program
  std::filesystem::path image;     // folder with the guest's vmlinuz and initrd
  std::string service;             // that the guest runs beside the ledger: see demo/service.h
  std::string log_level = "info";  // of the engines
  std::string more_config;         // whole sections of TOML, behind the others
};

[[nodiscard]] std::uint32_t default_memory_mib(GuestKind kind);

}  // namespace colo::demo
