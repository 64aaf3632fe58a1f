// A real QEMU guest of one boot sector that writes all the time, for tests: two processors, each
// adds one to a word of a pseudo-random page of its own 64 MiB, counts its rounds, and the first
// one also writes into video memory. About ten thousand pages a second.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <thread>

#include "guest/config.h"

namespace colo::guest::test {

// Sixteen-bit code at 0x7c00; second processor started by INIT and SIPI, all segments 4 GiB:
//   work:  seed = seed * 1664525 + 1013904223          (seeds 1 and 2)
//          ++*(u32*)(base + (seed >> 18) * 4096)       (bases 16 MiB and 80 MiB)
//          ++*(u32*)counter                            (0x7000 and 0x7800)
//          first processor: ++*(u8*)0xb8000; wait 3,000 turns of a loop; again
inline constexpr unsigned char boot_code[] = {
    0xfa, 0x31, 0xc0, 0x8e, 0xd8, 0x8e, 0xd0, 0xbc, 0x00, 0x7c, 0x0f, 0x01, 0x16, 0xe8, 0x7c, 0x0f,
    0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0, 0xbb, 0x08, 0x00, 0x8e, 0xdb, 0x24, 0xfe, 0x0f, 0x22,
    0xc0, 0x31, 0xdb, 0x8e, 0xdb, 0xc6, 0x06, 0x00, 0x80, 0xea, 0xc7, 0x06, 0x01, 0x80, 0x66, 0x7c,
    0xc7, 0x06, 0x03, 0x80, 0x00, 0x00, 0x66, 0xbb, 0x00, 0x03, 0xe0, 0xfe, 0x67, 0x66, 0xc7, 0x03,
    0x00, 0x45, 0x0c, 0x00, 0xe8, 0x80, 0x00, 0x67, 0x66, 0xc7, 0x03, 0x08, 0x46, 0x0c, 0x00, 0xe8,
    0x75, 0x00, 0x66, 0xbe, 0x01, 0x00, 0x00, 0x00, 0x66, 0xbf, 0x00, 0x00, 0x00, 0x01, 0x66, 0xbd,
    0x00, 0x70, 0x00, 0x00, 0xeb, 0x16, 0x31, 0xc0, 0x8e, 0xd8, 0x66, 0xbe, 0x02, 0x00, 0x00, 0x00,
    0x66, 0xbf, 0x00, 0x00, 0x00, 0x05, 0x66, 0xbd, 0x00, 0x78, 0x00, 0x00, 0x66, 0x69, 0xf6, 0x0d,
    0x66, 0x19, 0x00, 0x66, 0x81, 0xc6, 0x5f, 0xf3, 0x6e, 0x3c, 0x66, 0x89, 0xf0, 0x66, 0xc1, 0xe8,
    0x12, 0x66, 0xc1, 0xe0, 0x0c, 0x66, 0x01, 0xf8, 0x67, 0x66, 0xff, 0x00, 0x67, 0x66, 0xff, 0x45,
    0x00, 0x66, 0xb8, 0x00, 0x80, 0x0b, 0x00, 0x66, 0x01, 0xf8, 0x66, 0x2d, 0x00, 0x00, 0x00, 0x01,
    0x66, 0x3d, 0x00, 0x00, 0x10, 0x00, 0x73, 0x03, 0x67, 0xfe, 0x00, 0x66, 0xb9, 0xb8, 0x0b, 0x00,
    0x00, 0x66, 0x49, 0x75, 0xfc, 0xeb, 0xb5, 0x66, 0xb9, 0xc0, 0xc6, 0x2d, 0x00, 0x66, 0x49, 0x75,
    0xfc, 0xc3, 0x8d, 0xb4, 0x00, 0x00, 0x66, 0x90, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    0xff, 0xff, 0x00, 0x00, 0x00, 0x92, 0xcf, 0x00, 0x0f, 0x00, 0xd8, 0x7c, 0x00, 0x00};

// The guest lives below a directory of its own that goes with the test.
class BusyGuestTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/colo-guest-test-XXXXXX";
    ASSERT_NE(::mkdtemp(path), nullptr);
    directory_ = path;
    write_boot_sector(boot_code);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  void write_boot_sector(std::span<const unsigned char> code) const {
    std::string sector(512, '\0');
    std::memcpy(sector.data(), code.data(), code.size());
    sector[510] = '\x55';
    sector[511] = '\xaa';
    sector.resize(1 << 20);  // firmware boots from nothing smaller than a cylinder
    std::ofstream(directory_ / "boot.img", std::ios::binary) << sector;
  }

  [[nodiscard]] GuestConfig config(const std::string& place) const {
    GuestConfig config;
    config.name = "busy";
    config.qemu.accelerator = "tcg";
    config.nics = {{"net0"}};
    config.run_directory = directory_ / place;
    std::filesystem::create_directories(config.run_directory);
    config.qemu.command = {
        "qemu-system-x86_64",
        "-machine",
        "q35",
        "-m",
        "160M",
        "-smp",
        "2",
        "-display",
        "none",
        "-device",
        "virtio-net-pci,netdev=net0,romfile=",
        "-drive",
        "if=virtio,format=raw,readonly=on,file=" + (directory_ / "boot.img").string()};
    return config;
  }

  // Both processors' rounds. The guest counts them in its memory.
  static std::uint32_t rounds(Guest& guest, int processor) {
    const PageIndex page = 7;
    Bytes bytes(page_bytes);
    EXPECT_TRUE(guest.read_pages(0, {&page, 1}, bytes));
    std::uint32_t count = 0;
    std::memcpy(&count, bytes.data() + (processor == 0 ? 0 : 0x800), sizeof count);
    return count;
  }

  // For what the guest does in its own time; a guest that never does it fails the test.
  static bool wait_until(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!condition()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }

  static bool wait_busy(Guest& guest) {
    // Firmware leaves other bytes there; the counters run when both processors do.
    const std::uint32_t first = rounds(guest, 0);
    const std::uint32_t second = rounds(guest, 1);
    return wait_until(
        [&] { return rounds(guest, 0) > first + 100 && rounds(guest, 1) > second + 100; });
  }

  std::filesystem::path directory_;
};

}  // namespace colo::guest::test
