#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <fstream>

#include "heartbeat/directory_arbiter.h"
#include "tests/heartbeat/scratch.h"

namespace colo::heartbeat {
namespace {

class ArbiterTest : public testing::Test {
 protected:
  Generation won(const Claim& claim) {
    const auto answer = arbiter.claim(claim);
    if (!answer) return ADD_FAILURE() << answer.error().text(), Generation{};
    if (!std::holds_alternative<ClaimWon>(*answer)) return ADD_FAILURE() << "lost", Generation{};
    return std::get<ClaimWon>(*answer).generation;
  }
  Ownership lost(const Claim& claim) {
    const auto answer = arbiter.claim(claim);
    if (!answer) return ADD_FAILURE() << answer.error().text(), Ownership{};
    if (!std::holds_alternative<ClaimLost>(*answer)) return ADD_FAILURE() << "won", Ownership{};
    return std::get<ClaimLost>(*answer).current;
  }
  std::string error(const Claim& claim) {
    const auto answer = arbiter.claim(claim);
    return answer ? "" : answer.error().word;
  }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(directory.path() / name) << text;
  }
  [[nodiscard]] std::size_t files() const {
    const auto entries = std::filesystem::directory_iterator(directory.path());
    return static_cast<std::size_t>(std::distance(begin(entries), end(entries)));
  }

