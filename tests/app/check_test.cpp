// `colo check`: each thing that can be missing on a host, tried for real on loopback.
#include "app/check.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>

#include "io/key_file.h"
#include "tests/app/samples.h"
#include "tests/app/scratch.h"

namespace colo::app {
namespace {

namespace asio = boost::asio;
using testing::HasSubstr;

// An embedded guest whose host lacks nothing; tests take one thing away.
class CheckTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(io::create_key_file(scratch.path() / "key"));
    std::filesystem::create_directory(scratch.path() / "arbiter");
    config.name = "ledger";
    config.first_primary = "alpha";
    config.key_file = scratch.path() / "key";
    config.run_directory = scratch.path() / "run";
    config.arbiter.directory = scratch.path() / "arbiter";
    config.guest.kind = "embedded";
    config.nics = {{"net0"}};
    HostConfig alpha;
    alpha.name = "alpha";
    alpha.replication = alpha.listen = free_address();
    alpha.heartbeat = alpha.heartbeat_listen = {free_address()};
    alpha.outside = {{"net0", "unix:" + (scratch.path() / "own.sock").string() + ",/other.sock"}};
    config.hosts[0] = alpha;
    config.hosts[1] = alpha;
    config.hosts[1].name = "beta";
  }

  // Nobody listens there; the system does not give it out again soon.
  Address free_address() {
    const asio::ip::udp::socket socket(loop, {asio::ip::make_address("127.0.0.1"), 0});
    return {"127.0.0.1", socket.local_endpoint().port()};
  }

  std::vector<std::string> found(bool engine_runs = false) {
    std::vector<std::string> words;
    for (const guest::Finding& finding : check_host(config, "alpha", engine_runs)) {
      // That a test's directory is not shared storage is true and warned of.
      if (finding.word == "arbiter-not-shared") continue;
      EXPECT_FALSE(finding.reason.empty());
      EXPECT_FALSE(finding.remedy.empty()) << finding.word;
      words.push_back((finding.fatal ? "missing " : "warning ") + finding.word);
    }
    return words;
  }

  const Scratch scratch;
  asio::io_context loop;
  Config config;
};

TEST_F(CheckTest, AHostThatLacksNothingIsReady) { EXPECT_THAT(found(), testing::IsEmpty()); }

TEST_F(CheckTest, LeavesNothingBehind) {
  ASSERT_THAT(found(), testing::IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(config.run_directory));
  EXPECT_FALSE(std::filesystem::exists(scratch.path() / "own.sock"));
  EXPECT_TRUE(std::filesystem::is_empty(config.arbiter.directory));
}

TEST_F(CheckTest, WarnsOfAnArbiterOnALocalFileSystem) {
  const auto findings = check_host(config, "alpha", false);
  const auto warning = std::find_if(
      findings.begin(), findings.end(),
      [](const guest::Finding& finding) { return finding.word == "arbiter-not-shared"; });
  ASSERT_NE(warning, findings.end());
  EXPECT_FALSE(warning->fatal);
  EXPECT_FALSE(any_fatal(findings));
  EXPECT_THAT(finding_text(*warning), HasSubstr("warning  arbiter-not-shared: "));
  EXPECT_THAT(finding_text(*warning), HasSubstr(" -> put it on storage that both hosts share"));
}

TEST_F(CheckTest, MissesTheKey) {
  config.key_file = scratch.path() / "none";
  EXPECT_THAT(found(), testing::ElementsAre("missing key-missing"));
  EXPECT_TRUE(any_fatal(check_host(config, "alpha", false)));
}

TEST_F(CheckTest, RefusesAKeyThatOthersMayRead) {
  ASSERT_EQ(::chmod(config.key_file.c_str(), 0644), 0);
  EXPECT_THAT(found(), testing::ElementsAre("missing key-permissions"));
}

TEST_F(CheckTest, MissesTheArbiter) {
  config.arbiter.directory = scratch.path() / "none";
  EXPECT_THAT(found(), testing::ElementsAre("missing arbiter-missing"));
}

TEST_F(CheckTest, RefusesARunDirectoryThatIsAFile) {
  config.run_directory = scratch.write("file", "");
  EXPECT_THAT(found(), testing::ElementsAre("missing run-directory"));
}

TEST_F(CheckTest, RefusesARunDirectoryThatOthersMayEnter) {
  std::filesystem::create_directories(config.engine_directory("alpha"));
  ASSERT_EQ(::chmod(config.engine_directory("alpha").c_str(), 0755), 0);
  EXPECT_THAT(found(), testing::ElementsAre("missing run-directory"));
}

