// [[hook]] in the configuration: what is read, what is refused, and that both hosts compare it.
#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "app/config.h"
#include "tests/app/samples.h"

namespace colo::app {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

std::string with_hooks(const std::string& hooks) { return sample_config + hooks; }

constexpr const char* two_hooks = R"(
[[hook]]
name = "storage"
command = ["/usr/local/bin/storage", "--pool", "a b"]
timeout = "30s"
[[hook]]
name = "vip"
command = ["/usr/local/bin/vip"]
)";

TEST(ConfigHooks, AreReadInOrder) {
  const auto config = parse_config(with_hooks(two_hooks));
  ASSERT_TRUE(config) << config.error().front().text("sample");
  ASSERT_EQ(config->hooks.size(), 2U);
  EXPECT_EQ(config->hooks[0].name, "storage");
  EXPECT_EQ(config->hooks[0].command,
            (std::vector<std::string>{"/usr/local/bin/storage", "--pool", "a b"}));
  EXPECT_EQ(config->hooks[0].timeout, 30s);
  EXPECT_EQ(config->hooks[1].name, "vip");
  EXPECT_EQ(config->hooks[1].timeout, 10s);
}

TEST(ConfigHooks, AreComparedBetweenTheHosts) {
  const auto hash_of = [](const std::string& hooks) {
    const auto config = parse_config(with_hooks(hooks));
    EXPECT_TRUE(config);
    return config ? config->hash64() : 0;
  };
  const std::string all = two_hooks;
  std::set<std::uint64_t> hashes{hash_of(""), hash_of(all)};
  EXPECT_TRUE(hashes.insert(hash_of(changed(all, "\"vip\"", "\"vop\""))).second);
  EXPECT_TRUE(hashes.insert(hash_of(changed(all, "30s", "31s"))).second);
  EXPECT_TRUE(hashes.insert(hash_of(changed(all, "\"a b\"", "\"a\", \"b\""))).second);
  EXPECT_TRUE(hashes.insert(hash_of(changed(all, "bin/vip", "bin/vop"))).second);
  const std::size_t second = all.find("[[hook]]", 5);
  EXPECT_TRUE(hashes.insert(hash_of("\n" + all.substr(second) + all.substr(0, second))).second);
}

struct HookMistake {
  const char* name;
  const char* from;  // in two_hooks
  const char* to;
  const char* word;
  const char* reason;  // a part of it
};
void PrintTo(const HookMistake& mistake, std::ostream* out) { *out << mistake.name; }

const HookMistake hook_mistakes[] = {
    {"NoName", "name = \"vip\"", "", "missing-key", "`hook.name`"},
    {"NoCommand", "command = [\"/usr/local/bin/vip\"]", "", "missing-key", "`hook.command`"},
    {"UnknownKey", "timeout =", "time_out =", "unknown-key", "`hook.time_out`"},
    {"BadName", "\"vip\"", "\"VIP 1\"", "bad-name", "VIP 1"},
    {"SameName", "\"vip\"", "\"storage\"", "same-name", "storage"},
    {"EmptyCommand", "[\"/usr/local/bin/vip\"]", "[]", "bad-command", "names no program"},
    {"RelativeCommand", "[\"/usr/local/bin/vip\"]", "[\"vip\"]", "bad-command", "\"vip\""},
    {"CommandAsText", "[\"/usr/local/bin/vip\"]", "\"/usr/local/bin/vip\"", "wrong-kind",
     "`hook.command` is a string"},
    {"ZeroByte", "a b", "a\\u0000b", "bad-command", "zero byte"},
    {"TooShort", "30s", "99ms", "out-of-bounds", "`hook.timeout`"},
    {"TooLong", "30s", "601s", "out-of-bounds", "`hook.timeout`"},
};

class ConfigHookMistakes : public testing::TestWithParam<HookMistake> {};

TEST_P(ConfigHookMistakes, AreTold) {
  const HookMistake& mistake = GetParam();
  const auto config = parse_config(with_hooks(changed(two_hooks, mistake.from, mistake.to)));
  ASSERT_FALSE(config);
  ASSERT_EQ(config.error().size(), 1U) << config.error().back().text("sample");
  const ConfigProblem& problem = config.error().front();
  EXPECT_EQ(problem.error.word, mistake.word);
  EXPECT_THAT(problem.error.reason, HasSubstr(mistake.reason));
  EXPECT_FALSE(problem.error.remedy.empty());
  EXPECT_GT(problem.line, 41U);
}

INSTANTIATE_TEST_SUITE_P(All, ConfigHookMistakes, testing::ValuesIn(hook_mistakes),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(ConfigHooks, AreNoMoreThanThirtyTwo) {
  std::string hooks = "\n";
  const auto add = [&](int number) {
    hooks += "[[hook]]\nname = \"h" + std::to_string(number) + "\"\ncommand = [\"/bin/true\"]\n";
  };
  for (int i = 0; i < 32; ++i) add(i);
  EXPECT_TRUE(parse_config(with_hooks(hooks)));
  add(32);
  const auto config = parse_config(with_hooks(hooks));
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().front().error.word, "out-of-bounds");
}

TEST(ConfigHooks, MustBeTables) {
  const auto config = parse_config("hook = [1]\n" + std::string(sample_config));
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().front().error.word, "wrong-kind");
  EXPECT_EQ(config.error().front().line, 1U);
}

}  // namespace
}  // namespace colo::app
