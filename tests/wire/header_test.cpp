#include "wire/header.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/wire/samples.h"
#include "wire/bytes.h"
#include "wire/checksum.h"

namespace colo::wire {
namespace {

HeaderBytes sample() { return encode_header({Kind::commit, 32, {7}, {42}, 9, 0xfeedfacecafebeef}); }

// A header as a peer would make it that has this field different and its checksum right.
template <class Integer>
HeaderBytes with_field(std::size_t at, Integer value) {
  HeaderBytes bytes = sample();
  put_little(bytes.data() + at, value);
  put_little(bytes.data() + 48, checksum64(ByteView(bytes).first(48)));
  return bytes;
}

TEST(Header, ComesBackAsItWas) {
  const auto header = decode_header(sample());
  ASSERT_TRUE(header) << header.error().text();
  EXPECT_EQ(header->kind, Kind::commit);
  EXPECT_EQ(header->length, 32U);
  EXPECT_EQ(header->generation, Generation{7});
  EXPECT_EQ(header->epoch, Epoch{42});
  EXPECT_EQ(header->sequence, 9U);
  EXPECT_EQ(header->body_checksum, 0xfeedfacecafebeef);
}

TEST(Header, BeginsWithTheNameInAHexDump) {
  const HeaderBytes bytes = sample();
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), 4), "COLO");
}

TEST(Header, AnyFlippedBitIsFound) {
  for (std::size_t bit = 0; bit < header_bytes * 8; ++bit) {
    HeaderBytes bytes = sample();
    bytes[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    const auto header = decode_header(bytes);
    ASSERT_FALSE(header) << "bit " << bit;
    EXPECT_EQ(header.error().word, bit < 32   ? "bad-magic"
                                   : bit < 48 ? "wrong-version"
                                              : "bad-header");
  }
}

TEST(Header, AnotherVersionIsToldWhateverFollowsIt) {
  HeaderBytes bytes = with_field<std::uint16_t>(4, 7);
  std::fill(bytes.begin() + 6, bytes.end(), std::byte{0x5a});
  const auto header = decode_header(bytes);
  ASSERT_FALSE(header);
  EXPECT_EQ(header.error().word, "wrong-version");
  EXPECT_EQ(header.error().reason, "protocol version 3 here, 7 there");
  EXPECT_EQ(header.error().remedy, "install the same version of colo on both hosts");
}

TEST(Header, UnknownKindsAreRefused) {
  for (const unsigned kind : {0U, 26U, 65535U}) {
    const auto header = decode_header(with_field(6, static_cast<std::uint16_t>(kind)));
    ASSERT_FALSE(header) << kind;
    EXPECT_EQ(header.error().word, "bad-kind");
  }
}

TEST(Header, ABodyPastTheBoundIsRefusedByItsNumbers) {
  EXPECT_TRUE(decode_header(with_field<std::uint32_t>(8, body_bytes_max)));
  const auto header = decode_header(with_field<std::uint32_t>(8, body_bytes_max + 1));
  ASSERT_FALSE(header);
  EXPECT_EQ(header.error().word, "too-long");
  EXPECT_EQ(header.error().reason, "commit of 2097153 bytes, at most 2097152 on this lane");
}

TEST(Header, TheReservedFieldMustBeZero) {
  const auto header = decode_header(with_field<std::uint32_t>(12, 1));
  ASSERT_FALSE(header);
  EXPECT_EQ(header.error().word, "bad-header");
}

TEST(Header, EveryKindHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (const auto& [kind, frame] : samples::frames()) {
    const auto header = decode_header(ByteView(frame).first<header_bytes>());
    ASSERT_TRUE(header);
    EXPECT_EQ(name(header->kind), kind.substr(0, kind.find('-')));
    names.insert(name(header->kind));
  }
  EXPECT_EQ(names.size(), 25U);
  EXPECT_EQ(name(Kind::invalid), "");
}

}  // namespace
}  // namespace colo::wire
