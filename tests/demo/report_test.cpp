// What the demonstration reads from engines, writes for them, and reports.
#include "demo/report.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "demo/checks.h"
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

TEST(EngineStatus, HasTheComparisonOfAPrimaryAndTheReplicaOfASecondary) {
  const auto primary = parse_status_reply(
      R"({"ok":true,"status":{"host":"alpha","state":"PROTECTED","mode":"auto",)"
      R"("effective_mode":{"mode":"colo","reason":"","since_unix_ns":null,"left_ms":null},)"
      R"("checkpoints":{"committed":5,"by_reason":{"first":1,"silence":4}},)"
      R"("compare":{"equal":7,"different":{"silence":4},"held_packets":2,"oldest_ms":1.5},)"
      R"("replica":null,"owners":[]}})");
  ASSERT_TRUE(primary) << primary.error().text();
  EXPECT_EQ(primary->mode, "auto");
  EXPECT_EQ(primary->effective_mode, "colo");
  EXPECT_EQ(primary->checkpoints_by_reason.at("silence"), 4U);
  ASSERT_TRUE(primary->compare);
  EXPECT_EQ(primary->compare->equal, 7U);
  EXPECT_EQ(primary->compare->different.at("silence"), 4U);
  EXPECT_EQ(primary->compare->oldest_ms, 1.5);
  EXPECT_FALSE(primary->replica);
  const auto secondary = parse_status_reply(
      R"({"ok":true,"status":{"host":"beta","state":"STANDBY","compare":null,)"
      R"("replica":{"running":true,"epoch":5,"diverged_pages":3,"preimage_bytes":12288,)"
      R"("limit_bytes":65536},"owners":[]}})");
  ASSERT_TRUE(secondary) << secondary.error().text();
  EXPECT_FALSE(secondary->compare);
  ASSERT_TRUE(secondary->replica);
  EXPECT_TRUE(secondary->replica->running);
  EXPECT_EQ(secondary->replica->preimage_bytes, 12288U);
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
    "mode":"periodic","effective_mode":null,"delay_ms":100.0,"fault":"kill",
    "checkpoints":{"committed":812,"by_reason":{},"pause_ms":{"p50":2.1,"p99":4.0,"max":6.0},
                   "dirty_pages":{"p50":2000,"max":3000}},
    "compare":null,"replica":null,
    "takeover":{"detected_ms":10.0,"claimed_ms":20.0,"resumed_ms":30.0,"first_reply_ms":null},
    "client":{"connections":0,"resets":0,"acknowledged":7,"lost":0,"wrong":0,"longest_gap_ms":0.0,
              "reply_ms":null,"unprotected_reply_ms":null},
    "visits":null,
    "owners":["alpha","beta"],"verdict":"passed"})");
  EXPECT_EQ(json, expected) << json.dump(2);
}

RoundReport colo_round() {
  RoundReport report = good_round(30);
  report.before.mode = "auto";
  report.before.effective_mode = "colo";
  report.before.checkpoints_by_reason = {{"first", 1}, {"silence", 4}};
  report.before.compare = CompareFigures{1411, {{"silence", 4}}, 2, 1.5};
  report.replica = ReplicaFigures{true, 5, 300, 1228800, 256U << 20};
  report.reply_times = {ReplyFigures{400, 1.0, 3.0, 9.0}, ReplyFigures{500, 1.5, 7.0, 20.0}};
  report.visit_times = {ReplyFigures{40, 2.0, 5.0, 6.0}, std::nullopt};
  report.visits = VisitFigures{90, 0, 89, 0, 0, 0, true, ""};
  return report;
}

