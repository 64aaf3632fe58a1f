// The operator's hooks around a takeover, a switchover, and a guest that is given back.
#include <csignal>
#include <fstream>

#include "tests/e2e/pair_fixture.h"

namespace colo::e2e {
namespace {

namespace fs = std::filesystem;

// Two hooks that write what they are asked to into a file of their host; the second fails to
// acquire while a file of its host's name says so.
class Hooks : public testing::Test {
 protected:
  static fs::path place() {
    static const fs::path path = [] {
      std::string name = (fs::temp_directory_path() / "colo-hooks-XXXXXX").string();
      return fs::path(::mkdtemp(name.data()));
    }();
    return path;
  }
  static Settings with_hooks() {
    const std::string at = place().string();
    fs::create_directories(place());
    std::ofstream(place() / "hook")
        << "#!/bin/sh\n"
        << "[ -e " << at << "/hang.$COLO_HOST ] && exec sleep 600\n"
        << "echo \"$1 $2 $COLO_CAUSE\" >> " << at << "/said.$COLO_HOST\n"
        << "[ $1 = lock ] && [ $2 = acquire ] && [ -e " << at << "/refuse.$COLO_HOST ] && {\n"
        << "  echo the lock is held elsewhere; exit 1; }\n"
        << "exit 0\n";
    fs::permissions(place() / "hook", fs::perms::owner_all);
    Settings settings;
    for (const char* name : {"vip", "lock"}) {
      settings.more += "\n[[hook]]\nname = \"" + std::string(name) + "\"\ncommand = [\"" + at +
                       "/hook\", \"" + name + "\"]\ntimeout = \"10s\"\n";
    }
    return settings;
  }
  void SetUp() override {
    pair.protect();
    pair.talk();
    ASSERT_TRUE(pair.answers());
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(place(), ignored);
  }
  [[nodiscard]] static std::string said(const std::string& host) {
    std::ifstream in(place() / ("said." + host));
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }
  static void refuse_at(const std::string& host) {
    std::ofstream(place() / ("refuse." + host)) << "yes";
  }
  static void let(const std::string& host) { fs::remove(place() / ("refuse." + host)); }

  Pair pair{with_hooks()};
};

TEST_F(Hooks, AcquireBeforeTheGuestRunsAndReleaseWhereItLeft) {
  EXPECT_THAT(said(alpha), HasSubstr("vip acquire boot\nlock acquire boot\n"));
  ASSERT_EQ(pair.colo("switchover", alpha).status, 0);
  ASSERT_TRUE(pair.protected_by(beta));
  EXPECT_THAT(said(beta), HasSubstr("vip acquire switchover\nlock acquire switchover\n"));
  EXPECT_TRUE(wait_until([] {
    return said(alpha).find("lock release lost\nvip release lost\n") != std::string::npos;
  })) << said(alpha);
  EXPECT_TRUE(pair.answers());
  EXPECT_TRUE(pair.conversation_holds());
}

TEST_F(Hooks, OneThatFailsIsNamedAndTriedAgainWhenItsCauseIsMended) {
  refuse_at(beta);
  pair.kill(alpha);
  ASSERT_TRUE(pair.becomes(beta, State::failed));
  const app::Status failed = pair.status(beta);
  EXPECT_THAT(failed.reason, HasSubstr("lock"));
  EXPECT_THAT(failed.reason, HasSubstr("the lock is held elsewhere"));
  EXPECT_THAT(failed.next, HasSubstr("colo takeover"));
  EXPECT_THAT(failed.next, HasSubstr("colo give-back"));
  EXPECT_TRUE(failed.guest) << "nothing is killed";
  // Again without a cure: the same, from the hook that failed on.
  const std::string before = said(beta);
  ASSERT_EQ(pair.colo("takeover", beta).status, 0);
  ASSERT_TRUE(wait_until([&] { return said(beta).size() > before.size(); }));
  EXPECT_EQ(said(beta).substr(before.size()), "lock acquire takeover\n");
  ASSERT_TRUE(pair.becomes(beta, State::failed));
  let(beta);
  EXPECT_EQ(pair.colo("takeover", beta).status, 0);
  ASSERT_TRUE(pair.goes_on_at(beta));
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.conversation_holds());
}

TEST_F(Hooks, OneThatHangsHoldsUpNeitherTheStatusNorTheOperatorsEnd) {
  std::ofstream(place() / "hang.beta") << "yes";
  pair.kill(alpha);
  ASSERT_TRUE(pair.shows(beta, "the hook's step", [](const app::Status& status) {
    return status.state == State::taking_over && status.step == "acquiring";
  }));
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(pair.ask(beta, {}));
  const Ran twice = pair.colo("takeover", beta);
  EXPECT_EQ(twice.status, 1);
  EXPECT_THAT(twice.err, HasSubstr("already"));
  pair.send_signal(beta, SIGTERM);
  ASSERT_TRUE(pair.logs(beta, "asked to end by signal"));
  // What it released waits for the hook that hangs; a second signal does not.
  EXPECT_EQ(pair.end(beta), "exit status 0");
}

TEST_F(Hooks, OneThatFailsAtASwitchoverGivesTheGuestBack) {
  refuse_at(beta);
  ASSERT_EQ(pair.colo("switchover", alpha).status, 0);
  ASSERT_TRUE(pair.owned(alpha, "alpha beta alpha"));
  ASSERT_TRUE(pair.goes_on_at(alpha));
  EXPECT_TRUE(pair.logs(beta, "the lock is held elsewhere"));
  EXPECT_TRUE(pair.logs(alpha, "given back by the peer"));
  ASSERT_TRUE(pair.answers());
  EXPECT_THAT(said(beta), HasSubstr("lock release give-back\nvip release give-back\n"));
  EXPECT_THAT(said(alpha), HasSubstr("lock acquire give-back\n"));
  EXPECT_TRUE(pair.protected_by(alpha));
  let(beta);
  ASSERT_EQ(pair.colo("switchover", alpha).status, 0);
  EXPECT_TRUE(pair.protected_by(beta));
  EXPECT_TRUE(pair.conversation_holds());
}

}  // namespace
}  // namespace colo::e2e
