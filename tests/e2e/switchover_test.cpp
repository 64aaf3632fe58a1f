// The guest moves as planned, while both hosts are well, and whatever interrupts it.
#include <csignal>
#include <thread>

#include "guest/guest.h"
#include "io/key_file.h"
#include "tests/e2e/fake_peer.h"
#include "tests/e2e/pair_fixture.h"
#include "tests/e2e/wiretap.h"

namespace colo::e2e {
namespace {

std::string other(const std::string& host) { return host == alpha ? beta : alpha; }

TEST(Switchover, ThereAndBackAgainKeepsTheConversation) {
  Pair pair;
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  std::string at = alpha;
  std::string owners = "alpha";
  for (int i = 0; i < 5; ++i) {
    const Ran asked = pair.colo("switchover", at);
    ASSERT_EQ(asked.status, 0) << asked.err;
    EXPECT_THAT(asked.out, HasSubstr("colo status"));
    at = other(at);
    owners += " " + at;
    ASSERT_TRUE(pair.goes_on_at(at));
    ASSERT_TRUE(pair.answers());
    ASSERT_TRUE(pair.protected_by(at));
    ASSERT_TRUE(pair.owned(at, owners));
    EXPECT_FALSE(pair.status(other(at)).guest->running);
  }
  EXPECT_TRUE(pair.logs(alpha, "HANDING-OVER/saving"));
  EXPECT_TRUE(pair.logs(alpha, "HANDING-OVER/loading"));
  EXPECT_TRUE(pair.logs(beta, "HANDING-OVER/loaded"));
  ASSERT_TRUE(pair.status(at).takeover);
  EXPECT_THAT(pair.status(at).takeover->cause, HasSubstr("switchover"));
  EXPECT_TRUE(pair.conversation_holds());
  Wiretap tap(pair);
  EXPECT_TRUE(tap.hears(at));
  EXPECT_EQ(tap.frames(other(at)), 0);
}

TEST(Switchover, IsRefusedWhereNobodyCouldTakeTheGuest) {
  Pair pair;
  pair.start(alpha);
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  const Ran solo = pair.colo("switchover", alpha);
  EXPECT_EQ(solo.status, 1);
  EXPECT_THAT(solo.err, HasSubstr("not-protected"));
  pair.start(beta);
  ASSERT_TRUE(pair.protected_by(alpha));
  const Ran secondary = pair.colo("switchover", beta);
  EXPECT_EQ(secondary.status, 1);
  EXPECT_THAT(secondary.err, HasSubstr("not-primary"));
  EXPECT_THAT(secondary.err, HasSubstr("--host alpha"));
  for (const char* host : {alpha, beta}) {
    const Ran back = pair.colo("give-back", host);
    EXPECT_EQ(back.status, 1) << host;
    EXPECT_NE(back.err, "") << host;
  }
}

// Whatever dies, one guest goes on and the client notices a gap at most.
class Interrupted : public testing::TestWithParam<int> {
 protected:
  static Settings hasty() {
    Settings settings;
    settings.lost_after = "2s";
    settings.stream_timeout = "2s";
    return settings;
  }
  void ask() {
    pair.protect();
    pair.talk();
    ASSERT_TRUE(pair.answers());
    ASSERT_EQ(pair.colo("switchover", alpha).status, 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(GetParam()));  // where it hits, not what
  }
  Pair pair{hasty()};
};

TEST_P(Interrupted, ByTheDeathOfTheSourceGoesOnAtTheTarget) {
  ASSERT_NO_FATAL_FAILURE(ask());
  pair.kill(alpha);
  ASSERT_TRUE(pair.goes_on_at(beta));
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.conversation_holds());
}

TEST_P(Interrupted, ByTheDeathOfTheTargetGoesOnAtTheSource) {
  ASSERT_NO_FATAL_FAILURE(ask());
  pair.kill(beta);
  ASSERT_TRUE(pair.shows(alpha, "the end of it", [](const app::Status& status) {
    return status.state != State::protected_ && status.state != State::handing_over &&
           status.state != State::claiming;
  }));
  // One that had won already was alone with the guest: it is gone, as any unprotected one.
  if (owners(pair.status(alpha)).rfind("alpha beta", 0) == 0) return;
  ASSERT_TRUE(pair.goes_on_at(alpha));
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.conversation_holds());
}

TEST_P(Interrupted, ByAFrozenTargetGoesOnAtOneOfThem) {
  ASSERT_NO_FATAL_FAILURE(ask());
  pair.send_signal(beta, SIGSTOP);
  ASSERT_TRUE(pair.shows(alpha, "that it noticed", [](const app::Status& status) {
    return status.state == State::solo || status.state == State::lost ||
           status.state == State::joining;
  }));
  pair.send_signal(beta, SIGCONT);
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.shows(alpha, "the end of it", [](const app::Status& status) {
    return status.state == State::protected_ || status.state == State::standby;
  }));
  EXPECT_TRUE(pair.conversation_holds());
}

