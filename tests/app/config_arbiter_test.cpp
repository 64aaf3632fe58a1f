// The table [arbiter]: what each kind needs, what is refused, and what both hosts must agree on.
#include <gmock/gmock.h>

#include "app/config.h"
#include "tests/app/samples.h"

namespace colo::app {
namespace {

using testing::HasSubstr;

constexpr const char* etcd_lines = R"(kind = "etcd"
endpoints = ["https://10.0.0.1:2379", "https://etcd-2.example:2379"]
prefix = "/vm/colo"
ca = "/etc/ca"
cert = "/etc/cert"
key = "/etc/key"
username = "colo"
password_file = "/etc/password"
timeout = "3s"
)";
constexpr const char* fence_lines = R"(kind = "fence"
agent = "fence_ipmilan"
timeout = "40s"
state_directory = "/var/lib/colo"
secrets_file = "/etc/colo/secrets"
[arbiter.options]
lanplus = "1"
[arbiter.target.alpha]
ip = "10.9.0.1"
[arbiter.target.beta]
ip = "10.9.0.2"
)";

// The sample with these lines for its [arbiter].
std::string with(const std::string& lines) {
  return changed(sample_config, "kind = \"directory\"\ndirectory = \"/srv/shared/ledger\"\n",
                 lines);
}

Config good(const std::string& lines) {
  auto config = parse_config(with(lines));
  if (config) return *config;
  ADD_FAILURE() << config.error().front().text("sample") << "\nin:\n" << lines;
  return {};
}

// The words and reasons of all that is wrong.
std::string wrong(const std::string& lines) {
  const auto config = parse_config(with(lines));
  if (config) return "nothing";
  std::string all;
  for (const ConfigProblem& problem : config.error()) {
    EXPECT_NE(problem.line, 0U);
    all += problem.error.text() + "\n";
  }
  return all;
}

TEST(ConfigArbiter, ReadsEtcd) {
  const arbiter::Settings settings = good(etcd_lines).arbiter;
  EXPECT_EQ(settings.kind, arbiter::Kind::etcd);
  EXPECT_THAT(settings.etcd.endpoints,
              testing::ElementsAre("https://10.0.0.1:2379", "https://etcd-2.example:2379"));
  EXPECT_EQ(settings.etcd.prefix, "/vm/colo");
  EXPECT_EQ(settings.etcd.ca, "/etc/ca");
  EXPECT_EQ(settings.etcd.cert, "/etc/cert");
  EXPECT_EQ(settings.etcd.key, "/etc/key");
  EXPECT_EQ(settings.etcd.username, "colo");
  EXPECT_EQ(settings.etcd.password_file, "/etc/password");
  EXPECT_EQ(settings.etcd.timeout, std::chrono::seconds(3));
  const auto least = good("kind = \"etcd\"\nendpoints = [\"http://[fd00::1]:2379\"]\n").arbiter;
  EXPECT_EQ(least.etcd.prefix, "/colo");
  EXPECT_TRUE(least.etcd.ca.empty());
}

TEST(ConfigArbiter, ReadsAFenceAgent) {
  const Config config = good(fence_lines);
  const arbiter::FenceSettings& fence = config.arbiter.fence;
  EXPECT_EQ(config.arbiter.kind, arbiter::Kind::fence);
  EXPECT_EQ(fence.agent, "fence_ipmilan");
  EXPECT_EQ(fence.timeout, std::chrono::seconds(40));
  EXPECT_EQ(fence.state_directory, "/var/lib/colo");
  EXPECT_EQ(fence.secrets_file, "/etc/colo/secrets");
  EXPECT_THAT(fence.options, testing::ElementsAre(testing::Pair("lanplus", "1")));
  EXPECT_EQ(fence.targets[0].host, "alpha");
  EXPECT_THAT(fence.targets[0].options, testing::ElementsAre(testing::Pair("ip", "10.9.0.1")));
  EXPECT_EQ(fence.targets[1].host, "beta");
  EXPECT_TRUE(config.asker("alpha").first_primary);
  EXPECT_FALSE(config.asker("beta").first_primary);
  EXPECT_EQ(config.asker("beta").peer, "alpha");
}

TEST(ConfigArbiter, NoneNeedsUnsafe) {
  EXPECT_EQ(good("kind = \"none\"\nunsafe = true\n").arbiter.kind, arbiter::Kind::none);
  EXPECT_THAT(wrong("kind = \"none\"\n"), HasSubstr("no-arbiter"));
  EXPECT_THAT(wrong("kind = \"none\"\nunsafe = false\n"), HasSubstr("no-arbiter"));
  EXPECT_THAT(wrong("kind = \"directory\"\ndirectory = \"/srv\"\nunsafe = true\n"),
              HasSubstr("unknown-key"));
}

