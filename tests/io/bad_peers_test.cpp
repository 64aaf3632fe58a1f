// Peers that hold another key, speak something else, stop half-way, or lie about lengths: each ends
// in a clear error and a closed connection, and the next honest peer is served.
#include <gtest/gtest.h>

#include <random>

#include "tests/io/raw_peer.h"

namespace colo::io::test {
namespace {

class BadPeers : public testing::Test {
 protected:
  boost::asio::io_context loop_;

  void run_some() {
    if (loop_.stopped()) loop_.restart();
    loop_.poll();
  }
  // The error that the server names for the next connection it refuses.
  std::string refused_word(Server& server, std::size_t nth = 1) {
    if (!run_until(loop_, [&] { return server.refused.size() >= nth; })) return "nothing";
    return server.refused[nth - 1].word;
  }
  bool serves_an_honest_peer(Server& server, const LaneOptions& options) {
    std::optional<bool> dialed;
    std::shared_ptr<ControlLane> kept;
    const auto dialer = Dialer::control(loop_, server.address, options, hello_of("honest"),
                                        [&](Result<std::shared_ptr<ControlLane>> result) {
                                          dialed = result.has_value();
                                          if (result) kept = *result;
                                        });
    return run_until(loop_,
                     [&] { return dialed && (!*dialed || server.hello_host == "honest"); }) &&
           *dialed;
  }
  std::string dial_word(const tcp::endpoint& address, const LaneOptions& options) {
    std::optional<std::string> word;
    const auto dialer =
        Dialer::control(loop_, address, options, hello_of("beta"),
                        [&](Result<std::shared_ptr<ControlLane>> result) {
                          if (!result) {
                            word = result.error().word;
                            return;
                          }
                          kept_ = *result;  // without TLS nothing is known before the first answer
                          kept_->start({[&](const wire::Frame& frame) {
                                          if (frame.header.kind == wire::Kind::refuse) {
                                            word = wire::decode_refuse(frame.body)->error.word;
                                          }
                                        },
                                        [&](const LaneEnd& end) {
                                          if (!word) word = end.error.word;
                                        }});
                        });
    if (!run_until(loop_, [&] { return word.has_value(); })) return "nothing";
    if (kept_) kept_->close();
    return *word;
  }

