#include <gtest/gtest.h>

#include <boost/asio/ip/udp.hpp>

#include "io/heartbeat_datagram.h"
#include "io/heartbeat_links.h"
#include "tests/io/support.h"

namespace colo::io::test {
namespace {

using boost::asio::ip::udp;

Heartbeat heartbeat_of(std::uint64_t run_start, std::uint64_t count, std::uint16_t link = 0) {
  return {"beta", run_start, 77, link, count};
}

TEST(HeartbeatDatagram, IsReadBackAsItWasSent) {
  const Heartbeat sent{"beta", 1'700'000'000'000'000'000, 0xfedcba9876543210, 3, 42};
  const auto read = decode_heartbeat(encode_heartbeat(sent, key_of(1)), key_of(1));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->host, sent.host);
  EXPECT_EQ(read->run_start, sent.run_start);
  EXPECT_EQ(read->run_number, sent.run_number);
  EXPECT_EQ(read->link, sent.link);
  EXPECT_EQ(read->count, sent.count);
}

TEST(HeartbeatDatagram, WithAnyByteAlteredIsNothing) {
  const Bytes good = encode_heartbeat(heartbeat_of(1, 1), key_of(1));
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes altered = good;
    altered[i] ^= std::byte{1};
    EXPECT_FALSE(decode_heartbeat(altered, key_of(1))) << i;
  }
}

TEST(HeartbeatDatagram, OfAnyOtherLengthIsNothing) {
  Bytes datagram = encode_heartbeat(heartbeat_of(1, 1), key_of(1));
  for (std::size_t size = 0; size < datagram.size(); ++size) {
    EXPECT_FALSE(decode_heartbeat(ByteView(datagram).first(size), key_of(1)));
  }
  datagram.push_back(std::byte{0});
  EXPECT_FALSE(decode_heartbeat(datagram, key_of(1)));
}

TEST(HeartbeatDatagram, UnderAnotherKeyIsNothing) {
  EXPECT_FALSE(decode_heartbeat(encode_heartbeat(heartbeat_of(1, 1), key_of(1)), key_of(2)));
}

TEST(HeartbeatFilter, TakesEachCountOnce) {
  HeartbeatFilter filter("alpha", 1);
  EXPECT_TRUE(filter.accept(heartbeat_of(1000, 5), 0));
  EXPECT_FALSE(filter.accept(heartbeat_of(1000, 5), 0));
  EXPECT_FALSE(filter.accept(heartbeat_of(1000, 4), 0));
  EXPECT_TRUE(filter.accept(heartbeat_of(1000, 9), 0));
}

TEST(HeartbeatFilter, ANewRunReplacesAnOldOneAndNeverTheReverse) {
  HeartbeatFilter filter("alpha", 1);
  EXPECT_TRUE(filter.accept(heartbeat_of(1000, 500), 0));
  EXPECT_TRUE(filter.accept(heartbeat_of(2000, 1), 0));
  EXPECT_FALSE(filter.accept(heartbeat_of(1000, 501), 0));  // recorded before the restart
  EXPECT_TRUE(filter.accept(heartbeat_of(2000, 2), 0));
}

TEST(HeartbeatFilter, TwoRunsOfOneInstantAreNotMixed) {
  HeartbeatFilter filter("alpha", 1);
  EXPECT_TRUE(filter.accept({"beta", 1000, 1, 0, 5}, 0));
  EXPECT_FALSE(filter.accept({"beta", 1000, 2, 0, 6}, 0));
}

TEST(HeartbeatFilter, OurOwnEchoIsNoNews) {
  HeartbeatFilter filter("beta", 1);
  EXPECT_FALSE(filter.accept(heartbeat_of(1000, 1), 0));
}

TEST(HeartbeatFilter, ADatagramOfOneLinkSaysNothingOnAnother) {
  HeartbeatFilter filter("alpha", 2);
  EXPECT_FALSE(filter.accept(heartbeat_of(1000, 1, 0), 1));
  EXPECT_TRUE(filter.accept(heartbeat_of(1000, 1, 1), 1));
  EXPECT_FALSE(filter.accept(heartbeat_of(1000, 2, 7), 7));
}

