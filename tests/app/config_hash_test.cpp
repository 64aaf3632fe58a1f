// The hash that both hosts compare: the same for the same settings however they are written,
// another for every setting that differs.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <sstream>

#include "app/config.h"
#include "tests/app/samples.h"

namespace colo::app {
namespace {

std::uint64_t hash_of(const std::string& text) {
  const auto config = parse_config(text);
  if (!config) {
    ADD_FAILURE() << config.error().front().text("sample") << "\nin:\n" << text;
    return 0;
  }
  return config->hash64();
}

// The sample in another order and dress: keys shuffled within their tables, tables shuffled, with
// comments and spaces.
std::string rewritten(std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::vector<std::string>> tables(1);  // the first one has no header
  std::istringstream in(sample_config);
  for (std::string line; std::getline(in, line);) {
    if (line.empty()) continue;
    if (line.front() == '[') tables.emplace_back();
    tables.back().push_back(line);
  }
  std::shuffle(tables.begin() + 1, tables.end(), random);
  std::string out;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    auto& lines = tables[i];
    std::shuffle(lines.begin() + (i == 0 ? 0 : 1), lines.end(), random);
    for (std::string line : lines) {
      const std::size_t equals = line.find(" = ");
      if (equals != std::string::npos && random() % 2 == 0) line.replace(equals, 3, "\t=   ");
      if (random() % 2 == 0) line = "  " + line + "   # " + std::to_string(random());
      if (random() % 4 == 0) out += "# a comment = \"1s\"\n\n";
      out += line + "\n";
    }
  }
  return out;
}

TEST(ConfigHash, DoesNotSeeOrderCommentsAndSpaces) {
  const std::uint64_t expected = hash_of(sample_config);
  std::set<std::string> texts;
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    const std::string text = rewritten(seed);
    texts.insert(text);
    ASSERT_EQ(hash_of(text), expected) << "seed " << seed << "\n" << text;
  }
  EXPECT_GT(texts.size(), 190U);
}

TEST(ConfigHash, DoesNotSeeHowTheSameValueIsWritten) {
  const std::uint64_t expected = hash_of(sample_config);
  EXPECT_EQ(hash_of(changed(sample_config, "\"100ms\"", "'100000us'")), expected);
  EXPECT_EQ(hash_of(changed(sample_config, "\"2GiB\"", "\"2048MiB\"")), expected);
  EXPECT_EQ(hash_of(changed(sample_config, "16000", "16_000")), expected);
  EXPECT_EQ(hash_of(changed(sample_config, "accelerator = \"tcg\"", "accelerator = \"\\u0074cg\"")),
            expected);
}

TEST(ConfigHash, DoesNotSeeWhatMayDifferBetweenHosts) {
  const std::uint64_t expected = hash_of(sample_config);
  EXPECT_EQ(hash_of(changed(sample_config, "/etc/colo/ledger.key", "/root/k")), expected);
  EXPECT_EQ(hash_of(changed(sample_config, "/run/colo", "/run/x")), expected);
  // A host that moved: the other one runs with the file of before.
  EXPECT_EQ(hash_of(changed(sample_config, "\"10.77.1.1:7700\"", "\"10.77.1.9:7709\"")), expected);
  EXPECT_EQ(hash_of(changed(sample_config, "\"10.78.1.1:7702\"", "\"10.78.1.9:7709\"")), expected);
  EXPECT_EQ(hash_of(changed(sample_config, "\"0.0.0.0:7710\"", "\"0.0.0.0:7719\"")), expected);
  EXPECT_EQ(hash_of(changed(sample_config, "\"0.0.0.0:7711\"", "\"0.0.0.0:7719\"")), expected);
}

struct Change {
  const char* from;
  const char* to;
};

TEST(ConfigHash, SeesEveryOtherValue) {
  const Change changes[] = {
      {"name = \"ledger\"", "name = \"ledger2\""},
      {"first_primary = \"alpha\"", "first_primary = \"beta\""},
      {"\"100ms\"", "\"101ms\""},
      {"tls = true", "tls = false"},
      {"\"tcg\"", "\"kvm\""},
      {"\"-m\", \"512M\"]", "\"-m\", \"513M\"]"},
      {"\"-m\", \"512M\"]", "\"-m512M\"]"},
      {"\"-m\", \"512M\"]", "\"512M\", \"-m\"]"},
      {"tap:tap0", "tap:tap1"},
      {"/run/other.sock", "/run/another.sock"},
      {"[hosts.beta]", "[hosts.gamma]"},
      {"\"90ms\"", "\"91ms\""},
      {"lost_after = \"1s\"", "lost_after = \"2s\""},
      {"\"300ms\"", "\"301ms\""},
      {"grace = \"2s\"", "grace = \"3s\""},
      {"/srv/shared/ledger", "/srv/shared/other"},
      {"16000", "16001"},
      {"\"63MiB\"", "\"65MiB\""},
      {"\"2GiB\"", "\"3GiB\""},
      {"pause_max = \"3s\"", "pause_max = \"4s\""},
      {"stream_timeout = \"6s\"", "stream_timeout = \"7s\""},
      {"mode = \"periodic\"", "mode = \"colo\""},
      {"mode = \"periodic\"", "mode = \"auto\""},
      {"\"8s\"", "\"9s\""},
      {"\"25ms\"", "\"26ms\""},
      {"\"150ms\"", "\"151ms\""},
      {"\"1500ms\"", "\"1501ms\""},
      {"\"96MiB\"", "\"97MiB\""},
      {"cache = \"bounded\"\ndiverged_limit = \"96MiB\"\n", "cache = \"mirror\"\n"},
  };
  std::set<std::uint64_t> hashes{hash_of(sample_config)};
  for (const Change& change : changes) {
    EXPECT_TRUE(hashes.insert(hash_of(changed(sample_config, change.from, change.to))).second)
        << change.from << " -> " << change.to;
  }
}

TEST(ConfigHash, SeesTheNamesOfNetworkCards) {
  std::string other = changed(sample_config, "id = \"net0\"", "id = \"net1\"");
  other = changed(other, "{ net0 = \"tap:tap0\" }", "{ net1 = \"tap:tap0\" }");
  other = changed(other, "{ net0 = \"unix:", "{ net1 = \"unix:");
  EXPECT_NE(hash_of(other), hash_of(sample_config));
}

TEST(ConfigHash, SeesTheSizeOfAnEmbeddedGuest) {
  std::string text = changed(sample_config, "kind = \"qemu\"", "kind = \"embedded\"");
  text = changed(text, "accelerator = \"tcg\"", "memory = \"32MiB\"");
  text = changed(text, "command = [\"qemu-system-x86_64\", \"-m\", \"512M\"]",
                 "dirty_pages_per_second = 7");
  const std::set<std::uint64_t> hashes{
      hash_of(sample_config), hash_of(text), hash_of(changed(text, "\"32MiB\"", "\"33MiB\"")),
      hash_of(changed(text, "dirty_pages_per_second = 7", "dirty_pages_per_second = 8"))};
  EXPECT_EQ(hashes.size(), 4U);
}

}  // namespace
}  // namespace colo::app
