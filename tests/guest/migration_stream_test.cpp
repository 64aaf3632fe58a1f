// The stream that a standby's QEMU loads, byte by byte.
#include "guest/qemu/migration_stream.h"

#include <gtest/gtest.h>

namespace colo::guest {
namespace {

Bytes bytes_of(std::string_view text) {
  const ByteView view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}
std::string text_of(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

using namespace std::string_literals;
const std::string header = "QEVM\0\0\0\3"s;
const std::string devices = "\4\0\0\0\0\5timer..."s;
const std::string configuration = "\7\0\0\0\12pc-q35-7.2"s;

TEST(MigrationStream, TheConfigurationStandsBehindTheHeader) {
  const auto stream = add_configuration(bytes_of(header + devices), "pc-q35-7.2");
  ASSERT_TRUE(stream);
  EXPECT_EQ(text_of(*stream), header + configuration + devices);
}

TEST(MigrationStream, AStateOfAnotherFormatIsNotSaved) {
  EXPECT_FALSE(add_configuration(bytes_of("QEVM\0\0\0\2rest"s), "pc"));
  EXPECT_FALSE(add_configuration({}, "pc"));
}

TEST(MigrationStream, BlocksComeBeforeTheDevicesAndZeroPagesAsSuch) {
  Bytes content(2 * page_bytes);
  content[page_bytes] = std::byte{9};
  const auto stream =
      add_ram_blocks(bytes_of(header + configuration + devices), {{"vga.vram", content}});
  ASSERT_TRUE(stream);
  std::string page(page_bytes, '\0');
  page[0] = 9;
  EXPECT_EQ(text_of(*stream), header + configuration +
                                  "\4\x7f\xff\0\1\3ram\0\0\0\0\0\0\0\4"s  // section, version 4
                                  "\0\0\0\0\0\0\x20\4\10vga.vram\0\0\0\0\0\0\x20\0"s  // sizes
                                  "\0\0\0\0\0\0\0\2\10vga.vram\0"s  // page 0: zero
                                  "\0\0\0\0\0\0\x10\x28"s +         // page 1
                                  page +
                                  "\0\0\0\0\0\0\0\x10\x7e\x7f\xff\0\1"s + devices);
}

TEST(MigrationStream, WithoutBlocksTheStateIsTheStream) {
  const Bytes state = bytes_of(header + configuration + devices);
  const auto stream = add_ram_blocks(state, {});
  ASSERT_TRUE(stream);
  EXPECT_EQ(*stream, state);
}

TEST(MigrationStream, AStateThatIsNoneOfOursIsRefused) {
  for (const std::string& state :
       {""s, header, header + devices, header + "\7\0\0\0"s, header + "\7\xff\xff\xff\xffpc"s,
        "x" + header + configuration + devices}) {
    const auto stream = add_ram_blocks(bytes_of(state), {});
    ASSERT_FALSE(stream);
    EXPECT_EQ(stream.error().word, "load-failed");
  }
}

TEST(MigrationStream, AcpiTablesAreAskedForAfresh) {
  const std::string before = "\4\0\0\0\x2d\12acpi_build\0\0\0\0\0\0\0\1"s;
  const std::string after = "\x7e\0\0\0\x2d"s;
  Bytes stream = bytes_of(header + before + "\1" + after + devices);
  ask_for_fresh_acpi_tables(stream);
  EXPECT_EQ(text_of(stream), header + before + "\0"s + after + devices);
}

TEST(MigrationStream, BytesThatOnlyLookLikeAcpiStateAreLeftAlone) {
  for (const std::string& text :
       {header + "\12acpi_build"s, "\12acpi_build"s,
        header + "\4\0\0\0\x2d\12acpi_build\0\0\0\0\0\0\0\1\1\x7e\0\0\0\x2e"s}) {
    Bytes stream = bytes_of(text);
    ask_for_fresh_acpi_tables(stream);
    EXPECT_EQ(text_of(stream), text);
  }
}

}  // namespace
}  // namespace colo::guest