  std::shared_ptr<ControlLane> kept_;
};

TEST_F(BadPeers, AWrongKeyIsSaidOnBothSides) {
  Server server(loop_, options_of(true));
  LaneOptions other = options_of(true);
  other.key = key_of(2);
  EXPECT_EQ(dial_word(server.address, other), "wrong-key");
  EXPECT_EQ(refused_word(server), "wrong-key");
  EXPECT_EQ(server.control, nullptr);
  EXPECT_TRUE(serves_an_honest_peer(server, options_of(true)));
}

TEST_F(BadPeers, TlsOnOneSideOnlyIsSaidOnBothSides) {
  Server with(loop_, options_of(true));
  EXPECT_EQ(dial_word(with.address, options_of(false)), "tls-differs");
  EXPECT_EQ(refused_word(with), "tls-differs");
  Server without(loop_, options_of(false));
  EXPECT_EQ(dial_word(without.address, options_of(true)), "tls-differs");
  EXPECT_EQ(refused_word(without), "tls-differs");
}

TEST_F(BadPeers, GarbageIsRefusedWithAndWithoutTls) {
  std::mt19937 random(3);
  for (const bool tls : {true, false}) {
    Server server(loop_, options_of(tls));
    for (std::size_t round = 1; round <= 50; ++round) {
      RawPeer peer(server.address, false);
      Bytes garbage(2000);
      for (std::byte& byte : garbage) byte = static_cast<std::byte>(random() | 0x80U);
      peer.send_raw(garbage);
      const std::string word = refused_word(server, round);
      EXPECT_TRUE(word == "tls-failed" || word == "bad-magic") << word;
    }
    EXPECT_EQ(server.control, nullptr);
    EXPECT_TRUE(serves_an_honest_peer(server, options_of(tls)));
  }
}

TEST_F(BadPeers, AClosedConnectionDuringTheHandshakeIsNamed) {
  Server server(loop_, options_of(true));
  { RawPeer peer(server.address, false); }
  EXPECT_EQ(refused_word(server), "handshake-ended");
}

TEST_F(BadPeers, ASilentOneIsClosedAfterTheTimeout) {
  for (const bool tls : {true, false}) {
    LaneOptions options = options_of(tls);
    options.handshake_timeout = std::chrono::milliseconds(50);
    Server server(loop_, options);
    RawPeer peer(server.address, false);
    EXPECT_EQ(refused_word(server), "handshake-timeout");
    std::byte byte{};
    ASSERT_TRUE(run_until(loop_, [&] {
      return ::recv(peer.socket(), &byte, 1, MSG_DONTWAIT) >= 0 || errno == ECONNRESET;
    }));
  }
}

TEST_F(BadPeers, AServerThatNeverAnswersIsGivenUp) {
  tcp::acceptor silent(loop_, {boost::asio::ip::address_v4::loopback(), 0});
  LaneOptions options = options_of(true);
  options.handshake_timeout = std::chrono::milliseconds(50);
  EXPECT_EQ(dial_word(silent.local_endpoint(), options), "handshake-timeout");
}

TEST_F(BadPeers, AHundredHalfOpenOnesCostSixteenPlacesAndThenNone) {
  LaneOptions options = options_of(true);
  options.handshake_timeout = std::chrono::milliseconds(300);
  Server server(loop_, options);
  std::vector<std::unique_ptr<RawPeer>> peers;
  for (int i = 0; i < 100; ++i) {
    peers.push_back(std::make_unique<RawPeer>(server.address, false));
    ASSERT_TRUE(peers.back()->connected());
    run_some();
  }
  ASSERT_TRUE(run_until(loop_, [&] { return server.refused.size() == 100; }));
  const auto count = [&](const std::string& word) {
    return std::count_if(server.refused.begin(), server.refused.end(),
                         [&](const Error& error) { return error.word == word; });
  };
  EXPECT_GE(count("too-many-handshakes"), 1);
  EXPECT_GE(count("handshake-timeout"), 16);
  EXPECT_EQ(count("too-many-handshakes") + count("handshake-timeout"), 100);
  peers.clear();
  // Those that said their last words give their places back.
  std::size_t tries = 0;
  ASSERT_TRUE(run_until(
      loop_, [&] { return ++tries < 200 && serves_an_honest_peer(server, options_of(true)); }));
}

// What an authenticated peer may get wrong, over TLS and without.
class WrongFrames : public BadPeers, public testing::WithParamInterface<bool> {
 protected:
  // Connects, sends `bytes` as the first of the lane, and waits for the end.
  std::string refused_for(ByteView bytes) {
    Server server(loop_, options_of(GetParam()));
    RawPeer peer(server.address, GetParam());
    EXPECT_TRUE(peer.handshake([&] { run_some(); }));
    peer.send(bytes);
    const std::string word = refused_word(server);
    EXPECT_TRUE(run_until(loop_, [&] { return !peer.receive(); }));
    EXPECT_EQ(peer.refusal(), word) << "the peer must learn why";
    EXPECT_EQ(server.control, nullptr);
    return word;
  }
};
INSTANTIATE_TEST_SUITE_P(, WrongFrames, testing::Values(true, false),
                         [](const auto& flavour) { return flavour.param ? "Tls" : "Plain"; });

TEST_P(WrongFrames, AnotherKindFirst) {
  EXPECT_EQ(refused_for(wire::encode(wire::Goodbye{"hi"}, {{}, {}, 1})), "unexpected-frame");
}
TEST_P(WrongFrames, AnotherNumberFirst) {
  EXPECT_EQ(refused_for(wire::encode(hello_of("beta"), {{}, {}, 2})), "out-of-sequence");
}
TEST_P(WrongFrames, ALengthPastTheBound) {
  wire::Header header;
  header.kind = wire::Kind::hello;
  header.length = wire::control_body_bytes_max + 1;
  header.sequence = 1;
  EXPECT_EQ(refused_for(wire::encode_header(header)), "too-long");
}
TEST_P(WrongFrames, AnotherVersion) {
  Bytes frame = wire::encode(hello_of("beta"), {{}, {}, 1});
  frame[4] = std::byte{9};
  EXPECT_EQ(refused_for(frame), "wrong-version");
}
TEST_P(WrongFrames, AnAlteredBody) {
  Bytes frame = wire::encode(hello_of("beta"), {{}, {}, 1});
  frame.back() ^= std::byte{1};
  EXPECT_EQ(refused_for(frame), "bad-body-checksum");
}

TEST_P(WrongFrames, LaterOnAnEstablishedLaneEndTheLaneAndSayWhy) {
  Server server(loop_, options_of(GetParam()));
  RawPeer peer(server.address, GetParam());
  ASSERT_TRUE(peer.handshake([&] { run_some(); }));
  peer.send(wire::encode(hello_of("beta"), {{}, {}, 1}));
  ASSERT_TRUE(run_until(loop_, [&] { return server.control != nullptr; }));
  std::optional<LaneEnd> end;
  server.control->start({[](const wire::Frame&) {}, [&](const LaneEnd& how) { end = how; }});
  peer.send(wire::encode(wire::Goodbye{"twice"}, {{}, {}, 2}));
  peer.send(wire::encode(wire::Goodbye{"twice"}, {{}, {}, 2}));
  ASSERT_TRUE(run_until(loop_, [&] { return end.has_value(); }));
  EXPECT_EQ(end->error.word, "out-of-sequence");
  EXPECT_FALSE(end->certain);
  ASSERT_TRUE(run_until(loop_, [&] { return !peer.receive(); }));
  EXPECT_EQ(peer.refusal(), "out-of-sequence");
}

TEST_P(WrongFrames, ACutOffConnectionIsAnEndAndNoFrame) {
  Server server(loop_, options_of(GetParam()));
  {
    RawPeer peer(server.address, GetParam());
    ASSERT_TRUE(peer.handshake([&] { run_some(); }));
    const Bytes frame = wire::encode(hello_of("beta"), {{}, {}, 1});
    peer.send(ByteView(frame).first(frame.size() - 1));
  }
  EXPECT_EQ(refused_word(server), "handshake-ended");
  EXPECT_EQ(server.control, nullptr);
}

}  // namespace
}  // namespace colo::io::test
