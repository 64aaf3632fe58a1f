// docs/wire_format.md is the specification; what it shows must be what the code does.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "wire/decoder.h"
#include "wire/messages.h"
#include "wire/packets.h"
#include "wire/pages.h"

namespace colo::wire {
namespace {

std::string page_text() {
  std::ifstream file(COLO_WIRE_FORMAT_PAGE);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_TRUE(file) << "cannot read " << COLO_WIRE_FORMAT_PAGE;
  return text.str();
}

// The bytes of the hex dump under "## Example": lines of an offset and up to 16 bytes.
Bytes example() {
  const std::string text = page_text();
  std::istringstream lines(text.substr(text.find("## Example")));
  Bytes bytes;
  bool dump = false;
  for (std::string line; std::getline(lines, line);) {
    if (line == "```" && dump) break;
    if (line == "```") {
      dump = true;
    } else if (dump) {
      std::istringstream fields(line);
      unsigned value = 0;
      fields >> std::hex >> value;
      EXPECT_EQ(value, bytes.size()) << line;
      while (fields >> value) bytes.push_back(static_cast<std::byte>(value));
    }
  }
  return bytes;
}

TEST(FormatPage, ItsExampleIsTheFrameThatWeSend) {
  EXPECT_EQ(example(), encode(Committed{}, {{3}, {41}, 17}));
}

TEST(FormatPage, ItsExampleIsReadAsThePageSays) {
  FrameDecoder decoder(control_body_bytes_max, 16);
  decoder.feed(example());
  const auto next = decoder.next();
  ASSERT_TRUE(next && *next);
  const Header header = (*next)->header;
  EXPECT_EQ(header.kind, Kind::committed);
  EXPECT_EQ(header.generation, Generation{3});
  EXPECT_EQ(header.epoch, Epoch{41});
  EXPECT_EQ(header.sequence, 17U);
  EXPECT_EQ(header.body_checksum, 0x2d06800538d394c2U);
}

TEST(FormatPage, EveryKindHasASectionUnderItsNumberAndName) {
  const std::string text = page_text();
  std::size_t kinds = 0;
  for (std::uint16_t number = 1; number < 100; ++number) {
    const std::string_view kind = name(static_cast<Kind>(number));
    if (kind.empty()) continue;
    ++kinds;
    const std::string heading = "### " + std::to_string(number) + " `" + std::string(kind) + "`";
    EXPECT_NE(text.find(heading), std::string::npos) << heading;
  }
  EXPECT_EQ(kinds, 25U);
}

TEST(FormatPage, ItsLimitsAreOurs) {
  const std::string text = page_text();
  EXPECT_EQ(body_bytes_max, 2U << 20);
  EXPECT_EQ(control_body_bytes_max, 256U << 10);
  EXPECT_EQ(device_chunk_bytes, 256U << 10);
  EXPECT_EQ(text_bytes_max, 1024U);
  EXPECT_EQ(region_name_bytes_max, 255U);
  EXPECT_EQ(regions_max, 256U);
  EXPECT_EQ(held_ranges_max, 4096U);
  EXPECT_EQ(packet_bytes_max, 65550U);
  EXPECT_EQ(packets_body_bytes_max, 128U << 10);
  EXPECT_EQ(packets_max, 1024U);
  EXPECT_EQ(flows_part_bytes_max, 128U << 10);
  EXPECT_EQ(flows_bytes_max, 2U << 20);
  EXPECT_EQ(region_pages_max, std::uint64_t{1} << 40);
  constexpr std::size_t largest =
      batch_prefix_bytes + batch_data_pages_max * (page_bytes + 8) + batch_zero_pages_max * 8;
  EXPECT_EQ(largest, 1083408U);
  EXPECT_NE(text.find("1,083,408"), std::string::npos);
}

}  // namespace
}  // namespace colo::wire