TEST_P(Interrupted, ByAFrozenSourceGoesOnAtOneOfThem) {
  ASSERT_NO_FATAL_FAILURE(ask());
  pair.send_signal(alpha, SIGSTOP);
  ASSERT_TRUE(pair.becomes(beta, State::solo));
  pair.send_signal(alpha, SIGCONT);
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.shows(beta, "the end of it", [](const app::Status& status) {
    return status.state == State::protected_ || status.state == State::standby;
  }));
  EXPECT_TRUE(pair.conversation_holds());
}

INSTANTIATE_TEST_SUITE_P(AfterMilliseconds, Interrupted, testing::Values(0, 15, 40, 90));

// A secondary that protects by the rules until the guest is to be handed over.
class Unwilling {
 public:
  explicit Unwilling(Pair& pair)
      : pair_(pair),
        key_(*io::read_key_file(pair.folder().key())),
        control_(dial()),
        bulk_(dial()) {
    control_.send(wire::encode(wire::Hello{beta, "a run", agreement()}, control_.next()));
    const auto welcome = control_.receive();
    EXPECT_TRUE(welcome && welcome->header.kind == wire::Kind::welcome);
    if (!welcome) return;
    generation_ = welcome->header.generation;
    const auto said = wire::decode_welcome(welcome->body);
    bulk_.send(wire::encode(wire::Attach{said->session}, bulk_.next()));
  }
  // Acknowledges what it is sent, `more` checkpoints.
  void acknowledge(int more) {
    while (more > 0) {
      const auto frame = bulk_.receive();
      ASSERT_TRUE(frame);
      if (frame->header.kind != wire::Kind::commit) continue;
      control_.send(
          wire::encode(wire::Committed{}, control_.next(generation_, frame->header.epoch)));
      --more;
    }
  }
  // Until this word comes on the control lane.
  std::optional<FakePeer::Message> hears(wire::Kind kind) {
    while (auto message = control_.receive()) {
      if (message->header.kind == kind) return message;
    }
    return std::nullopt;
  }
  void refuse(Epoch epoch) {
    control_.send(wire::encode(wire::LoadFailed{{"load-failed", "the device model is too old", ""}},
                               control_.next(generation_, epoch)));
  }

 private:
  [[nodiscard]] FakePeer dial() const {
    FakePeer peer = FakePeer::dial(pair_.config().own(alpha).listen, key_);
    EXPECT_TRUE(peer.handshake());
    return peer;
  }
  [[nodiscard]] wire::Agreement agreement() const {
    const auto maker = guest::make_guest_maker(app::to_guest_config(pair_.config(), beta));
    const auto standby = (*maker)->standby();
    const guest::Identity& identity = (*standby)->identity();
    return {pair_.config().name,  identity.machine, identity.version,
            identity.accelerator, identity.layout,  pair_.config().hash64()};
  }

  Pair& pair_;
  io::Key key_;
  FakePeer control_, bulk_;
  Generation generation_;
};

TEST(Switchover, ToATargetThatDoesNotLoadResumesTheSourceAndSaysWhy) {
  Settings settings;
  settings.delay_ms = 2000;
  Pair pair(settings);
  pair.start(alpha);
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  Unwilling secondary(pair);
  ASSERT_NO_FATAL_FAILURE(secondary.acknowledge(1));
  ASSERT_TRUE(pair.becomes(alpha, State::protected_));
  ASSERT_EQ(pair.colo("switchover", alpha).status, 0);
  ASSERT_NO_FATAL_FAILURE(secondary.acknowledge(1));
  const auto asked = secondary.hears(wire::Kind::handover);
  ASSERT_TRUE(asked);
  const app::Status waits = pair.status(alpha);
  EXPECT_EQ(waits.state, State::handing_over);
  EXPECT_EQ(waits.step, "loading");
  EXPECT_FALSE(waits.guest->running);
  EXPECT_THAT(pair.colo("status", alpha).out, testing::StartsWith("HANDING-OVER/loading: to beta"));
  EXPECT_THAT(pair.colo("switchover", alpha).err, HasSubstr("already"));
  secondary.refuse(asked->header.epoch);
  EXPECT_TRUE(secondary.hears(wire::Kind::cancel));
  ASSERT_TRUE(pair.becomes(alpha, State::protected_));
  const app::Status back = pair.status(alpha);
  EXPECT_TRUE(back.guest->running);
  EXPECT_THAT(back.reason, HasSubstr("the device model is too old"));
  EXPECT_THAT(back.next, HasSubstr("colo switchover"));
  EXPECT_TRUE(pair.owned(alpha, "alpha"));
  ASSERT_NO_FATAL_FAILURE(secondary.acknowledge(1));
}

}  // namespace
}  // namespace colo::e2e