class HeartbeatOnLoopback : public testing::Test {
 protected:
  udp::endpoint free_port() {
    udp::socket socket(loop_, {boost::asio::ip::address_v4::loopback(), 0});
    return socket.local_endpoint();
  }
  HeartbeatOptions options_for(const std::string& host, std::vector<HeartbeatLink> links,
                               unsigned key = 1) {
    return {key_of(key), host, std::move(links), std::chrono::milliseconds(5)};
  }
  boost::asio::io_context loop_;
};

TEST_F(HeartbeatOnLoopback, TwoHostsHearEachOtherOnEveryLink) {
  const std::array<udp::endpoint, 4> at{free_port(), free_port(), free_port(), free_port()};
  std::array<int, 2> alpha_heard{}, beta_heard{};
  auto alpha = HeartbeatLinks::start(loop_, options_for("alpha", {{at[0], at[1]}, {at[2], at[3]}}),
                                     [&](std::size_t link) { ++alpha_heard.at(link); });
  auto beta = HeartbeatLinks::start(loop_, options_for("beta", {{at[1], at[0]}, {at[3], at[2]}}),
                                    [&](std::size_t link) { ++beta_heard.at(link); });
  ASSERT_TRUE(alpha);
  ASSERT_TRUE(beta);
  EXPECT_TRUE(run_until(loop_, [&] {
    return alpha_heard[0] > 3 && alpha_heard[1] > 3 && beta_heard[0] > 3 && beta_heard[1] > 3;
  }));
}

TEST_F(HeartbeatOnLoopback, AnotherKeyAndAReplayAreNotHeardAndALaterHonestOneIs) {
  const udp::endpoint own = free_port();
  udp::socket peer(loop_, {boost::asio::ip::address_v4::loopback(), 0});
  const udp::endpoint other = free_port();
  int heard = 0;
  auto alpha = HeartbeatLinks::start(loop_, options_for("alpha", {{own, peer.local_endpoint()}}),
                                     [&](std::size_t) { ++heard; });
  ASSERT_TRUE(alpha);
  // What an honest beta sends, recorded.
  udp::socket record(loop_, other);
  auto beta =
      HeartbeatLinks::start(loop_, options_for("beta", {{free_port(), other}}), [](std::size_t) {});
  ASSERT_TRUE(beta);
  std::vector<Bytes> recorded;
  ASSERT_TRUE(run_until(loop_, [&] {
    while (record.available() > 0) {
      Bytes datagram(record.available());
      record.receive(boost::asio::buffer(datagram));
      recorded.push_back(std::move(datagram));
    }
    return recorded.size() >= 3;
  }));
  peer.send_to(boost::asio::buffer(recorded[1]), own);
  ASSERT_TRUE(run_until(loop_, [&] { return heard == 1; }));
  peer.send_to(boost::asio::buffer(recorded[0]), own);
  peer.send_to(boost::asio::buffer(recorded[1]), own);
  peer.send_to(boost::asio::buffer(encode_heartbeat(heartbeat_of(~0ULL, 1), key_of(2))), own);
  peer.send_to(boost::asio::buffer(Bytes(2000, std::byte{1})), own);
  peer.send_to(boost::asio::buffer(Bytes()), own);
  peer.send_to(boost::asio::buffer(recorded[2]), own);  // comes last, on one socket, in order
  ASSERT_TRUE(run_until(loop_, [&] { return heard >= 2; }));
  EXPECT_EQ(heard, 2);
}

TEST_F(HeartbeatOnLoopback, AnAddressInUseIsNamed) {
  const udp::endpoint own = free_port();
  udp::socket taken(loop_, own);
  const auto links =
      HeartbeatLinks::start(loop_, options_for("alpha", {{own, own}}), [](std::size_t) {});
  ASSERT_FALSE(links);
  EXPECT_EQ(links.error().word, "address-in-use");
  EXPECT_NE(links.error().reason.find(std::to_string(own.port())), std::string::npos);
}

}  // namespace
}  // namespace colo::io::test
