// The messages of COLO mode.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/wire/samples.h"
#include "wire/bytes.h"
#include "wire/decoder.h"

namespace colo::wire {
namespace {

Bytes sent_body(const Bytes& frame) {
  return Bytes(frame.begin() + static_cast<std::ptrdiff_t>(header_bytes), frame.end());
}

TEST(Colo, ItsWordsComeBackAsTheyWere) {
  EXPECT_TRUE(decode_replica_runs(sent_body(encode(ReplicaRuns{}, samples::numbers))));
  const auto lost =
      decode_replica_lost(sent_body(encode(samples::replica_lost(), samples::numbers)));
  ASSERT_TRUE(lost);
  EXPECT_EQ(lost->error.text(), samples::replica_lost().error.text());
  const auto ask = decode_ask(sent_body(encode(samples::ask(), samples::numbers)));
  ASSERT_TRUE(ask);
  EXPECT_EQ(ask->reason, samples::ask().reason);
  for (const bool colo : {false, true}) {
    const auto mode = decode_mode(sent_body(encode(Mode{colo}, samples::numbers)));
    ASSERT_TRUE(mode);
    EXPECT_EQ(mode->colo, colo);
  }
  const auto flows = decode_flows(sent_body(encode(samples::flows(), samples::numbers)));
  ASSERT_TRUE(flows);
  EXPECT_FALSE(flows->last);
  EXPECT_EQ(flows->part, samples::flows().part);
}

TEST(Colo, PacketsComeBackInTheirOrderWithTheirPorts) {
  const Bytes body = sent_body(samples::packets());
  const auto packets = decode_packets(body);
  ASSERT_TRUE(packets);
  ASSERT_EQ(packets->size(), 2U);
  EXPECT_EQ((*packets)[0].port, 0);
  EXPECT_EQ((*packets)[0].bytes.size(), 60U);
  EXPECT_EQ((*packets)[0].bytes.front(), std::byte{7});
  EXPECT_EQ((*packets)[1].port, 3);
  ASSERT_EQ((*packets)[1].bytes.size(), 1U);
  EXPECT_EQ((*packets)[1].bytes.front(), std::byte{8});
}

TEST(Colo, AFrameOfPacketsTakesWhatFitsAndNoMore) {
  const Bytes large(packet_bytes_max, std::byte{1});
  PacketsFrame frame;
  EXPECT_TRUE(frame.empty());
  ASSERT_TRUE(frame.add(0, large));
  EXPECT_FALSE(frame.add(0, large)) << "two of the largest pass the bound of a body";
  const Bytes one = frame.finish(samples::numbers);
  EXPECT_LE(one.size() - header_bytes, packets_body_bytes_max);
  EXPECT_TRUE(frame.empty()) << "the builder begins anew";
  std::size_t small = 0;
  while (frame.add(1, ByteView(large).first(1))) ++small;
  EXPECT_EQ(small, packets_max);
  const Bytes many_body = sent_body(frame.finish(samples::numbers));
  const auto many = decode_packets(many_body);
  ASSERT_TRUE(many);
  EXPECT_EQ(many->size(), packets_max);
}

TEST(Colo, PacketsPastTheirBoundsAreRefusedByName) {
  const auto reason = [](const Bytes& body) {
    const auto packets = decode_packets(body);
    return packets ? std::string() : packets.error().reason;
  };
  EXPECT_NE(reason({}).find("packets"), std::string::npos);
  Bytes nought(5);
  EXPECT_NE(reason(nought).find("packet length"), std::string::npos);
  Bytes huge(5);
  put_little(huge.data() + 1, std::uint32_t{0xffffffff});
  EXPECT_NE(reason(huge).find("packet length"), std::string::npos);
  Bytes large(packets_body_bytes_max + 1);
  EXPECT_NE(reason(large).find("length"), std::string::npos);
  Bytes many;
  for (std::size_t i = 0; i <= packets_max; ++i) {
    many.insert(many.end(), {std::byte{0}, std::byte{1}, std::byte{0}, std::byte{0}, std::byte{0},
                             std::byte{9}});
  }
  EXPECT_NE(reason(many).find("more than"), std::string::npos);
  many.resize(many.size() - 6);
  EXPECT_EQ(reason(many), "");
}

TEST(Colo, APartOfATablePastItsBoundIsRefused) {
  Bytes body(5);
  put_little(body.data() + 1, static_cast<std::uint32_t>(flows_part_bytes_max + 1));
  const auto flows = decode_flows(body);
  ASSERT_FALSE(flows);
  EXPECT_NE(flows.error().reason.find("length"), std::string::npos);
}

}  // namespace
}  // namespace colo::wire
