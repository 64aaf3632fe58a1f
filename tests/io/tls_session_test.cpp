#include "io/tls_session.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/io/support.h"

namespace colo::io::test {
namespace {

// Two sessions and the bytes between them, in memory.
struct Pair {
  explicit Pair(unsigned client_seed = 1, unsigned server_seed = 1)
      : client(*TlsSession::start(TlsSide::client, key_of(client_seed))),
        server(*TlsSession::start(TlsSide::server, key_of(server_seed))) {}

  // Moves bytes until neither has any; the first error of each side is kept.
  void exchange() {
    while (!client.output().empty() || !server.output().empty()) {
      carry(client, server, server_error);
      carry(server, client, client_error);
    }
  }
  static void carry(TlsSession& from, TlsSession& to, std::optional<Error>& error) {
    Bytes bytes;
    from.take_output(bytes);
    if (const auto fed = to.feed(bytes); !fed && !error) error = fed.error();
  }

  TlsSession client;
  TlsSession server;
  std::optional<Error> client_error;
  std::optional<Error> server_error;
};

Bytes taken(TlsSession& session) {
  Bytes bytes(session.plaintext().begin(), session.plaintext().end());
  session.drop_plaintext();
  return bytes;
}

TEST(Tls, CarriesBytesBothWaysBetweenPeersWithOneKey) {
  Pair pair;
  pair.exchange();
  ASSERT_TRUE(pair.client.established());
  ASSERT_TRUE(pair.server.established());
  ASSERT_TRUE(pair.client.write(bytes_of("from the client")));
  ASSERT_TRUE(pair.server.write(bytes_of("from the server")));
  pair.exchange();
  EXPECT_EQ(taken(pair.server), bytes_of("from the client"));
  EXPECT_EQ(taken(pair.client), bytes_of("from the server"));
  EXPECT_FALSE(pair.client_error || pair.server_error);
}

TEST(Tls, DoesNotShowThePlaintext) {
  Pair pair;
  pair.exchange();
  const Bytes secret = bytes_of("guest memory of the ledger");
  ASSERT_TRUE(pair.client.write(secret));
  const ByteView sent = pair.client.output();
  EXPECT_GT(sent.size(), secret.size());
  EXPECT_EQ(std::search(sent.begin(), sent.end(), secret.begin(), secret.end()), sent.end());
}

TEST(Tls, ArrivesOneByteAtATime) {
  Pair pair;
  pair.exchange();
  const Bytes message(100'000, std::byte{42});
  ASSERT_TRUE(pair.client.write(message));
  Bytes sent;
  pair.client.take_output(sent);
  for (const std::byte byte : sent) ASSERT_TRUE(pair.server.feed({&byte, 1}));
  EXPECT_EQ(taken(pair.server), message);
}

TEST(Tls, WithTwoKeysBothSidesSayWrongKey) {
  Pair pair(1, 2);
  pair.exchange();
  ASSERT_TRUE(pair.server_error);
  EXPECT_EQ(pair.server_error->word, "wrong-key") << pair.server_error->text();
  EXPECT_EQ(pair.server_error->remedy, "give both hosts the same key file");
  ASSERT_TRUE(pair.client_error);
  EXPECT_EQ(pair.client_error->word, "wrong-key") << pair.client_error->text();
  EXPECT_FALSE(pair.server.established());
  EXPECT_FALSE(pair.client.established());
}

TEST(Tls, RepeatsItsErrorForEver) {
  Pair pair(1, 2);
  pair.exchange();
  const auto again = pair.server.feed(bytes_of("more"));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().word, "wrong-key");
}

TEST(Tls, AlteredBytesAreNoticed) {
  Pair pair;
  pair.exchange();
  ASSERT_TRUE(pair.client.write(bytes_of("pages")));
  Bytes sent;
  pair.client.take_output(sent);
  sent[sent.size() / 2] ^= std::byte{1};
  const auto fed = pair.server.feed(sent);
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().word, "tls-failed");
  EXPECT_TRUE(pair.server.plaintext().empty());
}

TEST(Tls, ACutOffRecordIsNotGiven) {
  Pair pair;
  pair.exchange();
  ASSERT_TRUE(pair.client.write(bytes_of("pages")));
  Bytes sent;
  pair.client.take_output(sent);
  ASSERT_TRUE(pair.server.feed(ByteView(sent).first(sent.size() - 1)));
  EXPECT_TRUE(pair.server.plaintext().empty());
  EXPECT_FALSE(pair.server.closed());
}

TEST(Tls, ARepeatedRecordIsNoticed) {
  Pair pair;
  pair.exchange();
  ASSERT_TRUE(pair.client.write(bytes_of("pages")));
  Bytes sent;
  pair.client.take_output(sent);
  ASSERT_TRUE(pair.server.feed(sent));
  EXPECT_FALSE(pair.server.feed(sent));
}

TEST(Tls, ThePeersEndIsSeenAndNothingMayFollowIt) {
  Pair pair;
  pair.exchange();
  ASSERT_TRUE(pair.client.write(bytes_of("last")));
  pair.client.finish();
  pair.exchange();
  EXPECT_EQ(taken(pair.server), bytes_of("last"));
  EXPECT_TRUE(pair.server.closed());
  const auto more = pair.server.feed(bytes_of("more"));
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().word, "tls-closed");
}