  Scratch directory;
  DirectoryArbiter arbiter{directory.path()};
};

TEST_F(ArbiterTest, AnEmptyDirectoryHasNoOwner) {
  const auto current = arbiter.current();
  ASSERT_TRUE(current) << current.error().text();
  EXPECT_EQ(*current, Ownership{});
  EXPECT_TRUE(arbiter.history()->empty());
}

TEST_F(ArbiterTest, OwnersFollowOneAnotherAndTheHistoryTellsThem) {
  EXPECT_EQ(won({{0}, "alpha", "a1"}), Generation{1});
  EXPECT_EQ(won({{1}, "beta", "b1"}), Generation{2});
  EXPECT_EQ(won({{2}, "", "b1"}), Generation{3});  // the guest was ended on purpose
  const std::vector<Ownership> expected{{{1}, "alpha", "a1"}, {{2}, "beta", "b1"}, {{3}, "", "b1"}};
  EXPECT_EQ(*arbiter.history(), expected);
  EXPECT_EQ(*arbiter.current(), expected.back());
  EXPECT_EQ(files(), 3U) << "temporary files stayed behind";
}

TEST_F(ArbiterTest, TheSecondClaimantLosesAndLearnsWhoWon) {
  EXPECT_EQ(won({{0}, "alpha", "a1"}), Generation{1});
  EXPECT_EQ(lost({{0}, "beta", "b1"}), (Ownership{{1}, "alpha", "a1"}));
}

TEST_F(ArbiterTest, TheSameClaimAgainIsWonAgain) {
  EXPECT_EQ(won({{0}, "alpha", "a1"}), Generation{1});
  EXPECT_EQ(won({{0}, "alpha", "a1"}), Generation{1});
  EXPECT_EQ(arbiter.history()->size(), 1U);
}

TEST_F(ArbiterTest, ARestartedEngineOfTheSameHostIsNotTheOwner) {
  EXPECT_EQ(won({{0}, "alpha", "a1"}), Generation{1});
  EXPECT_EQ(lost({{0}, "alpha", "a2"}), (Ownership{{1}, "alpha", "a1"}));
}

TEST_F(ArbiterTest, AClaimantThatIsGenerationsBehindLosesToTheCurrentOwner) {
  EXPECT_EQ(won({{0}, "alpha", "a1"}), Generation{1});
  EXPECT_EQ(won({{1}, "beta", "b1"}), Generation{2});
  EXPECT_EQ(won({{2}, "gamma", "c1"}), Generation{3});
  const Ownership current{{3}, "gamma", "c1"};
  EXPECT_EQ(lost({{1}, "alpha", "a1"}), current);
  // It did win this one once; but it has been replaced since.
  EXPECT_EQ(lost({{0}, "alpha", "a1"}), current);
}

TEST_F(ArbiterTest, AClaimAheadOfTheDirectoryIsNeverWon) {
  EXPECT_EQ(won({{0}, "alpha", "a1"}), Generation{1});
  EXPECT_EQ(error({{2}, "alpha", "a1"}), "arbiter-behind");
  EXPECT_EQ(error({{1000}, "alpha", "a1"}), "arbiter-behind");
  EXPECT_EQ(arbiter.history()->size(), 1U);
}

TEST_F(ArbiterTest, LeftoversOfDeadClaimantsAndForeignFilesAreHarmless) {
  write(".claim.a1.1.0", "colo-own");
  write("generation.x", "x");
  write("generation.01", "x");
  write("generation.", "x");
  write("README", "shared with colo");
  EXPECT_EQ(won({{0}, "alpha", "a1"}), Generation{1});
  EXPECT_EQ(arbiter.current()->owner, "alpha");
  EXPECT_EQ(files(), 6U);
}

TEST_F(ArbiterTest, ACorruptFileIsNamedAndNeverWins) {
  const std::string whole = "colo-ownership 1\ngeneration 1\nowner alpha\nrun a1\n";
  write("generation.1", whole);
  ASSERT_EQ(arbiter.current()->run, "a1");
  const std::vector<std::string> corrupt{
      "",
      whole.substr(0, 20),
      whole.substr(0, whole.size() - 1),
      whole + "\n",
      whole + whole,
      "colo-ownership 2\ngeneration 1\nowner alpha\nrun a1\n",
      "colo-ownership 1\ngeneration 2\nowner alpha\nrun a1\n",
      "colo-ownership 1\ngeneration 01\nowner alpha\nrun a1\n",
      "colo-ownership 1\nowner alpha\ngeneration 1\nrun a1\n",
      "colo-ownership 1\ngeneration 1\nowner alpha\nrun \n",
      "colo-ownership 1\ngeneration 1\nowner al\x01pha\nrun a1\n",
      std::string(whole.size(), '\0'),
      std::string(1 << 20, 'x')};
  for (const std::string& text : corrupt) {
    write("generation.1", text);
    const std::string shown = text.substr(0, 80);
    EXPECT_EQ(error({{0}, "alpha", "a1"}), "arbiter-corrupt") << shown;
    EXPECT_EQ(error({{1}, "beta", "b1"}), "arbiter-corrupt") << shown;
    EXPECT_EQ(arbiter.current().error().word, "arbiter-corrupt") << shown;
    EXPECT_EQ(arbiter.history().error().word, "arbiter-corrupt") << shown;
  }
  EXPECT_EQ(files(), 1U);
}

TEST_F(ArbiterTest, ANameThatIsNoFileIsNeverWaitedForAndNeverWins) {
  ASSERT_EQ(::mkfifo((directory.path() / "generation.1").c_str(), 0600), 0);
  EXPECT_EQ(error({{0}, "alpha", "a1"}), "arbiter-corrupt");
  std::filesystem::remove(directory.path() / "generation.1");
  std::filesystem::create_directory(directory.path() / "generation.1");
  EXPECT_EQ(error({{1}, "alpha", "a1"}), "arbiter-corrupt");
}

TEST_F(ArbiterTest, AGapInTheHistoryIsTold) {
  won({{0}, "alpha", "a1"});
  won({{1}, "beta", "b1"});
  std::filesystem::remove(directory.path() / "generation.1");
  const auto history = arbiter.history();
  ASSERT_FALSE(history);
  EXPECT_EQ(history.error().word, "arbiter-corrupt");
  EXPECT_NE(history.error().reason.find("generation.1 is missing"), std::string::npos);
  EXPECT_EQ(lost({{0}, "gamma", "c1"}), (Ownership{{2}, "beta", "b1"}));
}

TEST_F(ArbiterTest, NamesThatAFileCannotHoldAreRefused) {
  EXPECT_EQ(error({{0}, "al\npha", "a1"}), "bad-claim");
  EXPECT_EQ(error({{0}, std::string(256, 'a'), "a1"}), "bad-claim");
  EXPECT_EQ(error({{0}, "alpha", ""}), "bad-claim");
  EXPECT_EQ(error({{0}, "alpha", "../a1"}), "bad-claim");
  EXPECT_EQ(error({{0}, "alpha", std::string(65, 'a')}), "bad-claim");
  EXPECT_EQ(error({{~std::uint64_t{0}}, "alpha", "a1"}), "bad-claim");
  EXPECT_EQ(files(), 0U);
}

TEST(Arbiter, ADirectoryThatIsMissingOrNoneIsUnreachable) {
  const Scratch scratch;
  const auto file = scratch.path() / "file";
  std::ofstream(file) << "x";
  for (const auto& path : {scratch.path() / "missing", file}) {
    DirectoryArbiter arbiter(path);
    const auto answer = arbiter.claim({{0}, "alpha", "a1"});
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().word, "arbiter-unreachable");
    EXPECT_NE(answer.error().reason.find(path.string()), std::string::npos);
    EXPECT_FALSE(answer.error().remedy.empty());
    EXPECT_EQ(arbiter.current().error().word, "arbiter-unreachable");
    EXPECT_EQ(arbiter.history().error().word, "arbiter-unreachable");
  }
}

