// What QEMU and the kernel say as text: the machine protocol's lines, RAM blocks, memory maps.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>

#include <thread>

#include "guest/qemu/host_check.h"
#include "guest/qemu/memory_map.h"
#include "guest/qemu/qmp.h"
#include "guest/qemu/ram_blocks.h"

namespace colo::guest {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

TEST(QmpLine, AnEventHasItsNameAndTime) {
  const auto message =
      parse_qmp_line(R"({"timestamp": {"seconds": 12, "microseconds": 34}, "event": "STOP"})");
  ASSERT_TRUE(message && message->event);
  EXPECT_EQ(message->event->name, "STOP");
  EXPECT_EQ(message->event->when.count(), 12000034);
}

TEST(QmpLine, ARefusalCarriesQemusWords) {
  const auto message =
      parse_qmp_line(R"({"id": 7, "error": {"class": "GenericError", "desc": "no such thing"}})");
  ASSERT_TRUE(message && message->reply);
  EXPECT_EQ(message->reply->id, 7U);
  ASSERT_FALSE(message->reply->result);
  EXPECT_EQ(message->reply->result.error().reason, "no such thing");
}

TEST(QmpLine, WhatIsNoneIsRefusedAndNeverThrown) {
  for (const char* line :
       {"", "{", "[]", "{}", "7", R"({"event": 3})", R"({"error": "x"})",
        R"({"event": "STOP", "timestamp": {"seconds": "x"}})", R"({"id": "x", "return": {}})"}) {
    const auto message = parse_qmp_line(line);
    ASSERT_FALSE(message) << line;
    EXPECT_EQ(message.error().word, "qmp-malformed");
  }
}

class QmpTest : public ::testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    ASSERT_EQ(::fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    client_ = std::make_unique<Qmp>(UniqueFd(ends[0]));
    qemu_.reset(ends[1]);
  }
  void say(const std::string& line) {
    ASSERT_EQ(::send(qemu_.get(), line.data(), line.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(line.size()));
  }
  std::unique_ptr<Qmp> client_;
  UniqueFd qemu_;
};

TEST_F(QmpTest, AnEventBeforeTheReplyIsKept) {
  say("{\"event\": \"STOP\", \"timestamp\": {\"seconds\": 1, \"microseconds\": 5}}\r\n"
      "{\"return\": {\"a\": 1}, \"id\": 1}\r\n");
  const auto reply = client_->call("stop", {}, 1s);
  ASSERT_TRUE(reply) << reply.error().text();
  EXPECT_EQ(reply->at("a"), 1);
  const auto event = client_->take_event("STOP");
  ASSERT_TRUE(event);
  EXPECT_EQ(event->when.count(), 1000005);
  EXPECT_FALSE(client_->take_event("STOP"));
}

TEST_F(QmpTest, ALateReplyOfATimedOutCommandIsNotTakenForTheNextOnes) {
  const auto timed_out = client_->call("stop", {}, 1ms);
  ASSERT_FALSE(timed_out);
  EXPECT_EQ(timed_out.error().word, "qmp-timeout");
  say("{\"return\": {\"late\": 1}, \"id\": 1}\n{\"return\": {\"mine\": 1}, \"id\": 2}\n");
  const auto reply = client_->call("cont", {}, 1s);
  ASSERT_TRUE(reply) << reply.error().text();
  EXPECT_TRUE(reply->contains("mine"));
}

TEST_F(QmpTest, ALineWithoutEndIsRefusedBeforeItFillsTheMemory) {
  std::thread flood([this] {
    const std::string chunk(65536, 'x');
    while (::send(qemu_.get(), chunk.data(), chunk.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  const auto reply = client_->call("stop", {}, 60s);
  EXPECT_EQ(reply ? "a reply" : reply.error().word, "qmp-malformed");
  client_.reset();
  flood.join();
}

TEST_F(QmpTest, TheEndOfQemuIsToldApart) {
  qemu_.reset();
  const auto reply = client_->call("stop", {}, 1s);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().word, "qmp-closed");
}

constexpr const char* blocks_text =
    "              Block Name    PSize              Offset               Used              "
    "Total\r\n"
    "                colo.ram    4 KiB  0x0000000000000000 0x0000000010000000 "
    "0x0000000010000000\r\n"
    "   0000:00:01.0/vga.vram    4 KiB  0x0000000010080000 0x0000000001000000 "
    "0x0000000001000000\r\n"
    "    /rom@etc/acpi/tables    4 KiB  0x0000000011100000 0x0000000000020000 "
    "0x0000000000200000\r\n"
    "                 pc.bios    4 KiB  0x0000000010000000 0x0000000000040000 "
    "0x0000000000040000\r\n"
    "     0000:00:01.0/vga.rom    4 KiB  0x0000000011080000 0x0000000000010000 "
    "0x0000000000010000\r\n";

TEST(RamBlocks, OnlyWhatTheGuestCanWriteIsInTheLayout) {
  const auto blocks = parse_ram_blocks(blocks_text);
  ASSERT_TRUE(blocks) << blocks.error().text();
  EXPECT_EQ(blocks->size(), 5U);
  const auto layout = layout_of(*blocks);
  ASSERT_TRUE(layout);
  EXPECT_THAT(*layout, ElementsAre(RegionLayout{"colo.ram", 65536, true},
                                   RegionLayout{"0000:00:01.0/vga.vram", 4096, false}));
}

TEST(RamBlocks, ABlockOfUnknownKindCountsAsWritable) {
  EXPECT_TRUE(guest_can_write({"0000:00:05.0/qxl.vgavram", 4096}));
  EXPECT_FALSE(guest_can_write({"/rom@etc/table-loader", 4096}));
}

TEST(RamBlocks, WithoutTheEnginesMemoryThereIsNoLayout) {
  const auto layout = layout_of({{"pc.ram", 1 << 20}});
  ASSERT_FALSE(layout);
  EXPECT_EQ(layout.error().word, "memory-not-shared");
}

TEST(RamBlocks, AnUnexpectedLineIsRefused) {
  EXPECT_FALSE(parse_ram_blocks("Block Name\nram 4 KiB 0x0 0x1000\n"));
  EXPECT_FALSE(parse_ram_blocks("Block Name\nram 4 KiB 0x0 0x1000 many\n"));
}

TEST(RamBlocks, TheGuestsAddressOfARegionIsFoundWhereItStartsOnly) {
  const char* tree =
      "  0000000000000000-00000000000bffff (prio 0, ram): colo.ram\n"
      "  00000000000c0000-00000000000cffff (prio 1, ram): vga.vram @0000000000010000\n"
      "  00000000fd000000-00000000fdffffff (prio 1, ram): vga.vram\n";
  EXPECT_EQ(find_guest_address(tree, "vga.vram"), 0xfd000000U);
  EXPECT_FALSE(find_guest_address(tree, "other.vram"));
}

MemoryMap map_of(std::initializer_list<const char*> lines) {
  MemoryMap map;
  for (const char* line : lines) {
    const auto range = parse_map_line(line);
    EXPECT_TRUE(range) << line;
    if (range) map.push_back(*range);
  }
  return map;
}

TEST(MemoryMap, ABlockIsToldByItsSizeAlignmentAndGuardPage) {
  const MemoryMap map = map_of({"7f6885600000-7f6885800000 rw-p 00000000 00:00 0 ",
                                "7f6885800000-7f6885801000 ---p 00000000 00:00 0 ",
                                "7f6885a00000-7f6885c00000 rw-p 00000000 00:00 0 ",
                                "7f6886001000-7f6886201000 rw-p 00000000 00:00 0 ",
                                "7f6886201000-7f6886202000 ---p 00000000 00:00 0 "});
  EXPECT_THAT(find_anonymous_blocks(map, 2 << 20), ElementsAre(0x7f6885600000U));
  EXPECT_THAT(find_anonymous_blocks(map, 1 << 20), IsEmpty());
}

TEST(MemoryMap, AMemoryFileInSeveralRangesIsOnePiece) {
  const MemoryMap map =
      map_of({"7f0000000000-7f0000100000 rw-s 00000000 00:01 55 /memfd:x (deleted)",
              "7f0000100000-7f0000200000 rw-s 00100000 00:01 55 /memfd:x (deleted)"});
  EXPECT_EQ(find_file(map, {makedev(0, 1), 55}, 2 << 20, true), 0x7f0000000000U);
  EXPECT_FALSE(find_file(map, {makedev(0, 1), 55}, 3 << 20, true));
  EXPECT_FALSE(find_file(map, {makedev(0, 1), 56}, 2 << 20, true));
  EXPECT_FALSE(find_file(map, {makedev(1, 0), 55}, 2 << 20, true)) << "of another file system";
}

TEST(MemoryMap, AFileMappedPrivatelyIsToldFromOneThatIsShared) {
  const MemoryMap map = map_of({"7f0000000000-7f0000200000 rw-p 00000000 00:01 55 /dev/shm/x",
                                "7f1000000000-7f1000200000 rw-s 00000000 00:01 55 /dev/shm/x"});
  EXPECT_EQ(find_file(map, {makedev(0, 1), 55}, 2 << 20, false), 0x7f0000000000U);
  EXPECT_EQ(find_file(map, {makedev(0, 1), 55}, 2 << 20, true), 0x7f1000000000U);
}

TEST(MemoryMap, ALineThatIsNoneIsRefused) {
  EXPECT_FALSE(parse_map_line(""));
  EXPECT_FALSE(parse_map_line("7f00-zz rw-p"));
  EXPECT_FALSE(parse_map_line("7f0000001000-7f0000001000 rw-p 00000000 00:00 0 "));
}

TEST(QemuVersionText, IsReadFromTheFirstLine) {
  const auto version = parse_version("QEMU emulator version 7.2.22 (Debian 1:7.2)\nCopyright");
  ASSERT_TRUE(version);
  EXPECT_EQ(version->major, 7);
  EXPECT_EQ(version->minor, 2);
  EXPECT_FALSE(parse_version("true (GNU coreutils) 9.1"));
}

}  // namespace
}  // namespace colo::guest
