#include "app/config.h"

#include <gmock/gmock.h>

#include "tests/app/samples.h"
#include "tests/app/scratch.h"

namespace colo::app {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(Config, EveryKeyIsRead) {
  const auto config = parse_config(sample_config);
  ASSERT_TRUE(config) << config.error().front().text("sample");
  EXPECT_EQ(config->name, "ledger");
  EXPECT_EQ(config->first_primary, "alpha");
  EXPECT_EQ(config->delay, 100ms);
  EXPECT_EQ(config->mode, Mode::periodic);
  EXPECT_EQ(config->key_file, "/etc/colo/ledger.key");
  EXPECT_TRUE(config->tls);
  EXPECT_EQ(config->guest.accelerator, "tcg");
  EXPECT_EQ(config->guest.command, (std::vector<std::string>{"qemu-system-x86_64", "-m", "512M"}));
  ASSERT_EQ(config->nics.size(), 1U);
  EXPECT_EQ(config->nics[0].id, "net0");
  EXPECT_EQ(config->heartbeat.interval, 90ms);
  EXPECT_EQ(config->heartbeat.lost_after, 1s);
  EXPECT_EQ(config->heartbeat.head_start, 300ms);
  EXPECT_EQ(config->heartbeat.grace, 2s);
  EXPECT_EQ(config->arbiter.directory, "/srv/shared/ledger");
  EXPECT_EQ(config->limits.hold_packets, 16000U);
  EXPECT_EQ(config->limits.hold_bytes, 63U << 20);
  EXPECT_EQ(config->limits.staged_bytes, 2ULL << 30);
  EXPECT_EQ(config->limits.pause_max, 3s);
  EXPECT_EQ(config->limits.stream_timeout, 6s);
  EXPECT_EQ(config->colo.max_interval, 8s);
  EXPECT_EQ(config->colo.min_interval, 25ms);
  EXPECT_EQ(config->colo.silence, 150ms);
  EXPECT_EQ(config->colo.behind, 1500ms);
  EXPECT_FALSE(config->colo.mirror);
  EXPECT_EQ(config->colo.diverged_bytes, 96U << 20);
}

TEST(Config, AHostListensWhereItIsReachedUnlessItSaysOtherwise) {
  const auto config = parse_config(sample_config);
  ASSERT_TRUE(config);
  const HostConfig& alpha = config->own("alpha");
  EXPECT_EQ(alpha.replication.text(), "10.77.1.1:7700");
  EXPECT_EQ(alpha.listen.text(), "0.0.0.0:7710");
  EXPECT_EQ(alpha.heartbeat[1].text(), "10.78.1.1:7702");
  EXPECT_EQ(alpha.heartbeat_listen[1].text(), "0.0.0.0:7712");
  const HostConfig& beta = config->peer_of("alpha");
  EXPECT_EQ(beta.name, "beta");
  EXPECT_EQ(beta.listen, beta.replication);
  EXPECT_EQ(beta.heartbeat_listen, beta.heartbeat);
  ASSERT_EQ(beta.outside.size(), 1U);
  EXPECT_EQ(beta.outside[0].nic, "net0");
  EXPECT_EQ(beta.outside[0].spec, "unix:/run/own.sock,/run/other.sock");
  EXPECT_EQ(config->find_host("gamma"), nullptr);
}

TEST(Config, OptionalKeysHaveTheDocumentedDefaults) {
  std::string text = sample_config;
  text = text.substr(0, text.find("[limits]"));
  text = changed(text, "delay = \"100ms\"\n", "");
  text = changed(text, "tls = true\n", "");
  text = changed(text, "run_directory = \"/run/colo\"\n", "");
  const auto config = parse_config(text);
  ASSERT_TRUE(config) << config.error().front().text("sample");
  EXPECT_EQ(config->delay, 100ms);
  EXPECT_TRUE(config->tls);
  EXPECT_EQ(config->run_directory, "/run/colo");
  EXPECT_EQ(config->limits.hold_packets, 16384U);
  EXPECT_EQ(config->limits.staged_bytes, 1ULL << 30);
  EXPECT_EQ(config->colo.max_interval, 10s);
  EXPECT_EQ(config->colo.min_interval, 20ms);
  EXPECT_EQ(config->colo.silence, 1s);
  EXPECT_EQ(config->colo.behind, 2s);
  EXPECT_FALSE(config->colo.mirror);
  EXPECT_EQ(config->colo.diverged_bytes, 256U << 20);
}

TEST(Config, HasThreeModes) {
  const auto with = [](const char* mode) {
    return parse_config(changed(sample_config, "\"periodic\"", mode));
  };
  EXPECT_EQ(with("\"colo\"").value().mode, Mode::colo);
  EXPECT_EQ(with("\"auto\"").value().mode, Mode::automatic);
  EXPECT_EQ(parse_config(changed(sample_config, "mode = \"periodic\"\n", "")).value().mode,
            Mode::periodic);
}

TEST(Config, AReplicaMayNotOverwriteMoreThanThereIs) {
  const ColoSettings colo = parse_config(sample_config).value().colo;
  EXPECT_EQ(colo.diverged_limit(512U << 20), 96U << 20);
  EXPECT_EQ(colo.diverged_limit(64U << 20), 64U << 20);
}

TEST(Config, AMirrorHasNoOtherLimitThanTheMemory) {
  std::string text = changed(sample_config, "\"bounded\"", "\"mirror\"");
  text = changed(text, "diverged_limit = \"96MiB\"\n", "");
  const auto config = parse_config(text);
  ASSERT_TRUE(config) << config.error().front().text("sample");
  EXPECT_EQ(config->colo.diverged_limit(512U << 20), 512U << 20);
}

TEST(Config, CheckpointsAreKeptInSharedMemoryUnlessNoneIsSaid) {
  const auto config = parse_config(sample_config);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->checkpoint_directory, "/dev/shm/colo");
  const auto with = [](const std::string& value) {
    return parse_config("checkpoint_directory = \"" + value + "\"\n" + sample_config);
  };
  const auto none = with("none");
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->checkpoint_directory.empty());
  const auto other = with("/mnt/memory");
  ASSERT_TRUE(other);
  EXPECT_EQ(other->checkpoint_directory, "/mnt/memory");
  EXPECT_EQ(other->hash64(), config->hash64()) << "the hosts need not agree on it";
  ASSERT_FALSE(with("memory"));
  EXPECT_EQ(with("memory").error().front().error.word, "bad-path");
}

