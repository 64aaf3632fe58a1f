#include <gtest/gtest.h>

#include <array>
#include <boost/asio/ip/udp.hpp>
#include <optional>
#include <string>

#include "io/heartbeat_datagram.h"
#include "io/heartbeat_links.h"
#include "io/key_file.h"
#include "tests/io/support.h"

namespace colo::io::test {
namespace {

using boost::asio::ip::udp;

// Of run "one", which answers `answer`.
Heartbeat heartbeat_of(std::uint64_t count, std::uint64_t answer = 0, std::uint16_t link = 0) {
  return {"beta", "one", link, count, 5000, answer, {}, wire::GuestHere::none};
}
Heartbeat of_run(const std::string& run, std::uint64_t count, std::uint64_t answer) {
  Heartbeat heartbeat = heartbeat_of(count, answer);
  heartbeat.run = run;
  return heartbeat;
}

// Challenges 101, 102, ...
struct TestFilter : HeartbeatFilter {
  explicit TestFilter(const std::string& host, std::size_t links = 1)
      : HeartbeatFilter(host, links, [next = std::uint64_t{100}]() mutable { return ++next; }) {}
};

TEST(HeartbeatDatagram, IsReadBackAsItWasSent) {
  const Heartbeat sent{"beta", "5f0c9a3e",           3, 42, 0xfedcba9876543210, 77,
                       {9},    wire::GuestHere::runs};
  const auto read = decode_heartbeat(encode_heartbeat(sent, key_of(1)), key_of(1));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->host, sent.host);
  EXPECT_EQ(read->run, sent.run);
  EXPECT_EQ(read->link, sent.link);
  EXPECT_EQ(read->count, sent.count);
  EXPECT_EQ(read->challenge, sent.challenge);
  EXPECT_EQ(read->answer, sent.answer);
  EXPECT_EQ(read->generation, sent.generation);
  EXPECT_EQ(read->guest, sent.guest);
}

TEST(HeartbeatDatagram, TheLongestNamesFit) {
  Heartbeat sent = heartbeat_of(1);
  sent.host.assign(heartbeat_host_bytes_max, 'h');
  sent.run.assign(heartbeat_run_bytes_max, 'r');
  const Bytes datagram = encode_heartbeat(sent, key_of(1));
  EXPECT_LE(datagram.size(), heartbeat_bytes_max);
  EXPECT_TRUE(decode_heartbeat(datagram, key_of(1)));
}

TEST(HeartbeatDatagram, WithAnyByteAlteredIsNothing) {
  const Bytes good = encode_heartbeat(heartbeat_of(1), key_of(1));
  for (std::size_t i = 0; i < good.size(); ++i) {
    Bytes altered = good;
    altered[i] ^= std::byte{1};
    EXPECT_FALSE(decode_heartbeat(altered, key_of(1))) << i;
  }
}

TEST(HeartbeatDatagram, OfAnyOtherLengthIsNothing) {
  Bytes datagram = encode_heartbeat(heartbeat_of(1), key_of(1));
  for (std::size_t size = 0; size < datagram.size(); ++size) {
    EXPECT_FALSE(decode_heartbeat(ByteView(datagram).first(size), key_of(1)));
  }
  datagram.push_back(std::byte{0});
  EXPECT_FALSE(decode_heartbeat(datagram, key_of(1)));
}

TEST(HeartbeatDatagram, UnderAnotherKeyIsNothing) {
  EXPECT_FALSE(decode_heartbeat(encode_heartbeat(heartbeat_of(1), key_of(1)), key_of(2)));
}

TEST(HeartbeatFilter, TakesEachCountOnce) {
  TestFilter filter("alpha");
  EXPECT_TRUE(filter.accept(heartbeat_of(5, 101), 0));
  EXPECT_FALSE(filter.accept(heartbeat_of(5, 101), 0));
  EXPECT_FALSE(filter.accept(heartbeat_of(4, 102), 0));
  EXPECT_TRUE(filter.accept(heartbeat_of(9), 0));  // a known run need answer nothing
}

TEST(HeartbeatFilter, ARunIsTakenOnceItAnswersAndIsAnsweredBefore) {
  TestFilter filter("alpha");
  EXPECT_EQ(filter.challenge(0), 101U);
  EXPECT_EQ(filter.answer(0), 0U);
  EXPECT_FALSE(filter.accept(heartbeat_of(1), 0));
  EXPECT_EQ(filter.answer(0), 5000U);
  EXPECT_FALSE(filter.accept(heartbeat_of(2, 100), 0));
  EXPECT_TRUE(filter.accept(heartbeat_of(3, 101), 0));
}

TEST(HeartbeatFilter, ANewRunReplacesAnOldOneAndNeverTheReverse) {
  TestFilter filter("alpha");
  EXPECT_TRUE(filter.accept(of_run("old", 500, 101), 0));
  EXPECT_TRUE(filter.accept(of_run("new", 1, 102), 0));
  // Recorded while the old run lived, taken or not: it answers what was asked then.
  EXPECT_FALSE(filter.accept(of_run("old", 501, 101), 0));
  EXPECT_FALSE(filter.accept(of_run("old", 502, 102), 0));
  EXPECT_TRUE(filter.accept(of_run("new", 2, 102), 0));
}

TEST(HeartbeatFilter, ARunWhoseClockWasSetBackIsHeard) {
  // Two filters as of two hosts: nothing of a datagram but runs, counts and challenges is compared.
  TestFilter alpha("alpha");
  EXPECT_TRUE(alpha.accept(of_run("first", 1'000'000, 101), 0));
  TestFilter beta("beta");  // beta's engine was started anew
  const auto from_alpha = [&](std::uint64_t count) {
    return Heartbeat{
        "alpha", "a", 0, count, alpha.challenge(0), alpha.answer(0), {}, wire::GuestHere::none};
  };
  const auto from_beta = [&](std::uint64_t count) {
    return Heartbeat{
        "beta", "second", 0, count, beta.challenge(0), beta.answer(0), {}, wire::GuestHere::none};
  };
  EXPECT_FALSE(beta.accept(from_alpha(70), 0));
  EXPECT_TRUE(alpha.accept(from_beta(1), 0));
  EXPECT_TRUE(beta.accept(from_alpha(71), 0));
}

TEST(HeartbeatFilter, WhatAFreshEngineIsSentFromARecordingIsNoNews) {
  TestFilter before("alpha");
  const Heartbeat recorded = heartbeat_of(7, before.challenge(0));
  ASSERT_TRUE(before.accept(recorded, 0));
  HeartbeatFilter restarted("alpha", 1, [] { return std::uint64_t{999}; });
  EXPECT_FALSE(restarted.accept(recorded, 0));
}

TEST(HeartbeatFilter, OurOwnEchoIsNoNews) {
  TestFilter filter("beta");
  EXPECT_FALSE(filter.accept(heartbeat_of(1, 101), 0));
}

TEST(HeartbeatFilter, ADatagramOfOneLinkSaysNothingOnAnother) {
  TestFilter filter("alpha", 2);
  EXPECT_FALSE(filter.accept(heartbeat_of(1, 102, 0), 1));
  EXPECT_TRUE(filter.accept(heartbeat_of(1, 102, 1), 1));
  EXPECT_FALSE(filter.accept(heartbeat_of(2, 101, 7), 7));
}

class HeartbeatOnLoopback : public testing::Test {
 protected:
  udp::endpoint free_port() {
    udp::socket socket(loop_, {boost::asio::ip::address_v4::loopback(), 0});
    return socket.local_endpoint();
  }
  HeartbeatOptions options_for(const std::string& host, std::vector<HeartbeatLink> links,
                               unsigned key = 1) {
    return {key_of(key), host, host + "-run", std::move(links), std::chrono::milliseconds(5)};
  }
  boost::asio::io_context loop_;
};

TEST_F(HeartbeatOnLoopback, TwoHostsHearEachOtherOnEveryLink) {
  const std::array<udp::endpoint, 4> at{free_port(), free_port(), free_port(), free_port()};
  std::array<int, 2> alpha_heard{}, beta_heard{};
  auto alpha =
      HeartbeatLinks::start(loop_, options_for("alpha", {{at[0], at[1]}, {at[2], at[3]}}),
                            [&](std::size_t link, const PeerState&) { ++alpha_heard.at(link); });
  auto beta =
      HeartbeatLinks::start(loop_, options_for("beta", {{at[1], at[0]}, {at[3], at[2]}}),
                            [&](std::size_t link, const PeerState&) { ++beta_heard.at(link); });
  ASSERT_TRUE(alpha);
  ASSERT_TRUE(beta);
  EXPECT_TRUE(run_until(loop_, [&] {
    return alpha_heard[0] > 3 && alpha_heard[1] > 3 && beta_heard[0] > 3 && beta_heard[1] > 3;
  }));
}

TEST_F(HeartbeatOnLoopback, TheStateIsToldAndFollowsItsChanges) {
  const std::array<udp::endpoint, 2> at{free_port(), free_port()};
  std::optional<PeerState> told;
  auto alpha = HeartbeatLinks::start(loop_, options_for("alpha", {{at[0], at[1]}}),
                                     [&](std::size_t, const PeerState& peer) { told = peer; });
  auto beta = HeartbeatLinks::start(loop_, options_for("beta", {{at[1], at[0]}}),
                                    [](std::size_t, const PeerState&) {});
  ASSERT_TRUE(alpha);
  ASSERT_TRUE(beta);
  ASSERT_TRUE(run_until(loop_, [&] { return told.has_value(); }));
  EXPECT_EQ(told->generation, Generation{});
  EXPECT_EQ(told->guest, wire::GuestHere::none);
  EXPECT_EQ(told->run, "beta-run");
  (*beta)->set_state({3}, wire::GuestHere::runs);
  EXPECT_TRUE(run_until(loop_, [&] {
    return told->guest == wire::GuestHere::runs && told->generation == Generation{3};
  }));
  (*beta)->set_state({4}, wire::GuestHere::paused);
  EXPECT_TRUE(run_until(loop_, [&] {
    return told->guest == wire::GuestHere::paused && told->generation == Generation{4};
  }));
}

TEST_F(HeartbeatOnLoopback, ARestartedPeerIsHeardAndItsPredecessorNoMore) {
  const std::array<udp::endpoint, 2> at{free_port(), free_port()};
  std::string run;
  auto alpha = HeartbeatLinks::start(loop_, options_for("alpha", {{at[0], at[1]}}),
                                     [&](std::size_t, const PeerState& peer) { run = peer.run; });
  ASSERT_TRUE(alpha);
  HeartbeatOptions options = options_for("beta", {{at[1], at[0]}});
  for (const char* each : {"zulu", "alfa"}) {
    options.run = each;
    auto beta = HeartbeatLinks::start(loop_, options, [](std::size_t, const PeerState&) {});
    ASSERT_TRUE(beta);
    EXPECT_TRUE(run_until(loop_, [&] { return run == each; }));
  }
}

TEST_F(HeartbeatOnLoopback, AnotherAddressForThePeerTakesEffectAtOnce) {
  const std::array<udp::endpoint, 3> at{free_port(), free_port(), free_port()};
  int heard = 0;
  auto alpha = HeartbeatLinks::start(loop_, options_for("alpha", {{at[0], at[1]}}),
                                     [&](std::size_t, const PeerState&) { ++heard; });
  auto beta = HeartbeatLinks::start(loop_, options_for("beta", {{at[2], at[0]}}),
                                    [](std::size_t, const PeerState&) {});
  ASSERT_TRUE(alpha);
  ASSERT_TRUE(beta);
  // Beta is not where alpha sends: it answers nothing, so alpha does not take it.
  udp::socket at_old(loop_, at[1]);
  ASSERT_TRUE(run_until(loop_, [&] { return at_old.available() > 0; }));
  EXPECT_EQ(heard, 0);
  ASSERT_TRUE((*alpha)->set_peer(0, at[2]));
  EXPECT_TRUE(run_until(loop_, [&] { return heard > 0; }));
}

TEST_F(HeartbeatOnLoopback, AnAddressThatALinkCannotReachIsRefused) {
  const std::array<udp::endpoint, 2> at{free_port(), free_port()};
  auto alpha = HeartbeatLinks::start(loop_, options_for("alpha", {{at[0], at[1]}}),
                                     [](std::size_t, const PeerState&) {});
  ASSERT_TRUE(alpha);
  const auto no_link = (*alpha)->set_peer(1, at[1]);
  ASSERT_FALSE(no_link);
  EXPECT_EQ(no_link.error().word, "no-such-link");
  const auto family =
      (*alpha)->set_peer(0, udp::endpoint(boost::asio::ip::address_v6::loopback(), 7701));
  ASSERT_FALSE(family);
  EXPECT_EQ(family.error().word, "other-address-family");
}

TEST_F(HeartbeatOnLoopback, AnotherKeyAndAReplayAreNotHeardAndALaterHonestOneIs) {
  const udp::endpoint own = free_port();
  udp::socket beta(loop_, {boost::asio::ip::address_v4::loopback(), 0});
  int heard = 0;
  auto alpha = HeartbeatLinks::start(loop_, options_for("alpha", {{own, beta.local_endpoint()}}),
                                     [&](std::size_t, const PeerState&) { ++heard; });
  ASSERT_TRUE(alpha);
  // The test is beta, and knows the key that both derive.
  const Key key = derive_key(key_of(1), "colo heartbeat: HMAC key");
  ASSERT_TRUE(run_until(loop_, [&] { return beta.available() > 0; }));
  Bytes asked(heartbeat_bytes_max);
  asked.resize(beta.receive(boost::asio::buffer(asked)));
  const auto question = decode_heartbeat(asked, key);
  ASSERT_TRUE(question);
  const auto send = [&](const Bytes& datagram) {
    beta.send_to(boost::asio::buffer(datagram), own);
  };
  const auto honest = [&](std::uint64_t count) {
    return encode_heartbeat(heartbeat_of(count, question->challenge), key);
  };
  send(honest(2));
  ASSERT_TRUE(run_until(loop_, [&] { return heard == 1; }));
  send(honest(1));
  send(honest(2));
  send(asked);
  send(encode_heartbeat(heartbeat_of(~0ULL), key_of(2)));
  send(Bytes(2000, std::byte{1}));
  send(Bytes());
  send(honest(3));  // comes last, on one socket, in order
  ASSERT_TRUE(run_until(loop_, [&] { return heard >= 2; }));
  EXPECT_EQ(heard, 2);
}

TEST_F(HeartbeatOnLoopback, AnAddressInUseIsNamed) {
  const udp::endpoint own = free_port();
  udp::socket taken(loop_, own);
  const auto links = HeartbeatLinks::start(loop_, options_for("alpha", {{own, own}}),
                                           [](std::size_t, const PeerState&) {});
  ASSERT_FALSE(links);
  EXPECT_EQ(links.error().word, "address-in-use");
  EXPECT_NE(links.error().reason.find(std::to_string(own.port())), std::string::npos);
}

}  // namespace
}  // namespace colo::io::test
