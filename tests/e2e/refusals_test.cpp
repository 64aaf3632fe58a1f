// What an operator can get wrong on one host: each is named, with the way out, and the guest that
// runs already is left alone.
#include "io/key_file.h"
#include "tests/e2e/fake_peer.h"
#include "tests/e2e/pair_fixture.h"
#include "tests/e2e/small_disk.h"

namespace colo::e2e {
namespace {

namespace fs = std::filesystem;

TEST(Refusals, ASecondEngineOfTheSameHostNamesTheFirst) {
  Pair pair;
  pair.start(alpha);
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  const Ran ran = pair.colo_run(alpha, pair.folder().config());
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.err, HasSubstr("already-running"));
  EXPECT_THAT(ran.err, HasSubstr("pid " + std::to_string(pair.pid(alpha))));
  EXPECT_EQ(pair.status(alpha).state, State::solo);
}

TEST(Refusals, ATakenPortIsNamedWithItsRemedy) {
  Pair pair;
  const app::Address& port = pair.config().own(alpha).listen;
  const UniqueFd thief = listen_at(port);
  ASSERT_TRUE(thief);
  const Ran ran = pair.colo_run(alpha, pair.folder().config());
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.err, HasSubstr("port-taken"));
  EXPECT_THAT(ran.err, HasSubstr(port.text()));
  EXPECT_THAT(ran.err, HasSubstr(" -> "));
}

TEST(Refusals, AWrongFileIsStatusTwoWithTheLine) {
  const Pair pair;
  const fs::path unknown = pair.changed("unknown.toml", "delay = ", "dealy = ");
  const Ran key = pair.colo_run(alpha, unknown);
  EXPECT_EQ(key.status, 2);
  EXPECT_THAT(key.err, HasSubstr(unknown.string() + ":3: unknown-key: `dealy`"));
  const fs::path bad = pair.changed("bad.toml", "\"50ms\"", "\"50\"");
  const Ran duration = pair.colo_run(alpha, bad);
  EXPECT_EQ(duration.status, 2);
  EXPECT_THAT(duration.err, HasSubstr(bad.string() + ":3: bad-duration: `delay`"));
}

TEST(Refusals, AKeyThatIsMissingOrOpenToOthersIsNamed) {
  const Pair pair;
  fs::permissions(pair.folder().key(), fs::perms::group_read, fs::perm_options::add);
  const Ran open = pair.colo_run(alpha, pair.folder().config());
  EXPECT_EQ(open.status, 1);
  EXPECT_THAT(open.err, HasSubstr(pair.folder().key().string()));
  EXPECT_THAT(open.err, HasSubstr("chmod"));
  fs::remove(pair.folder().key());
  const Ran missing = pair.colo_run(alpha, pair.folder().config());
  EXPECT_EQ(missing.status, 1);
  EXPECT_THAT(missing.err, HasSubstr("key-missing"));
  EXPECT_THAT(missing.err, HasSubstr("colo keygen"));
}

TEST(Refusals, AWrongKeyIsSaidOnBothHostsAndNoMemoryFlows) {
  Pair pair;
  const fs::path other_key = pair.folder().path() / "other.key";
  ASSERT_TRUE(io::create_key_file(other_key));
  pair.start(alpha);
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  pair.talk();
  pair.start(beta, pair.changed("beta.toml", pair.folder().key().string(), other_key.string()));
  ASSERT_TRUE(pair.shows(beta, "the wrong key", [](const app::Status& status) {
    return status.state == State::joining && status.reason.find("wrong-key") != std::string::npos;
  }));
  ASSERT_TRUE(pair.logs(alpha, "wrong-key"));
  const app::Status primary = pair.status(alpha);
  EXPECT_EQ(primary.state, State::solo);
  EXPECT_EQ(primary.checkpoints->sent_bytes, 0U);
  ASSERT_TRUE(pair.answers());
  // With the right one they come together.
  EXPECT_EQ(pair.end(beta), "exit status 0");
  pair.start(beta);
  EXPECT_TRUE(pair.becomes(alpha, State::protected_));
  EXPECT_TRUE(pair.conversation_holds());
}

// Each joins with one thing different; the secondary shows what, the primary logs it.
class Differs : public testing::Test {
 protected:
  void expect_refused(const fs::path& config, const std::string& word, const std::string& names) {
    pair.start(alpha);
    ASSERT_TRUE(pair.becomes(alpha, State::solo));
    pair.start(beta, config);
    ASSERT_TRUE(pair.shows(beta, word + ": " + names, [&](const app::Status& status) {
      return status.state == State::joining && status.reason.find(word) != std::string::npos &&
             status.reason.find(names) != std::string::npos;
    }));
    EXPECT_TRUE(pair.logs(alpha, word));
    EXPECT_EQ(pair.status(alpha).state, State::solo);
    EXPECT_EQ(pair.status(alpha).checkpoints->sent_bytes, 0U);
    EXPECT_EQ(pair.end(beta), "exit status 0");
  }

  Pair pair;
};

TEST_F(Differs, TheDelay) {
  expect_refused(pair.changed("beta.toml", "\"50ms\"", "\"70ms\""), "configuration-differs",
                 "configuration");
}
TEST_F(Differs, TheGuestsMemory) {
  expect_refused(pair.changed("beta.toml", "\"8MiB\"", "\"16MiB\""), "configuration-differs",
                 "memory");
}
TEST_F(Differs, ALimitAlone) {
  expect_refused(pair.changed("beta.toml", "stream_timeout = \"5s\"", "stream_timeout = \"6s\""),
                 "configuration-differs", "configuration");
}
TEST_F(Differs, Tls) {
  expect_refused(pair.changed("beta.toml", "name = ", "tls = false\nname = "), "tls-differs", "");
}

TEST(Refusals, ADiskThatIsFullIsSaidAtTheStart) {
  Pair pair;
  const SmallDisk disk(pair.folder().path() / "disk");
  if (!disk.mounted()) GTEST_SKIP() << "needs root, to mount a small disk";
  disk.fill();
  const fs::path config =
      pair.changed("full.toml", pair.folder().run_directory().string(), disk.path().string());
  const Ran ran = pair.colo_run(alpha, config);
  EXPECT_EQ(ran.status, 1);
  EXPECT_THAT(ran.err, HasSubstr("run-directory"));
  EXPECT_THAT(ran.err, HasSubstr("No space left on device"));
  EXPECT_THAT(ran.err, testing::Not(HasSubstr("signal")));
}

}  // namespace
}  // namespace colo::e2e