TEST_F(CheckTest, NamesAPortThatIsTaken) {
  const asio::ip::tcp::acceptor tcp(loop, {asio::ip::make_address("127.0.0.1"), 0});
  const asio::ip::udp::socket udp(loop, {asio::ip::make_address("127.0.0.1"), 0});
  config.hosts[0].listen = {"127.0.0.1", tcp.local_endpoint().port()};
  config.hosts[0].heartbeat_listen = {{"127.0.0.1", udp.local_endpoint().port()}};
  EXPECT_THAT(found(), testing::ElementsAre("missing port-taken", "missing port-taken"));
  // The running engine holds its own ports.
  EXPECT_THAT(found(true), testing::IsEmpty());
}

TEST_F(CheckTest, NamesAnAddressOfAnotherHost) {
  config.hosts[0].listen.ip = "192.0.2.1";  // for documentation only (RFC 5737): never ours
  config.hosts[0].heartbeat_listen[0].ip = "192.0.2.1";
  EXPECT_THAT(found(),
              testing::ElementsAre("missing address-not-local", "missing address-not-local"));
}

TEST_F(CheckTest, MissesATap) {
  config.hosts[0].outside = {{"net0", "tap:no-such-tap0"}};
  const auto findings = check_host(config, "alpha", false);
  EXPECT_THAT(found(), testing::ElementsAre("missing outside-missing"));
  EXPECT_THAT(finding_text(findings.back()), HasSubstr("ip tuntap add dev no-such-tap0 mode tap"));
}

TEST_F(CheckTest, RefusesAnInterfaceThatIsNoTap) {
  config.hosts[0].outside = {{"net0", "tap:lo"}};
  EXPECT_THAT(found(), testing::ElementsAre("missing bad-address"));
}

TEST_F(CheckTest, MissesTheDirectoryOfASocket) {
  config.hosts[0].outside = {{"net0", "unix:/nonexistent/own.sock,/nonexistent/other.sock"}};
  EXPECT_THAT(found(), testing::ElementsAre("missing outside-missing"));
}

TEST_F(CheckTest, WarnsWithoutEncryption) {
  config.tls = false;
  EXPECT_THAT(found(), testing::ElementsAre("warning unencrypted"));
}

TEST_F(CheckTest, MissesAHookThatIsNotThereOrMayNotBeRun) {
  config.hooks = {{"vip", {"/bin/sh"}}};
  EXPECT_THAT(found(), testing::ElementsAre());
  config.hooks = {{"vip", {"/nonexistent/vip"}}, {"directory", {scratch.path().string()}}};
  EXPECT_THAT(found(), testing::ElementsAre("missing hook-missing", "missing hook-missing"));
  config.hooks = {{"vip", {scratch.write("vip", "#!/bin/sh\n").string()}}};
  EXPECT_THAT(found(), testing::ElementsAre("missing hook-missing"));
  ASSERT_EQ(::chmod(config.hooks[0].command[0].c_str(), 0700), 0);
  EXPECT_THAT(found(), testing::ElementsAre());
}

TEST_F(CheckTest, ShowsWhatTheGuestMisses) {
  config.guest.kind = "qemu";
  config.guest.command = {"/nonexistent/qemu", "-m", "64M"};
  const auto words = found();
  EXPECT_FALSE(words.empty());
  EXPECT_TRUE(any_fatal(check_host(config, "alpha", false)));
}

TEST_F(CheckTest, ShowsWhatSpeaksAgainstAReplicaWhereOneIsToRun) {
  config.guest.kind = "qemu";
  config.guest.command = {"/nonexistent/qemu",         "-m",   "64M", "-device",
                          "virtio-balloon-pci",        "-vnc", ":1",  "-device",
                          "virtio-net-pci,netdev=net0"};
  const auto replica =
      testing::IsSupersetOf({"missing device-spoils-checkpoint", "warning option-for-one"});
  EXPECT_THAT(found(), testing::Not(testing::Contains("missing device-spoils-checkpoint")));
  config.mode = Mode::colo;
  EXPECT_THAT(found(), replica);
  config.mode = Mode::automatic;
  EXPECT_THAT(found(), replica);
}

TEST_F(CheckTest, NamesEverythingAtOnce) {
  config.key_file = scratch.path() / "none";
  config.arbiter.directory = scratch.path() / "none";
  config.tls = false;
  EXPECT_THAT(found(),
              testing::UnorderedElementsAre("missing key-missing", "missing arbiter-missing",
                                            "warning unencrypted"));
}

}  // namespace
}  // namespace colo::app
