// What comes to a primary's port: strangers, and peers with the right key that break the rules. The
// session that protects the guest and the guest itself notice nothing.
#include <thread>

#include "guest/guest.h"
#include "io/key_file.h"
#include "tests/e2e/fake_peer.h"
#include "tests/e2e/pair_fixture.h"

namespace colo::e2e {
namespace {

// What an honest beta's hello says.
wire::Agreement agreement(const Pair& pair) {
  const auto maker = guest::make_guest_maker(app::to_guest_config(pair.config(), beta));
  const auto standby = (*maker)->standby();
  const guest::Identity& identity = (*standby)->identity();
  return {pair.config().name,   identity.machine, identity.version,
          identity.accelerator, identity.layout,  pair.config().hash64()};
}

class BadSecondary : public testing::Test {
 protected:
  void SetUp() override {
    pair.protect();
    key = *io::read_key_file(pair.folder().key());
    pair.talk();
    ASSERT_TRUE(pair.answers());
  }
  // Whatever came: protected by the same session, without a claim, and the conversation goes on.
  void TearDown() override {
    if (HasFatalFailure()) return;
    EXPECT_EQ(pair.status(alpha).state, State::protected_);
    EXPECT_EQ(pair.status(beta).state, State::standby);
    EXPECT_TRUE(pair.owned(alpha, "alpha"));
    EXPECT_TRUE(pair.conversation_holds());
  }

  [[nodiscard]] const app::Address& port() const { return pair.config().own(alpha).listen; }
  [[nodiscard]] FakePeer stranger() const { return FakePeer::dial(port(), std::nullopt); }
  // Through the handshake, with the right key.
  [[nodiscard]] FakePeer acquainted() const {
    FakePeer peer = FakePeer::dial(port(), key);
    EXPECT_TRUE(peer.handshake());
    return peer;
  }
  [[nodiscard]] static wire::Hello hello() {
    wire::Hello hello;
    hello.host = beta;
    hello.run = "another run";
    hello.agreement.guest_name = "ledger";
    return hello;
  }
  void expect_refused(FakePeer& peer, const std::string& word) {
    EXPECT_EQ(peer.refusal(), word);
    EXPECT_TRUE(pair.logs(alpha, word));
  }

  Pair pair;
  io::Key key{};
};

TEST_F(BadSecondary, OfAnotherVersionIsTold) {
  FakePeer peer = acquainted();
  Bytes frame = wire::encode(hello(), peer.next());
  frame[4] = std::byte{9};
  peer.send(frame);
  expect_refused(peer, "wrong-version");
}

TEST_F(BadSecondary, WithAnOversizedLengthIsClosed) {
  FakePeer peer = acquainted();
  wire::Header header;
  header.kind = wire::Kind::hello;
  header.length = wire::control_body_bytes_max + 1;
  header.sequence = 1;
  peer.send(wire::encode_header(header));
  expect_refused(peer, "too-long");
}

TEST_F(BadSecondary, WithATruncatedFrameIsNamed) {
  {
    FakePeer peer = acquainted();
    const Bytes frame = wire::encode(hello(), peer.next());
    peer.send(ByteView(frame).first(frame.size() - 1));
  }
  EXPECT_TRUE(pair.logs(alpha, "handshake-ended"));
}

TEST_F(BadSecondary, WithACorruptedBodyIsClosed) {
  FakePeer peer = acquainted();
  Bytes frame = wire::encode(hello(), peer.next());
  frame.back() ^= std::byte{1};
  peer.send(frame);
  expect_refused(peer, "bad-body-checksum");
}

TEST_F(BadSecondary, WithAnUnknownKindIsClosed) {
  FakePeer peer = acquainted();
  wire::Header header;
  header.kind = static_cast<wire::Kind>(99);
  header.sequence = 1;
  peer.send(wire::encode_header(header));
  expect_refused(peer, "bad-kind");
}

TEST_F(BadSecondary, ThatAcknowledgesWithoutASessionIsClosed) {
  FakePeer peer = acquainted();
  peer.send(wire::encode(wire::Committed{}, peer.next(Generation{1}, Epoch{99})));
  expect_refused(peer, "unexpected-frame");
}

TEST_F(BadSecondary, ThatAttachesToNoSessionIsClosed) {
  FakePeer peer = acquainted();
  wire::Attach attach;
  attach.session.fill(std::byte{7});
  peer.send(wire::encode(attach, peer.next()));
  EXPECT_FALSE(peer.receive());
  EXPECT_TRUE(pair.logs(alpha, "unknown-session"));
}

TEST_F(BadSecondary, OfAnotherGuestIsRefusedByName) {
  FakePeer peer = acquainted();
  wire::Hello other = hello();
  other.agreement.guest_name = "orders";
  peer.send(wire::encode(other, peer.next()));
  expect_refused(peer, "configuration-differs");
  EXPECT_TRUE(pair.logs(alpha, "orders"));
}

TEST_F(BadSecondary, OfAHostThatIsNotInTheFileIsRefused) {
  FakePeer peer = acquainted();
  wire::Hello other = hello();
  other.host = "gamma";
  peer.send(wire::encode(other, peer.next()));
  expect_refused(peer, "wrong-host");
}

// The primary cannot tell it from a secondary that started anew and was not heard to end. It costs
// the session, never the guest, and the honest one comes back.
TEST(BadTwin, ThatJoinsInTheNameOfTheOneThatIsThereCostsTheSessionAndNothingElse) {
  Pair pair;
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  const io::Key key = *io::read_key_file(pair.folder().key());
  FakePeer peer = FakePeer::dial(pair.config().own(alpha).listen, key);
  ASSERT_TRUE(peer.handshake());
  peer.send(wire::encode(wire::Hello{beta, "another run", agreement(pair)}, peer.next()));
  EXPECT_EQ(peer.refusal(), "not-ready");
  EXPECT_TRUE(pair.logs(alpha, "joins-anew"));
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.protected_by(alpha));
  EXPECT_TRUE(pair.conversation_holds());
}

TEST_F(BadSecondary, ThatSpeaksNoTlsIsNamed) {
  FakePeer peer = stranger();
  ASSERT_TRUE(peer.connected());
  peer.send_raw(Bytes(2000, std::byte{0xFE}));
  EXPECT_TRUE(pair.logs(alpha, "tls-failed"));
}

TEST_F(BadSecondary, TwoHundredHalfOpenOnesChangeNothing) {
  std::vector<FakePeer> peers;
  for (int i = 0; i < 200; ++i) {
    peers.push_back(stranger());
    ASSERT_TRUE(peers.back().connected());
  }
  ASSERT_TRUE(pair.logs(alpha, "too-many-handshakes"));
  ASSERT_TRUE(pair.answers(50));
  EXPECT_EQ(pair.status(alpha).state, State::protected_);
}

// A secondary that joined by the rules and breaks them then: the guest goes on without it.
class BadReplica : public testing::Test {
 protected:
  static Settings hasty() {
    Settings settings;
    settings.stream_timeout = "1s";
    return settings;
  }
  void SetUp() override {
    pair.start(alpha);
    ASSERT_TRUE(pair.becomes(alpha, State::solo));
    key = *io::read_key_file(pair.folder().key());
    pair.talk();
    ASSERT_TRUE(pair.answers());
  }
  void TearDown() override {
    if (HasFatalFailure()) return;
    EXPECT_TRUE(pair.answers());
    EXPECT_TRUE(pair.conversation_holds());
  }
  void the_next_one_protects() {
    pair.start(beta);
    EXPECT_TRUE(pair.becomes(alpha, State::protected_));
  }
  [[nodiscard]] FakePeer dial() const {
    FakePeer peer = FakePeer::dial(pair.config().own(alpha).listen, key);
    EXPECT_TRUE(peer.handshake());
    return peer;
  }
  // Says hello as the honest beta would, and is welcomed.
  wire::Welcome join(FakePeer& control) {
    wire::Hello hello{beta, "a run", agreement(pair)};
    control.send(wire::encode(hello, control.next()));
    const auto message = control.receive();
    if (!message || message->header.kind != wire::Kind::welcome) {
      ADD_FAILURE() << "not welcomed: " << pair.log(alpha);
      return {};
    }
    return wire::decode_welcome(message->body).value_or(wire::Welcome{});
  }

