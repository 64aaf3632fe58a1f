// What the engine reads out of a user's QEMU command, and what it refuses in one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "guest/qemu/command_line.h"

namespace colo::guest {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const std::vector<std::string> good = {
    "qemu-system-x86_64", "-machine", "q35",      "-m",      "512M",
    "-nographic",         "-cdrom",   "boot.iso", "-device", "virtio-net-pci,netdev=net0"};

GuestConfig config_with(const std::vector<std::string>& more) {
  GuestConfig config;
  config.nics = {{"net0"}};
  config.qemu.command = good;
  config.qemu.command.insert(config.qemu.command.end(), more.begin(), more.end());
  return config;
}

std::vector<std::string> words_with(const std::vector<std::string>& more) {
  std::vector<std::string> words;
  for (const Finding& finding : command_findings(config_with(more))) {
    EXPECT_FALSE(finding.reason.empty());
    EXPECT_FALSE(finding.remedy.empty());
    words.push_back(finding.word);
  }
  return words;
}

TEST(QemuCommand, OptionsAreReadWithTheirValues) {
  EXPECT_THAT(parse_options({"qemu", "-nographic", "--m", "1G", "disk.img", "-append", "-x y"}),
              ElementsAre(Option{"nographic", ""}, Option{"m", "1G"}, Option{"", "disk.img"},
                          Option{"append", "-x y"}));
}

TEST(QemuCommand, ADoubledCommaBelongsToTheValue) {
  const auto parts = parse_parts("stream,path=a,,b,readonly");
  ASSERT_EQ(parts.size(), 3U);
  EXPECT_EQ(parts[1].key, "path");
  EXPECT_EQ(parts[1].value, "a,b");
  EXPECT_FALSE(parts[2].has_value);
}

TEST(QemuCommand, TheMemorySizeIsReadInEachOfItsForms) {
  const auto size = [](const std::string& text) {
    return memory_bytes_of({"qemu", "-m", text}).value_or(0);
  };
  EXPECT_EQ(size("512"), 512U << 20);
  EXPECT_EQ(size("512M"), 512U << 20);
  EXPECT_EQ(size("2g"), 2ULL << 30);
  EXPECT_EQ(size("size=1G"), 1ULL << 30);
  EXPECT_EQ(size("1G,slots=2,maxmem=4G"), 1ULL << 30);
  EXPECT_EQ(size("8192K"), 8U << 20);
}

TEST(QemuCommand, AMemorySizeThatIsNoneIsRefused) {
  for (const char* text :
       {"", "0", "x", "1.5G", "12MB", "4K", "-1", "99999999999999999999", "64T1"}) {
    const auto size = memory_bytes_of({"qemu", "-m", text});
    EXPECT_FALSE(size) << text;
  }
  const auto missing = memory_bytes_of({"qemu", "-smp", "2"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().word, "memory-size-missing");
}

TEST(QemuCommand, AGoodOneIsAccepted) { EXPECT_THAT(words_with({}), IsEmpty()); }

TEST(QemuCommand, WhatTheEngineDecidesIsReserved) {
  for (const std::vector<std::string>& more :
       std::vector<std::vector<std::string>>{{"-S"},
                                             {"-qmp", "stdio"},
                                             {"-incoming", "defer"},
                                             {"-daemonize"},
                                             {"-loadvm", "x"},
                                             {"-no-shutdown"},
                                             {"-accel", "tcg"},
                                             {"-enable-kvm"},
                                             {"-machine", "accel=kvm"},
                                             {"-M", "pc,accel=kvm:tcg"},
                                             {"-readconfig", "file"},
                                             {"-chroot", "/x"},
                                             {"-action", "shutdown=pause"},
                                             {"-action", "reboot=reset,panic=pause"},
                                             {"-netdev", "user,id=net0"}}) {
    EXPECT_THAT(words_with(more), ElementsAre("option-reserved")) << more[0];
  }
}

TEST(QemuCommand, MemoryOfItsOwnIsRefused) {
  EXPECT_THAT(words_with({"-object", "memory-backend-ram,id=r,size=1G"}),
              ElementsAre("memory-not-shared"));
  EXPECT_THAT(words_with({"-object", R"({"qom-type":"memory-backend-memfd","id":"r"})"}),
              ElementsAre("memory-not-shared"));
  EXPECT_THAT(words_with({"-machine", "pc,memory-backend=r"}), ElementsAre("memory-not-shared"));
  EXPECT_THAT(words_with({"-mem-path", "/dev/hugepages"}), ElementsAre("memory-not-shared"));
}

TEST(QemuCommand, AWritableDiskIsRefusedInEveryForm) {
  for (const std::vector<std::string>& more : std::vector<std::vector<std::string>>{
           {"disk.img"},
           {"-hda", "disk.img"},
           {"-pflash", "vars.fd"},
           {"-drive", "file=disk.img,if=virtio"},
           {"-drive", "file=disk.img,readonly=off"},
           {"-drive", "file=disk.img,snapshot=on,readonly=on"},
           {"-blockdev", "driver=file,node-name=d,filename=disk.img"},
           {"-blockdev", R"({"driver":"file","node-name":"d","filename":"x"})"},
           {"-snapshot"},
           {"-usbdevice", "disk:x"},
           {"-virtfs", "local,path=/,mount_tag=t,security_model=none"}}) {
    EXPECT_THAT(words_with(more), ElementsAre("disk-writable")) << more[0];
  }
}

TEST(QemuCommand, AReadOnlyDiskIsAccepted) {
  for (const std::vector<std::string>& more : std::vector<std::vector<std::string>>{
           {"-drive", "file=disk.img,if=virtio,readonly=on"},
           {"-drive", "file=boot.iso,media=cdrom"},
           {"-blockdev", "driver=file,node-name=d,filename=disk.img,read-only=on"},
           {"-blockdev", R"({"driver":"file","node-name":"d","filename":"x","read-only":true})"}}) {
    EXPECT_THAT(words_with(more), IsEmpty()) << more[1];
  }
}

TEST(QemuCommand, ADeviceWhoseWritesCannotBeFollowedIsRefused) {
  for (const char* device : {"vfio-pci,host=01:00.0", "vhost-user-fs-pci,chardev=c", "nvdimm",
                             "driver=ivshmem-plain,memdev=m", R"({"driver":"vfio-pci"})"}) {
    EXPECT_THAT(words_with({"-device", device}), ElementsAre("device-untrackable")) << device;
  }
}

TEST(QemuCommand, OutputThatCannotBeHeldIsRefused) {
  EXPECT_THAT(words_with({"-netdev", "user,id=other"}), ElementsAre("network-not-held"));
  EXPECT_THAT(words_with({"-netdev", "vhost-user,id=other"}), ElementsAre("network-not-held"));
  EXPECT_THAT(words_with({"-nic", "tap"}), ElementsAre("network-not-held"));
  EXPECT_THAT(words_with({"-nic", "none"}), IsEmpty());
}

TEST(QemuCommand, ACardThatNoDeviceNamesIsFound) {
  GuestConfig config = config_with({});
  config.nics.push_back({"net1"});
  const auto findings = command_findings(config);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].word, "nic-without-device");
  EXPECT_NE(findings[0].reason.find("net1"), std::string::npos);
}