TEST(Report, OfColoModeHasWhatWasComparedAndWhatItCosts) {
  const auto json = to_json(std::vector{colo_round()});
  EXPECT_EQ(json["mode"], "auto");
  EXPECT_EQ(json["effective_mode"], "colo");
  EXPECT_EQ(json["checkpoints"]["by_reason"], nlohmann::json({{"first", 1}, {"silence", 4}}));
  EXPECT_EQ(json["compare"], nlohmann::ordered_json({{"equal", 1411},
                                                     {"different", {{"silence", 4}}},
                                                     {"held_packets", 2},
                                                     {"oldest_ms", 1.5}}));
  EXPECT_EQ(json["replica"]["preimage_bytes"], 1228800);
  EXPECT_EQ(json["replica"]["limit_bytes"], 256U << 20);
  EXPECT_EQ(json["client"]["reply_ms"]["p99"], 7.0);
  EXPECT_EQ(json["client"]["unprotected_reply_ms"]["p99"], 3.0);
  EXPECT_EQ(json["visits"]["connections"], 90);
  EXPECT_TRUE(json["visits"]["visit_ms"].is_null());
  EXPECT_EQ(json["visits"]["unprotected_visit_ms"]["replies"], 40);
  const std::string text = to_text(colo_round());
  for (const char* part :
       {"auto, at the fault colo", "1411 packets equal; different: silence 4",
        "300 pages diverged, 1.2 of 256.0 MiB kept", "by reason: first 1, silence 4",
        "p50 1.5 ms, p99 7.0 ms protected; p50 1.0 ms, p99 3.0 ms before, unprotected; added "
        "0.5 ms, 4.0 ms",
        "90 new connections, 0 resets, 89 acknowledged"}) {
    EXPECT_THAT(text, testing::HasSubstr(part));
  }
}

std::vector<std::string> failures_of_protection(RoundReport report, const std::string& mode) {
  report.checks.clear();
  check_protection(report, mode);
  std::vector<std::string> failures;
  for (const Check& check : report.checks) {
    if (!check.held) failures.push_back(check.what);
  }
  return failures;
}

// A fault may fall between a commit and the first word of its replica: the mode then is periodic
// for that moment, and everything before it left by comparison.
TEST(Checks, OfColoModeHoldWhereTheReplicaIsJustBeingReplaced) {
  RoundReport report = colo_round();
  report.before.mode = "colo";
  report.before.effective_mode = "periodic";
  report.replica.reset();
  EXPECT_THAT(failures_of_protection(report, "colo"), testing::IsEmpty());
}

TEST(Checks, OfColoModeFailWhereRepliesLeftWithCheckpoints) {
  RoundReport report = colo_round();
  report.before.mode = "colo";
  report.before.compare->equal = 249;
  report.reply_times.guarded->replies = 500;
  EXPECT_THAT(failures_of_protection(report, "colo"),
              testing::ElementsAre("most replies left because both guests said them"));
  report.before.compare.reset();
  report.reply_times.guarded.reset();
  EXPECT_EQ(failures_of_protection(report, "colo").size(), 1U);
  EXPECT_THAT(failures_of_protection(report, "auto"),
              testing::ElementsAre("the mode is the one that was asked for"));
}

TEST(Checks, OfTheClientNameEachLossAndReset) {
  RoundReport report = colo_round();
  report.checks.clear();
  report.client.connections = 1;
  report.client.whole_fits = true;
  check_client(report, replies_wanted);
  check_visits(report, visits_wanted);
  EXPECT_TRUE(report.passed());
  report.client.resets = 1;
  report.visits->lost = 1;
  report.checks.clear();
  check_client(report, replies_wanted);
  check_visits(report, visits_wanted);
  EXPECT_EQ(std::count_if(report.checks.begin(), report.checks.end(),
                          [](const Check& check) { return !check.held; }),
            2);
}

TEST(Report, OfSeveralRoundsCountsTheVisitsToo) {
  RoundReport lossy = colo_round();
  lossy.visits->lost = 2;
  lossy.visits->resets = 1;
  const auto json = to_json(std::vector{colo_round(), lossy});
  EXPECT_EQ(json["summary"]["visits"], 180);
  EXPECT_EQ(json["summary"]["acknowledged"], 7 + 89 + 7 + 89);
  EXPECT_EQ(json["summary"]["lost"], 2);
  EXPECT_EQ(json["summary"]["resets"], 1);
  EXPECT_EQ(json["summary"]["added_p99_ms"]["median"], 4.0);
  EXPECT_EQ(json["summary"]["reply_p50_ms"]["worst"], 1.5);
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

TEST(ConfigText, HasTheModeThatWasAskedFor) {
  ConfigText config;
  EXPECT_THAT(render(config), testing::HasSubstr("\nmode = \"periodic\"\n"));
  config.mode = "auto";
  EXPECT_THAT(render(config), testing::HasSubstr("\nmode = \"auto\"\n"));
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