  // It is well in every other way, and still it is lost in time.
  bool is_given_up(FakePeer& control) {
    std::uint64_t alive = 0;
    return wait_until([&] {
      control.send(wire::encode(wire::Alive{++alive}, control.next()));
      return pair.log(alpha).find("no-answer") != std::string::npos;
    });
  }

  Pair pair{hasty()};
  io::Key key{};
};

TEST_F(BadReplica, ThatAcknowledgesWhatItWasNotSentIsClosedAsOutOfOrder) {
  FakePeer control = dial();
  const wire::Welcome welcome = join(control);
  FakePeer bulk = dial();
  bulk.send(wire::encode(wire::Attach{welcome.session}, bulk.next()));
  control.send(wire::encode(wire::Committed{}, control.next(Generation{1}, Epoch{5})));
  EXPECT_EQ(control.refusal(), "closed");
  EXPECT_TRUE(pair.logs(alpha, "out-of-order"));
  EXPECT_TRUE(pair.becomes(alpha, State::solo));
}

TEST_F(BadReplica, ThatBreaksAFrameOnItsLaneIsToldWhy) {
  FakePeer control = dial();
  static_cast<void>(join(control));
  Bytes frame = wire::encode(wire::Alive{1}, control.next());
  frame.back() ^= std::byte{1};
  control.send(frame);
  EXPECT_EQ(control.refusal(), "bad-body-checksum");
  EXPECT_TRUE(pair.logs(alpha, "bad-body-checksum"));
  the_next_one_protects();
}

TEST_F(BadReplica, ThatSendsAPrimarysFrameIsClosed) {
  FakePeer control = dial();
  static_cast<void>(join(control));
  control.send(wire::encode(wire::Progress{1, 2}, control.next()));
  EXPECT_EQ(control.refusal(), "closed");
  EXPECT_TRUE(pair.logs(alpha, "unexpected-frame"));
  the_next_one_protects();
}

TEST_F(BadReplica, ThatNeverAttachesItsBulkLaneIsGivenUp) {
  FakePeer control = dial();
  static_cast<void>(join(control));
  EXPECT_TRUE(is_given_up(control));
  EXPECT_TRUE(pair.becomes(alpha, State::solo));
}

// It takes the pages and acknowledges none of them: the guest's output must not wait for ever.
TEST_F(BadReplica, ThatCommitsNothingIsGivenUpAndTheOutputGoesOn) {
  FakePeer control = dial();
  const wire::Welcome welcome = join(control);
  FakePeer bulk = dial();
  bulk.send(wire::encode(wire::Attach{welcome.session}, bulk.next()));
  std::thread drain([&] {
    while (bulk.receive()) {
    }
  });
  EXPECT_TRUE(is_given_up(control));
  drain.join();
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  EXPECT_TRUE(pair.owned(alpha, "alpha alpha"));
  // One that was given up is not let in again at once, but it is.
  the_next_one_protects();
}

}  // namespace
}  // namespace colo::e2e