TEST(Arbiter, ADirectoryWithoutPermissionIsUnreachable) {
  const Scratch scratch;
  for (const mode_t mode : {mode_t{0}, mode_t{0555}}) {
    ASSERT_EQ(::chmod(scratch.path().c_str(), mode), 0);
    // Root may do everything: the claim is made as nobody.
    const int status = wait_for(fork_with([&] {
      if (::geteuid() == 0 && ::setuid(65534) != 0) return 2;
      DirectoryArbiter arbiter(scratch.path());
      const auto answer = arbiter.claim({{0}, "alpha", "a1"});
      return !answer && answer.error().word == "arbiter-unreachable" ? 0 : 1;
    }));
    EXPECT_EQ(status, 0) << "mode " << mode;
  }
  ASSERT_EQ(::chmod(scratch.path().c_str(), 0700), 0);
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path()));
}

// A file system of a few pages, unmounted at the end of the test.
class SmallMount {
 public:
  explicit SmallMount(std::filesystem::path at) : at_(std::move(at)) {
    mounted_ = ::mount("tmpfs", at_.c_str(), "tmpfs", 0, "size=64k,mode=0700") == 0;
  }
  ~SmallMount() {
    if (mounted_) ::umount2(at_.c_str(), MNT_DETACH);
  }
  SmallMount(const SmallMount&) = delete;
  SmallMount& operator=(const SmallMount&) = delete;
  [[nodiscard]] bool mounted() const { return mounted_; }

 private:
  std::filesystem::path at_;
  bool mounted_ = false;
};

TEST(Arbiter, AFullDiskLeavesNoHalfFileAndAClaimIsWonOnceThereIsSpace) {
  const Scratch scratch;
  const SmallMount mount(scratch.path());
  if (!mount.mounted()) GTEST_SKIP() << "mounting a small file system needs root";
  DirectoryArbiter arbiter(scratch.path());
  ASSERT_TRUE(arbiter.claim({{0}, "alpha", "a1"}));
  const auto ballast = scratch.path() / "ballast";
  std::ofstream(ballast) << std::string(1 << 20, 'x') << std::flush;
  const auto answer = arbiter.claim({{1}, "beta", "b1"});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().word, "arbiter-unreachable");
  EXPECT_NE(answer.error().reason.find("No space left"), std::string::npos)
      << answer.error().text();
  EXPECT_EQ(arbiter.history()->size(), 1U);
  const auto entries = std::filesystem::directory_iterator(scratch.path());
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 2) << "a temporary file stayed behind";
  std::filesystem::remove(ballast);
  const auto again = arbiter.claim({{1}, "beta", "b1"});
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_TRUE(std::holds_alternative<ClaimWon>(*again));
}

}  // namespace
}  // namespace colo::heartbeat