TEST(ConfigArbiter, RefusesWhatDoesNotBelong) {
  const std::string etcd = etcd_lines;
  const std::string fence = fence_lines;
  EXPECT_THAT(wrong("kind = \"etcd\"\n"), HasSubstr("`arbiter.endpoints` is missing"));
  EXPECT_THAT(wrong(changed(etcd, "prefix", "prefxi")), HasSubstr("did you mean `prefix`?"));
  EXPECT_THAT(wrong(etcd + "directory = \"/srv\"\n"), HasSubstr("unknown-key"));
  EXPECT_THAT(wrong(etcd + "password = \"hunter2\"\n"), HasSubstr("password_file"));
  EXPECT_THAT(wrong(changed(etcd, "cert = \"/etc/cert\"\n", "")), HasSubstr("`arbiter.cert`"));
  EXPECT_THAT(wrong(changed(etcd, "username = \"colo\"\n", "")), HasSubstr("`arbiter.username`"));
  EXPECT_THAT(wrong(changed(etcd, "\"3s\"", "\"1h\"")), HasSubstr("bad-duration"));
  EXPECT_THAT(wrong(changed(etcd, "\"3s\"", "\"31s\"")), HasSubstr("out-of-bounds"));
  for (const char* prefix : {"", "/", "colo", "/colo/", "/co lo"}) {
    EXPECT_THAT(wrong(changed(etcd, "/vm/colo", prefix)), HasSubstr("bad-prefix")) << prefix;
  }
  for (const char* endpoint :
       {"10.0.0.1:2379", "https://10.0.0.1", "https://10.0.0.1:0", "https://u:p@10.0.0.1:2379",
        "https://10.0.0.1:2379/v3", "ftp://10.0.0.1:2379", "https://:2379", "https://a b:2379"}) {
    EXPECT_THAT(wrong(changed(etcd, "https://10.0.0.1:2379", endpoint)), HasSubstr("bad-endpoint"))
        << endpoint;
  }
  EXPECT_THAT(wrong(changed(etcd, "https://10.0.0.1:2379", "http://10.0.0.1:2379")),
              HasSubstr("some of `arbiter.endpoints` have TLS"));

  EXPECT_THAT(wrong(changed(fence, "fence_ipmilan", "bin/agent")), HasSubstr("bad-path"));
  EXPECT_THAT(wrong(changed(fence, "lanplus = \"1\"", "passwd = \"hunter2\"")),
              HasSubstr("secrets_file"));
  EXPECT_THAT(wrong(changed(fence, "lanplus = \"1\"", "lanplus = 1")), HasSubstr("wrong-kind"));
  EXPECT_THAT(wrong(changed(fence, "lanplus = \"1\"", "action = \"on\"")), HasSubstr("bad-option"));
  EXPECT_THAT(wrong(changed(fence, "10.9.0.2", "10.9.0.1")), HasSubstr("same-target"));
  EXPECT_THAT(wrong(changed(fence, "[arbiter.target.beta]\nip = \"10.9.0.2\"\n", "")),
              HasSubstr("`arbiter.target.beta` is missing"));
  EXPECT_THAT(wrong(changed(fence, "target.beta", "target.gamma")), HasSubstr("unknown-key"));
}

TEST(ConfigArbiter, SecretsAreInNoMessage) {
  EXPECT_THAT(wrong(std::string(etcd_lines) + "password = \"hunter2\"\n"),
              testing::Not(HasSubstr("hunter2")));
  EXPECT_THAT(wrong(changed(fence_lines, "lanplus = \"1\"", "passwd = \"hunter2\"")),
              testing::Not(HasSubstr("hunter2")));
}

TEST(ConfigArbiter, TheHashCoversWhatBothMustAgreeOn) {
  const std::string etcd = etcd_lines;
  const std::string fence = fence_lines;
  const auto hash = [](const std::string& lines) { return good(lines).hash64(); };
  for (const auto& [from, to] : std::vector<std::pair<const char*, const char*>>{
           {"/vm/colo", "/vm/x"}, {"10.0.0.1", "10.0.0.9"}}) {
    EXPECT_NE(hash(etcd), hash(changed(etcd, from, to))) << from;
  }
  for (const auto& [from, to] :
       std::vector<std::pair<const char*, const char*>>{{"/etc/ca", "/x"},
                                                        {"/etc/cert", "/x"},
                                                        {"/etc/key", "/x"},
                                                        {"\"colo\"", "\"x\""},
                                                        {"/etc/password", "/x"},
                                                        {"\"3s\"", "\"4s\""}}) {
    EXPECT_EQ(hash(etcd), hash(changed(etcd, from, to))) << from;
  }
  for (const auto& [from, to] :
       std::vector<std::pair<const char*, const char*>>{{"fence_ipmilan", "fence_x"},
                                                        {"lanplus = \"1\"", "lanplus = \"0\""},
                                                        {"10.9.0.1", "10.9.0.9"}}) {
    EXPECT_NE(hash(fence), hash(changed(fence, from, to))) << from;
  }
  for (const auto& [from, to] : std::vector<std::pair<const char*, const char*>>{
           {"\"40s\"", "\"41s\""}, {"/var/lib/colo", "/x"}, {"/etc/colo/secrets", "/x"}}) {
    EXPECT_EQ(hash(fence), hash(changed(fence, from, to))) << from;
  }
  EXPECT_EQ(hash(fence), hash(changed(fence, "lanplus = \"1\"\n", "# order\nlanplus = \"1\"\n")));
  EXPECT_NE(hash("kind = \"none\"\nunsafe = true\n"), hash(etcd));
}

}  // namespace
}  // namespace colo::app
