// What the demonstration reads from engines, writes for them, and reports.
#include "demo/report.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "demo/config_text.h"

namespace colo::demo {
namespace {

const std::string status_line =
    R"({"ok":true,"status":{"name":"ledger","host":"alpha","pid":1,"version":"0.1.0",)"
    R"("role":"primary","state":"PROTECTED","reason":"r","next":"","mode":"periodic",)"
    R"("delay_ms":100,"tls":true,"generation":1,"epoch":812,)"
    R"("guest":{"kind":"qemu","version":"7.2.22","machine":"pc-q35-7.2","accelerator":"tcg",)"
    R"("memory_bytes":536870912,"running":true,"pid":124},"peer":null,)"
    R"("initial_copy":{"sent_pages":1,"remaining_pages":2,"total_pages":3},)"
    R"("checkpoints":{"committed":812,"pause_ms":{"p50":2.1,"p99":4.0,"max":6.0},)"
    R"("dirty_pages":{"p50":2000,"max":3000},"sent_bytes":1},"hold":null,"cache":null,)"
    R"("takeover":{"cause":"c","detected_unix_ns":1000000,"claimed_unix_ns":2000000,)"
    R"("resumed_unix_ns":null},"owners":[{"generation":1,"owner":"alpha"}]}})";

TEST(EngineStatus, IsReadFromTheReplyOfAnEngine) {
  const auto status = parse_status_reply(status_line);
  ASSERT_TRUE(status) << status.error().text();
  EXPECT_EQ(status->host, "alpha");
  EXPECT_EQ(status->state, "PROTECTED");
  EXPECT_EQ(status->guest_memory_bytes, 536870912U);
  EXPECT_TRUE(status->guest_running);
  EXPECT_EQ(status->checkpoints_committed, 812U);
  EXPECT_EQ(status->pause_p99_ms, 4.0);
  EXPECT_EQ(status->claimed_unix_ns, 2000000);
  EXPECT_EQ(status->resumed_unix_ns, std::nullopt);
  EXPECT_EQ(status->owner(), "alpha");
}

TEST(EngineStatus, MayHaveNothingToSayYet) {
  const auto status = parse_status_reply(
      R"({"ok":true,"status":{"host":"beta","state":"STARTING","guest":null,"owners":[]}})");
  ASSERT_TRUE(status) << status.error().text();
  EXPECT_FALSE(status->guest_running);
  EXPECT_EQ(status->pause_p50_ms, std::nullopt);
  EXPECT_EQ(status->owner(), "");
}

TEST(EngineStatus, NamesWhatIsWrongWithAReply) {
  for (const char* line : {"", "{", "[]", R"({"ok":true})", R"({"ok":true,"status":{"host":1}})"}) {
    const auto status = parse_status_reply(line);
    ASSERT_FALSE(status) << line;
    EXPECT_EQ(status.error().word, "bad-status");
  }
  const auto refused = parse_status_reply(R"({"ok":false,"reason":"not today"})");
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().reason, testing::HasSubstr("not today"));
}

RoundReport good_round(double resumed_ms) {
  RoundReport report;
  report.fault = "kill";
  report.before = *parse_status_reply(status_line);
  report.takeover = {10.0, 20.0, resumed_ms, std::nullopt};
  report.client.acknowledged = 7;
  report.owners = {"alpha", "beta"};
  report.check("something", true);
  return report;
}

TEST(Report, HasTheDocumentedShape) {
  const auto json = to_json(std::vector{good_round(30)});
  const auto expected = nlohmann::ordered_json::parse(R"({
    "guest":{"kind":"qemu","version":"7.2.22","accelerator":"tcg","memory_bytes":536870912},
    "mode":"periodic","delay_ms":100.0,"fault":"kill",
    "checkpoints":{"committed":812,"pause_ms":{"p50":2.1,"p99":4.0,"max":6.0},
                   "dirty_pages":{"p50":2000,"max":3000}},
    "takeover":{"detected_ms":10.0,"claimed_ms":20.0,"resumed_ms":30.0,"first_reply_ms":null},
    "client":{"connections":0,"resets":0,"acknowledged":7,"lost":0,"wrong":0,"longest_gap_ms":0.0},
    "owners":["alpha","beta"],"verdict":"passed"})");
  EXPECT_EQ(json, expected) << json.dump(2);
}

TEST(Report, FailsWithOneCheckThatDidNotHoldAndSaysWhich) {
  RoundReport report = good_round(30);
  report.check("nothing is lost", false, "3 entries");
  EXPECT_FALSE(report.passed());
  const auto json = to_json(std::vector{report});
  EXPECT_EQ(json["verdict"], "failed");
  EXPECT_EQ(json["failures"][0], "nothing is lost: 3 entries");
  EXPECT_THAT(to_text(report), testing::HasSubstr("FAILED  nothing is lost: 3 entries"));
}

TEST(Report, WithoutAnyCheckDidNotPass) { EXPECT_FALSE(RoundReport{}.passed()); }

TEST(Report, OfSeveralRoundsHasMediansAndWorstValues) {
  RoundReport failed = good_round(90);
  failed.check("nothing is lost", false);
  const auto json = to_json(std::vector{good_round(30), failed, good_round(50)});
  EXPECT_EQ(json["verdict"], "failed");
  EXPECT_EQ(json["rounds"].size(), 3U);
  EXPECT_EQ(json["takeover"]["resumed_ms"], 50.0);
  EXPECT_EQ(json["summary"]["passed"], 2);
  EXPECT_EQ(json["summary"]["acknowledged"], 21);
  EXPECT_EQ(json["summary"]["resumed_ms"]["median"], 50.0);
  EXPECT_EQ(json["summary"]["resumed_ms"]["worst"], 90.0);
  EXPECT_TRUE(json["summary"]["first_reply_ms"].is_null());
}

TEST(ConfigText, QuotesWhatTomlWouldMisread) {
  EXPECT_EQ(quoted("a\"b\\c\n"), "\"a\\\"b\\\\c\\u000a\"");
}

TEST(ConfigText, NamesBothHostsAndTheirDetours) {
  ConfigText config;
  config.arbiter = "/tmp/arbiter";
  config.hosts = {{"alpha", "1.2.3.4:5", "1.2.3.4:6", "", "", "tap:tap0"},
                  {"beta", "1.2.3.5:5", "1.2.3.5:6", "0.0.0.0:7", "0.0.0.0:8", "tap:tap1"}};
  const std::string text = render(config);
  EXPECT_THAT(text, testing::HasSubstr("[hosts.alpha]\nreplication = \"1.2.3.4:5\"\n"
                                       "heartbeat = [\"1.2.3.4:6\"]\noutside = "));
  EXPECT_THAT(text, testing::HasSubstr("listen = \"0.0.0.0:7\"\nheartbeat_listen = "
                                       "[\"0.0.0.0:8\"]\noutside = { net0 = \"tap:tap1\" }"));
}

}  // namespace
}  // namespace colo::demo
