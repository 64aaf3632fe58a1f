// Each kind of mistake in a configuration, and what the operator is told.
#include <gmock/gmock.h>

#include <algorithm>

#include "app/config.h"
#include "tests/app/samples.h"

namespace colo::app {
namespace {

using testing::HasSubstr;

struct Mistake {
  const char* name;
  const char* from;  // in the sample
  const char* to;
  std::uint32_t line;
  const char* word;
  const char* reason;  // a part of it
  const char* remedy;  // a part of it
};

void PrintTo(const Mistake& mistake, std::ostream* out) { *out << mistake.name; }

const Mistake mistakes[] = {
    {"Syntax", "delay = \"100ms\"", "delay = = 1", 3, "bad-toml", "", "example.toml"},
    {"SameKeyTwice", "delay = \"100ms\"", "name = \"x\"", 3, "bad-toml", "name", ""},
    {"UnknownKey", "delay =", "dealy =", 3, "unknown-key", "`dealy`", "did you mean `delay`?"},
    {"UnknownKeyInTable", "hold_bytes =", "hold_byte =", 39, "unknown-key", "`limits.hold_byte`",
     "did you mean `hold_bytes`?"},
    {"UnknownKeyLikeNothing", "tls = true", "colour_of_moon = true", 6, "unknown-key",
     "`colour_of_moon`", "known here: name"},
    {"UnknownTable", "[limits]", "[limit]", 37, "unknown-key", "`limit`", "did you mean `limits`?"},
    {"UnknownKeyInInlineTable", "{ net0 = \"tap:tap0\" }", "{ net0 = \"tap:tap0\", net1 = \"\" }",
     20, "unknown-key", "`hosts.alpha.outside.net1`", "did you mean `net0`?"},
    {"MissingName", "name = \"ledger\"\n", "", 1, "missing-key", "`name`", "example.toml"},
    {"MissingInTable", "kind = \"directory\"\n", "", 33, "missing-key", "`arbiter.kind`", ""},
    {"MissingOutside", "outside = { net0 = \"tap:tap0\" }\n", "", 17, "missing-key",
     "`hosts.alpha.outside`", ""},
    {"MissingNicOutside", "{ net0 = \"tap:tap0\" }", "{ }", 20, "missing-key",
     "`hosts.alpha.outside.net0`", ""},
    {"NumberForText", "name = \"ledger\"", "name = 5", 1, "wrong-kind", "`name` is a number",
     "string"},
    {"TextForBoolean", "tls = true", "tls = \"yes\"", 6, "wrong-kind", "`tls` is a string",
     "true or false"},
    {"TextForNumber", "hold_packets = 16000", "hold_packets = \"16000\"", 38, "wrong-kind",
     "`limits.hold_packets` is a string", "without quotes"},
    {"UnknownTableLikeNothing",
     "[arbiter]\nkind = \"directory\"\ndirectory = \"/srv/shared/ledger\"", "[other]\n\n", 33,
     "unknown-key", "`other`", "known here"},
    {"TableForArray", "[[nic]]", "[nic]", 14, "wrong-kind", "`nic` is a table", "an array"},
    {"ArrayOfNumbers", "[\"qemu-system-x86_64\", \"-m\", \"512M\"]", "[\"qemu\", 1]", 12,
     "wrong-kind", "holds a number", "string"},
    {"EmptyCommand", "[\"qemu-system-x86_64\", \"-m\", \"512M\"]", "[]", 12, "bad-command",
     "names no program", "QEMU"},
    {"BadName", "name = \"ledger\"", "name = \"Led/ger\"", 1, "bad-name", "Led/ger", "a-z"},
    {"BadHostName", "[hosts.alpha]", "[hosts.\"al pha\"]", 17, "bad-name", "al pha", "letter"},
    {"BadNic", "id = \"net0\"", "id = \"0net\"", 15, "bad-name", "0net", "first one a letter"},
    {"UnknownMode", "mode = \"periodic\"", "mode = \"automatic\"", 4, "unknown-mode",
     "\"automatic\"", "\"auto\""},
    {"ModeAsNumber", "mode = \"periodic\"", "mode = 1", 4, "wrong-kind", "`mode` is a number",
     "string"},
    {"UnknownKeyOfColo", "silence =", "silense =", 47, "unknown-key", "`colo.silense`",
     "did you mean `silence`?"},
    {"MaxIntervalTooShort", "\"8s\"", "\"99ms\"", 45, "out-of-bounds",
     "`colo.max_interval` is 99ms; it must be from 100ms to 5min", "periodic"},
    {"MinIntervalTooShort", "\"25ms\"", "\"4ms\"", 46, "out-of-bounds",
     "`colo.min_interval` is 4ms; it must be from 5ms to 10s", "stands still"},
    {"MinIntervalAboveTheMax", "\"25ms\"", "\"9s\"", 45, "out-of-bounds",
     "`colo.max_interval` is 8s, `colo.min_interval` is 9s", "below the shortest"},
    {"SilenceTooLong", "\"150ms\"", "\"61s\"", 47, "out-of-bounds", "`colo.silence` is 61s",
     "waits that long"},
    {"BehindWithinTheSilence", "\"1500ms\"", "\"149ms\"", 48, "out-of-bounds",
     "`colo.behind` is 149ms, `colo.silence` is 150ms", "checkpoint first"},
    {"BehindTooShort", "\"1500ms\"", "\"99ms\"", 48, "out-of-bounds", "`colo.behind` is 99ms",
     "busy replica"},
    {"UnknownCache", "\"bounded\"", "\"copy\"", 49, "unknown-cache", "\"copy\"", "mirror"},
    {"LimitOfAMirror", "\"bounded\"", "\"mirror\"", 50, "out-of-place",
     "`colo.diverged_limit` has no meaning", "remove it"},
    {"LimitTooSmall", "\"96MiB\"", "\"512KiB\"", 50, "out-of-bounds",
     "`colo.diverged_limit` is 512KiB", "all the time"},
    {"UnknownGuest", "kind = \"qemu\"", "kind = \"xen\"", 10, "unknown-guest", "\"xen\"",
     "embedded"},
    {"UnknownAccelerator", "\"tcg\"", "\"hax\"", 11, "unknown-accelerator", "\"hax\"", "kvm"},
    {"UnknownArbiter", "kind = \"directory\"", "kind = \"paxos\"", 34, "unknown-arbiter",
     "\"paxos\"", "directory"},
    {"UnknownFirstPrimary", "first_primary = \"alpha\"", "first_primary = \"alfa\"", 2,
     "unknown-host", "\"alfa\"", "did you mean `alpha`?"},
    {"KeyOfOtherGuest", "accelerator = \"tcg\"", "memory = \"64MiB\"", 11, "out-of-place",
     "`guest.memory` is a setting of the embedded guest", "-m"},
    {"DurationWithoutUnit", "delay = \"100ms\"", "delay = \"100\"", 3, "bad-duration",
     "`delay`: \"100\" is not a duration", "50ms"},
    {"DurationAsNumber", "delay = \"100ms\"", "delay = 100", 3, "bad-duration", "it is a number",
     "unit in quotes"},
    {"DurationTooShort", "delay = \"100ms\"", "delay = \"4ms\"", 3, "out-of-bounds",
     "`delay` is 4ms; it must be from 5ms to 1min", "stands still"},
    {"DurationTooLong", "pause_max = \"3s\"", "pause_max = \"61s\"", 41, "out-of-bounds",
     "`limits.pause_max` is 61s", "give up"},
    {"SizeWithoutUnit", "\"63MiB\"", "\"63\"", 39, "bad-size", "`limits.hold_bytes`", "64MiB"},
    {"SizeAsNumber", "\"63MiB\"", "63", 39, "bad-size", "it is a number", "unit in quotes"},
    {"SizeOverflows", "\"63MiB\"", "\"99999999TiB\"", 39, "bad-size", "99999999TiB", "TiB"},
    {"SizeTooSmall", "\"2GiB\"", "\"1MiB\"", 40, "out-of-bounds",
     "`limits.staged` is 1MiB; it must be from 16MiB to 16TiB", "one checkpoint"},
    {"NumberTooSmall", "16000", "-1", 38, "out-of-bounds", "`limits.hold_packets` is -1", "fewer"},
    {"LossBeforeThreeBeats", "lost_after = \"1s\"", "lost_after = \"200ms\"", 30, "out-of-bounds",
     "200ms, the interval 90ms", "three intervals"},
    {"RelativePath", "\"/etc/colo/ledger.key\"", "\"ledger.key\"", 5, "bad-path",
     "`key_file`: \"ledger.key\"", "begin it with /"},
    {"EmptyPath", "\"/srv/shared/ledger\"", "\"\"", 35, "bad-path", "`arbiter.directory`", "/"},
    {"NoPort", "\"10.77.1.1:7700\"", "\"10.77.1.1\"", 18, "bad-address",
     "`hosts.alpha.replication`: \"10.77.1.1\": there is no port", "[fd00::1]:7700"},
    {"HostNameAsAddress", "\"10.77.1.1:7700\"", "\"alpha:7700\"", 18, "bad-address",
     "names are not resolved", "IP address"},
    {"PortZero", "\"10.77.1.1:7700\"", "\"10.77.1.1:0\"", 18, "bad-address", "\"0\" is not a port",
     ""},
    {"PortTooLarge", "\"10.77.1.1:7700\"", "\"10.77.1.1:65536\"", 18, "bad-address", "\"65536\"",
     ""},
    {"UnreachableAddress", "\"10.77.1.1:7700\"", "\"0.0.0.0:7700\"", 18, "bad-address",
     "nobody can connect", "listen"},
    {"BadHeartbeat", "[\"10.77.1.2:7721\", \"10.78.1.2:7722\"]", "[\"10.77.1.2:7721\", \"x\"]", 25,
     "bad-address", "`hosts.beta.heartbeat`: \"x\"", ""},
    {"NoHeartbeat", "[\"10.77.1.2:7721\", \"10.78.1.2:7722\"]", "[]", 25, "out-of-bounds",
     "`hosts.beta.heartbeat` has 0", "one per link"},
    {"UnequalLinks", "[\"10.77.1.2:7721\", \"10.78.1.2:7722\"]", "[\"10.77.1.2:7721\"]", 17,
     "unequal-links", "alpha has 2 heartbeat addresses, beta has 1", "paired by position"},
    {"UnequalListen", "[\"0.0.0.0:7711\", \"0.0.0.0:7712\"]", "[\"0.0.0.0:7711\"]", 22,
     "unequal-links", "has 1 addresses, heartbeat 2", "same order"},
    {"SameListenTwice", "[\"0.0.0.0:7711\", \"0.0.0.0:7712\"]",
     "[\"0.0.0.0:7711\", \"0.0.0.0:7711\"]", 22, "same-address", "0.0.0.0:7711", "of its own"},
    {"SameReplication", "\"10.77.1.2:7720\"", "\"10.77.1.1:7700\"", 17, "same-address",
     "both hosts replicate at 10.77.1.1:7700", "own address"},
    {"SameHeartbeat", "[\"10.77.1.2:7721\", \"10.78.1.2:7722\"]",
     "[\"10.77.1.1:7701\", \"10.78.1.2:7722\"]", 17, "same-address", "both hosts beat at", ""},
    {"UnknownOutside", "tap:tap0", "bridge:br0", 20, "bad-outside", "bridge:br0", "tap:NAME"},
    {"LongTap", "tap:tap0", "tap:a234567890123456", 20, "bad-outside", "a234567890123456",
     "1 to 15"},
    {"OneSocketPath", "unix:/run/own.sock,/run/other.sock", "unix:/run/own.sock", 26, "bad-outside",
     "two paths", "unix:"},
    {"RelativeSocketPath", "unix:/run/own.sock,/run/other.sock", "unix:/run/own.sock,other", 26,
     "bad-outside", "\"other\" is not the path", "absolute"},
    {"TwoNicsOfOneName", "id = \"net0\"", "id = \"net0\"\n[[nic]]\nid = \"net0\"", 17, "same-name",
     "\"net0\"", "of its own"},
    {"ThirdHost", "[heartbeat]", "[hosts.gamma]\n[heartbeat]", 17, "not-two-hosts",
     "there are 3 hosts", "exactly two"},
    {"SocketPathTooLong", "\"/run/colo\"",
     "\"/run/a2345678901234567890123456789012345678901234567890123456789012345678901234567890\"",
     17, "path-too-long", "/run/a23456789", "shorten"},
};

class ConfigMistake : public testing::TestWithParam<Mistake> {};

TEST_P(ConfigMistake, IsNamedWithItsLineAndRemedy) {
  const Mistake& mistake = GetParam();
  const auto config = parse_config(changed(sample_config, mistake.from, mistake.to));
  ASSERT_FALSE(config);
  std::string all;
  for (const ConfigProblem& problem : config.error()) all += problem.text("f") + "\n";
  const auto found =
      std::find_if(config.error().begin(), config.error().end(), [&](const ConfigProblem& problem) {
        return problem.line == mistake.line && problem.error.word == mistake.word;
      });
  ASSERT_NE(found, config.error().end()) << all;
  EXPECT_THAT(found->error.reason, HasSubstr(mistake.reason));
  EXPECT_THAT(found->error.remedy, HasSubstr(mistake.remedy));
  EXPECT_FALSE(found->error.remedy.empty());
}

INSTANTIATE_TEST_SUITE_P(Each, ConfigMistake, testing::ValuesIn(mistakes),
                         [](const auto& mistake) { return std::string(mistake.param.name); });

TEST(ConfigMistakes, AreAllToldAtOnceInTheOrderOfTheFile) {
  std::string text = changed(sample_config, "tls = true", "tsl = true");
  text = changed(text, "delay = \"100ms\"", "delay = \"1ms\"");
  text = changed(text, "\"63MiB\"", "\"63 MiB\"");
  text = changed(text, "\"10.77.1.1:7700\"", "\"nowhere\"");
  const auto config = parse_config(text);
  ASSERT_FALSE(config);
  std::vector<std::string> told;
  for (const ConfigProblem& problem : config.error()) {
    told.push_back(std::to_string(problem.line) + " " + problem.error.word);
  }
  EXPECT_THAT(told, testing::ElementsAre("3 out-of-bounds", "6 unknown-key", "18 bad-address",
                                         "39 bad-size"));
}

TEST(ConfigMistakes, AnEmptyFileNamesEverythingThatIsNeeded) {
  const auto config = parse_config("");
  ASSERT_FALSE(config);
  std::string all;
  for (const ConfigProblem& problem : config.error()) all += problem.error.reason + "\n";
  for (const char* key : {"name", "first_primary", "key_file", "guest", "hosts", "arbiter"}) {
    EXPECT_THAT(all, HasSubstr("`" + std::string(key) + "` is missing"));
  }
}

TEST(ConfigMistakes, ReadAsALineOfACompilerDoes) {
  const auto config = parse_config(changed(sample_config, "delay =", "dealy ="));
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().at(0).text("/etc/colo/ledger.toml"),
            "/etc/colo/ledger.toml:3: unknown-key: `dealy` is not a setting (did you mean "
            "`delay`?)");
}

}  // namespace
}  // namespace colo::app
