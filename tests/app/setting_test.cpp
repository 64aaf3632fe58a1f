#include "app/setting.h"

#include <gtest/gtest.h>

#include "app/said.h"

namespace colo::app {
namespace {

using namespace std::chrono_literals;

TEST(Setting, IsADelayOrAModeOrWhereThePeerIsNow) {
  const auto delay = parse_setting("delay", "50ms");
  ASSERT_TRUE(delay);
  EXPECT_EQ(std::get<DelaySetting>(*delay).delay, 50ms);
  EXPECT_EQ(std::get<ModeSetting>(*parse_setting("mode", "periodic")).mode, Mode::periodic);
  EXPECT_EQ(std::get<ModeSetting>(*parse_setting("mode", "colo")).mode, Mode::colo);
  EXPECT_EQ(std::get<ModeSetting>(*parse_setting("mode", "auto")).mode, Mode::automatic);
  const auto peer = parse_setting("peer", "[fd00::1]:7700");
  ASSERT_TRUE(peer);
  EXPECT_EQ(std::get<PeerSetting>(*peer).replication, (Address{"fd00::1", 7700}));
  const auto links = parse_setting("peer-heartbeat", "10.0.0.1:7701,10.1.0.1:7702");
  ASSERT_TRUE(links);
  EXPECT_EQ(std::get<PeerHeartbeatSetting>(*links).links,
            (std::vector<Address>{{"10.0.0.1", 7701}, {"10.1.0.1", 7702}}));
}

TEST(Setting, SaysWhatIsWrongWithIt) {
  EXPECT_EQ(parse_setting("delay", "1ms").error().word, "out-of-bounds");
  EXPECT_EQ(parse_setting("mode", "Colo").error().word, "unknown-mode");
  EXPECT_EQ(parse_setting("mode", "").error().word, "unknown-mode");
  EXPECT_EQ(parse_setting("peer", "beta:7700").error().word, "bad-address");
  for (const char* links : {"", ",", "10.0.0.1:7701,", "10.0.0.1:7701,,10.0.0.1:7701"}) {
    EXPECT_EQ(parse_setting("peer-heartbeat", links).error().word, "bad-address") << links;
  }
  const auto unknown = parse_setting("peer-heartbeats", "10.0.0.1:7701");
  EXPECT_EQ(unknown.error().word, "unknown-key");
  EXPECT_EQ(unknown.error().remedy, "did you mean `peer-heartbeat`?");
}

TEST(Said, TellsNewsOfEachSubjectOnce) {
  Said said;
  EXPECT_TRUE(said.is_news("beta", "not ready"));
  EXPECT_FALSE(said.is_news("beta", "not ready"));
  EXPECT_TRUE(said.is_news("gamma", "not ready"));
  EXPECT_TRUE(said.is_news("beta", "wrong key"));
  EXPECT_TRUE(said.is_news("beta", "not ready")) << "it changed in between";
  said.forget("beta");
  EXPECT_TRUE(said.is_news("beta", "not ready"));
}

}  // namespace
}  // namespace colo::app
