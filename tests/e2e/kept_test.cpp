// A secondary's engine is killed and started again: what it had is still there.
#include <csignal>
#include <filesystem>

#include "tests/e2e/pair_fixture.h"

namespace colo::e2e {
namespace {

namespace fs = std::filesystem;

Settings large() {
  Settings settings;
  settings.memory_mib = 64;
  return settings;
}

constexpr std::uint64_t all_pages = 64U * 256;

fs::path kept_files(const Pair& pair, const std::string& host) {
  return pair.folder().checkpoint_directory() / ("ledger." + host);
}

bool keeps(const Pair& pair, const std::string& host) {
  return fs::exists(kept_files(pair, host) / "memory") ||
         fs::exists(kept_files(pair, host) / "checkpoint");
}

TEST(Kept, AKilledSecondaryComesBackWithTheDifferenceAndProtectsAgain) {
  Pair pair(large());
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  EXPECT_FALSE(keeps(pair, alpha)) << "a guest that runs is not kept";
  pair.kill(beta);
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  ASSERT_TRUE(pair.answers());
  ASSERT_TRUE(keeps(pair, beta));
  pair.start(beta);
  ASSERT_TRUE(pair.protected_by(alpha));
  EXPECT_TRUE(pair.logs(beta, "it saves copying what has not changed"));
  const app::Status back = pair.status(alpha);
  ASSERT_TRUE(back.session);
  EXPECT_TRUE(back.session->resumed);
  ASSERT_TRUE(back.session->difference_pages);
  EXPECT_LT(*back.session->difference_pages, all_pages / 2);
  // What was resumed can be taken over from, and its files are of no use then.
  ASSERT_TRUE(pair.answers());
  pair.kill(alpha);
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.becomes(beta, State::solo));
  EXPECT_FALSE(keeps(pair, beta));
  EXPECT_TRUE(pair.conversation_holds());
}

// The primary could not claim, so nothing of it left after the last checkpoint.
TEST(Kept, TheGuestGoesOnFromItWhenThePrimaryIsLostBeforeItClaimed) {
  Settings settings;
  settings.hides_arbiter = true;
  Pair pair(settings);
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  ASSERT_TRUE(pair.folder().hide_arbiter(alpha));
  pair.kill(beta);
  ASSERT_TRUE(pair.becomes(alpha, State::claiming));
  pair.kill(alpha);
  pair.start(beta);
  ASSERT_TRUE(pair.becomes(beta, State::solo));
  EXPECT_TRUE(pair.logs(beta, "it can be taken over"));
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.owned(beta, "alpha beta"));
  EXPECT_FALSE(keeps(pair, beta));
  ASSERT_TRUE(pair.folder().show_arbiter(alpha));
  pair.start(alpha);
  ASSERT_TRUE(pair.protected_by(beta));
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Kept, BothEnginesKilledAtOnceCostNoGuest) {
  Settings settings;
  settings.hides_arbiter = true;
  Pair pair(settings);
  pair.protect();
  pair.talk();
  ASSERT_TRUE(pair.answers());
  ASSERT_TRUE(pair.folder().hide_arbiter(alpha));
  // In this order and so nobody claims in between.
  pair.send_signal(beta, SIGKILL);
  pair.send_signal(alpha, SIGKILL);
  pair.wait_for_end(beta);
  pair.wait_for_end(alpha);
  ASSERT_TRUE(pair.folder().show_arbiter(alpha));
  pair.start(alpha);
  pair.start(beta);
  ASSERT_TRUE(pair.protected_by(beta));
  ASSERT_TRUE(pair.answers());
  EXPECT_TRUE(pair.conversation_holds());
}

TEST(Kept, ASecondaryThatIsAskedToEndLeavesNothing) {
  Pair pair;
  pair.protect();
  EXPECT_TRUE(keeps(pair, beta));
  EXPECT_EQ(pair.end(beta), "exit status 0");
  EXPECT_FALSE(keeps(pair, beta));
}

TEST(Kept, ACheckpointOfAnotherConfigurationIsDropped) {
  Pair pair;
  pair.protect();
  pair.kill(beta);
  pair.end(alpha);
  const fs::path other = pair.changed("other.toml", "delay = \"50ms\"", "delay = \"70ms\"");
  pair.start(beta, other);
  EXPECT_TRUE(pair.logs(beta, "it is dropped"));
  EXPECT_TRUE(pair.becomes(beta, State::joining));
}

TEST(Kept, NothingIsWhereNoneIsSaidAndProtectionIsTheSame) {
  Pair pair;
  const std::string directory = pair.folder().checkpoint_directory().string();
  const fs::path none = pair.changed("none.toml", directory, "none");
  pair.start(alpha, none);
  pair.start(beta, none);
  ASSERT_TRUE(pair.protected_by(alpha));
  EXPECT_FALSE(fs::exists(directory));
  pair.kill(beta);
  ASSERT_TRUE(pair.becomes(alpha, State::solo));
  pair.start(beta, none);
  ASSERT_TRUE(pair.protected_by(alpha));
  EXPECT_FALSE(pair.status(alpha).session->resumed);
}

}  // namespace
}  // namespace colo::e2e