TEST(Config, TheExampleOfTheDocumentationIsRight) {
  const auto config = load_config(COLO_SOURCE_DIR "/docs/example.toml");
  ASSERT_TRUE(config) << config.error().front().text("example.toml");
  EXPECT_EQ(config->guest.kind, "qemu");
  EXPECT_EQ(config->own("alpha").heartbeat.size(), 2U);
  // Its [colo] and [limits], which are the last, are called the defaults.
  std::string text = read_text(COLO_SOURCE_DIR "/docs/example.toml");
  ASSERT_LT(text.find("[colo]"), text.find("[limits]"));
  const auto without_them = parse_config(text.substr(0, text.find("[colo]")));
  ASSERT_TRUE(without_them);
  EXPECT_EQ(without_them->hash64(), config->hash64());
}

TEST(Config, TheGuestIsMadeInTheEnginesDirectory) {
  const auto config = parse_config(sample_config);
  ASSERT_TRUE(config);
  const guest::GuestConfig guest = to_guest_config(*config, "beta");
  EXPECT_EQ(guest.name, "ledger");
  EXPECT_EQ(guest.kind, "qemu");
  EXPECT_EQ(guest.qemu.accelerator, "tcg");
  EXPECT_EQ(guest.qemu.command.back(), "512M");
  EXPECT_EQ(guest.nics.at(0).id, "net0");
  EXPECT_EQ(guest.run_directory, "/run/colo/ledger.beta");
  EXPECT_EQ(config->control_socket("beta"), "/run/colo/ledger.beta/control.sock");
}

TEST(Config, AnEmbeddedGuestHasItsOwnKeys) {
  std::string text = changed(sample_config, "kind = \"qemu\"", "kind = \"embedded\"");
  text = changed(text, "accelerator = \"tcg\"", "memory = \"32MiB\"");
  text = changed(text, "command = [\"qemu-system-x86_64\", \"-m\", \"512M\"]",
                 "dirty_pages_per_second = 7");
  const auto config = parse_config(text);
  ASSERT_TRUE(config) << config.error().front().text("sample");
  const guest::GuestConfig guest = to_guest_config(*config, "alpha");
  EXPECT_EQ(guest.embedded.memory_bytes, 32U << 20);
  EXPECT_EQ(guest.embedded.dirty_pages_per_second, 7U);
}

TEST(Config, AFileThatIsNotThereIsNamed) {
  const auto config = load_config("/nonexistent/ledger.toml");
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().at(0).text("/nonexistent/ledger.toml"),
              HasSubstr("unreadable: /nonexistent/ledger.toml is not a file"));
}

TEST(Config, AnUnreasonablyLargeFileIsNotRead) {
  const Scratch scratch;
  const auto file = scratch.write("big.toml", std::string((1U << 20) + 1, '#'));
  const auto config = load_config(file);
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().at(0).error.word, "unreadable");
}

TEST(Delay, IsTheSameForTheFileAndForSet) {
  EXPECT_EQ(parse_delay("1500us").error().word, "out-of-bounds");
  EXPECT_EQ(parse_delay("50ms").value(), 50ms);
  EXPECT_EQ(parse_delay("1min").value(), 60s);
  EXPECT_EQ(parse_delay("61s").error().word, "out-of-bounds");
  for (const char* wrong : {"", "50", "ms", "50 ms", " 50ms", "-50ms", "+50ms", "5e1ms", "50MS",
                            "0x10ms", "50ms ", "99999999999999999999ms", "9999999999999min"}) {
    const auto delay = parse_delay(wrong);
    ASSERT_FALSE(delay) << wrong;
    EXPECT_EQ(delay.error().word, "bad-duration") << wrong;
  }
}

}  // namespace
}  // namespace colo::app