TEST(Tls, GarbageIsAnErrorOnEitherSide) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    Bytes garbage(1 + random() % 600);
    for (std::byte& byte : garbage) byte = static_cast<std::byte>(random());
    garbage[0] = static_cast<std::byte>(0x80 | (random() & 0x3f));  // no TLS content type
    for (const TlsSide side : {TlsSide::client, TlsSide::server}) {
      auto session = *TlsSession::start(side, key_of(1));
      Result<void> fed = session.feed(garbage);
      // A length may make it wait for more; then more garbage comes.
      for (int i = 0; fed && i < 200; ++i) fed = session.feed(garbage);
      ASSERT_FALSE(fed) << round;
      EXPECT_FALSE(session.established());
    }
  }
}

TEST(Tls, AHandshakeWithAnyByteAlteredNeverEstablishesASession) {
  Bytes hello;
  TlsSession::start(TlsSide::client, key_of(1))->take_output(hello);
  for (std::size_t i = 0; i < hello.size(); ++i) {
    Bytes altered = hello;
    altered[i] ^= std::byte{0x41};
    auto server = *TlsSession::start(TlsSide::server, key_of(1));
    (void)server.feed(altered);
    EXPECT_FALSE(server.established());
    EXPECT_TRUE(server.plaintext().empty());
  }
}

TEST(Tls, APlainPeerIsToldApartFromAWrongKey) {
  auto server = *TlsSession::start(TlsSide::server, key_of(1));
  const auto fed = server.feed(wire::encode(wire::Alive{1}, {{}, {}, 1}));
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().word, "tls-differs");
}

TEST(PlainSession, PassesBytesThrough) {
  TlsSession session = TlsSession::plain();
  EXPECT_TRUE(session.established());
  ASSERT_TRUE(session.write(bytes_of("out")));
  Bytes sent;
  session.take_output(sent);
  EXPECT_EQ(sent, bytes_of("out"));
  ASSERT_TRUE(session.feed(bytes_of("in")));
  EXPECT_EQ(taken(session), bytes_of("in"));
}

TEST(PlainSession, NoticesAPeerThatSpeaksTls) {
  Bytes hello;
  TlsSession::start(TlsSide::client, key_of(1))->take_output(hello);
  TlsSession session = TlsSession::plain();
  ASSERT_TRUE(session.feed(ByteView(hello).first(1)));
  const auto fed = session.feed(ByteView(hello).subspan(1));
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().word, "tls-differs");
}

}  // namespace
}  // namespace colo::io::test