TEST(QemuCommand, AnEmptyOneAndAnUnknownAcceleratorAreFound) {
  GuestConfig config;
  ASSERT_EQ(command_findings(config).size(), 1U);
  EXPECT_EQ(command_findings(config)[0].word, "command-missing");
  config = config_with({});
  config.qemu.accelerator = "hvf";
  ASSERT_EQ(command_findings(config).size(), 1U);
  EXPECT_EQ(command_findings(config)[0].word, "accelerator-unknown");
}

// QEMU punches holes into the file behind a private mapping too, which is the checkpoint.
TEST(QemuCommand, ABalloonIsNoneForAGuestWithOwnCopies) {
  GuestConfig config;
  config.qemu.command = {"qemu", "-m", "64M", "-device", "virtio-net-pci,netdev=net0"};
  EXPECT_THAT(own_copies_findings(config), IsEmpty());
  for (const char* device :
       {"virtio-balloon", "virtio-balloon-pci,id=b", "driver=virtio-balloon-pci",
        R"({"driver":"virtio-balloon-device"})"}) {
    config.qemu.command.back() = device;
    const auto findings = own_copies_findings(config);
    ASSERT_EQ(findings.size(), 1U) << device;
    EXPECT_EQ(findings[0].word, "device-spoils-checkpoint");
    const auto maker = make_guest_maker(config);
    ASSERT_TRUE(maker) << "fine for a guest that shares its memory";
    const auto standby = (*maker)->standby(StandbyMemory::own_copies);
    ASSERT_FALSE(standby);
    EXPECT_EQ(standby.error().word, "device-spoils-checkpoint");
  }
}

TEST(QemuCommand, APlaceThatOnlyOneQemuCanHaveIsWarnedOfWhereTwoRun) {
  GuestConfig config;
  const auto found = [&](const std::vector<std::string>& more) {
    config.qemu.command = {"qemu", "-m", "64M"};
    config.qemu.command.insert(config.qemu.command.end(), more.begin(), more.end());
    return own_copies_findings(config);
  };
  for (const std::vector<std::string>& more : std::vector<std::vector<std::string>>{
           {"-vnc", ":1"},
           {"-display", "vnc=127.0.0.1:1"},
           {"-s"},
           {"-gdb", "tcp::1234"},
           {"-pidfile", "/run/guest.pid"},
           {"-spice", "port=5900,disable-ticketing=on"},
           {"-serial", "tcp:127.0.0.1:4444,server=on,wait=off"},
           {"-monitor", "unix:/run/monitor,server,nowait"},
           {"-chardev", "socket,id=c,path=/run/c,server=on,wait=off"},
           {"-chardev", "pipe,id=c,path=/run/c"}}) {
    const auto findings = found(more);
    ASSERT_EQ(findings.size(), 1U) << more[0];
    EXPECT_EQ(findings[0].word, "option-for-one");
    EXPECT_FALSE(findings[0].fatal);
  }
  for (const std::vector<std::string>& more :
       std::vector<std::vector<std::string>>{{"-vnc", "none"},
                                             {"-vnc", ":1,to=9"},
                                             {"-gdb", "none"},
                                             {"-serial", "file:console.log"},
                                             {"-serial", "pty"},
                                             {"-serial", "tcp:127.0.0.1:4444"},
                                             {"-chardev", "socket,id=c,path=/run/c,server=off"},
                                             {"-monitor", "none"}}) {
    EXPECT_THAT(found(more), IsEmpty()) << more[1];
  }
}

}  // namespace
}  // namespace colo::guest
