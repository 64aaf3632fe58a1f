// One engine per guest and host, whatever happened to the one before.
#include "app/run_lock.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>

#include "tests/app/scratch.h"

namespace colo::app {
namespace {

using testing::HasSubstr;

// A process that holds the lock until it is killed.
class Holder {
 public:
  explicit Holder(const std::filesystem::path& directory) {
    std::array<int, 2> ready{};
    if (::pipe(ready.data()) != 0) return;
    pid_ = ::fork();
    if (pid_ == 0) {
      const auto lock = RunLock::take(directory);
      const char told = lock ? 'y' : 'n';
      if (::write(ready[1], &told, 1) != 1) ::_exit(1);
      for (;;) ::pause();
    }
    char told = 0;
    took_ = ::read(ready[0], &told, 1) == 1 && told == 'y';
    ::close(ready[0]);
    ::close(ready[1]);
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  ~Holder() { kill(); }

  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] bool took() const { return took_; }

 private:
  pid_t pid_ = 0;
  bool took_ = false;
};

TEST(RunLock, TheSecondEngineLearnsThePidOfTheFirst) {
  const Scratch scratch;
  const auto directory = scratch.path() / "ledger.alpha";
  Holder holder(directory);
  ASSERT_TRUE(holder.took());
  const auto lock = RunLock::take(directory);
  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error().word, "already-running");
  EXPECT_THAT(lock.error().reason, HasSubstr("pid " + std::to_string(holder.pid())));
  EXPECT_THAT(lock.error().reason, HasSubstr("ledger.alpha"));
  EXPECT_EQ(RunLock::holder(directory), holder.pid());
}

TEST(RunLock, AKilledEngineDoesNotBarTheNext) {
  const Scratch scratch;
  const auto directory = scratch.path() / "ledger.alpha";
  Holder holder(directory);
  ASSERT_TRUE(holder.took());
  holder.kill();
  EXPECT_EQ(RunLock::holder(directory), std::nullopt);
  EXPECT_TRUE(RunLock::take(directory));
}

TEST(RunLock, AskingWhoHoldsItDoesNotTakeIt) {
  const Scratch scratch;
  const auto directory = scratch.path() / "ledger.alpha";
  EXPECT_EQ(RunLock::holder(directory), std::nullopt);
  {
    const auto lock = RunLock::take(directory);
    ASSERT_TRUE(lock);
    EXPECT_EQ(RunLock::holder(directory), ::getpid());
  }
  EXPECT_EQ(RunLock::holder(directory), std::nullopt);
}

TEST(RunLock, GuestsAndHostsDoNotBarEachOther) {
  const Scratch scratch;
  const auto first = RunLock::take(scratch.path() / "ledger.alpha");
  const auto second = RunLock::take(scratch.path() / "ledger.beta");
  EXPECT_TRUE(first);
  EXPECT_TRUE(second);
}

TEST(RunLock, TheDirectoryIsForItsOwnerOnly) {
  const Scratch scratch;
  const auto directory = scratch.path() / "deep" / "ledger.alpha";
  ASSERT_TRUE(RunLock::take(directory));
  struct stat facts {};
  ASSERT_EQ(::stat(directory.c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 07777, 0700U);
  ASSERT_EQ(::chmod(directory.c_str(), 0755), 0);
  const auto lock = RunLock::take(directory);
  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error().word, "run-directory");
}

TEST(RunLock, APlaceWhereNoDirectoryCanBeIsNamed) {
  const Scratch scratch;
  const auto file = scratch.write("file", "");
  const auto lock = RunLock::take(file / "ledger.alpha");
  ASSERT_FALSE(lock);
  EXPECT_EQ(lock.error().word, "run-directory");
  EXPECT_THAT(lock.error().reason, HasSubstr(file.string()));
}

}  // namespace
}  // namespace colo::app
