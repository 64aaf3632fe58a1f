// What the control socket's lines may say.
#include "app/control.h"

#include <gmock/gmock.h>

namespace colo::app {
namespace {

using testing::HasSubstr;

TEST(ControlRequest, ComesBackAsItWas) {
  for (const Command command : {Command::status, Command::checkpoint, Command::takeover}) {
    const auto back = parse_request(render(Request{command, {}, {}}));
    ASSERT_TRUE(back) << word(command);
    EXPECT_EQ(back->command, command);
  }
  const auto set = parse_request(render(Request{Command::set, "delay", "50ms"}));
  ASSERT_TRUE(set);
  EXPECT_EQ(set->command, Command::set);
  EXPECT_EQ(set->key, "delay");
  EXPECT_EQ(set->value, "50ms");
}

TEST(ControlRequest, AnUnknownCommandIsToldTheKnownOnes) {
  const auto request = parse_request(R"({"command":"reboot"})");
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().word, "unknown-command");
  EXPECT_THAT(request.error().reason, HasSubstr("\"reboot\""));
  EXPECT_EQ(request.error().remedy, "known: status, checkpoint, switchover, takeover, give-back, set");
}

TEST(ControlRequest, AnythingElseIsRefused) {
  for (const char* line :
       {"", " ", "status", "{", "[]", "null", "5", "{}", R"({"command":5})",
        R"({"command":"status","key":"delay"})", R"({"command":"status","host":"alpha"})",
        R"({"command":"set"})", R"({"command":"set","key":"delay"})",
        R"({"command":"set","key":"delay","value":50})",
        R"({"command":"set","key":"delay","value":"50ms","more":"x"})",
        R"({"command":"status"} {"command":"status"})", "{\"command\":\"\xff\"}"}) {
    const auto request = parse_request(line);
    ASSERT_FALSE(request) << line;
    EXPECT_EQ(request.error().word, "bad-request") << line;
    EXPECT_FALSE(request.error().remedy.empty());
  }
}

TEST(ControlRequest, DeepNestingIsRefusedLikeAnythingElse) {
  const auto request = parse_request(std::string(control_line_bytes, '['));
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().word, "bad-request");
}

TEST(ControlReply, ComesBackAsItWas) {
  Reply reply;
  reply.message = "a checkpoint is being made";
  auto back = parse_reply(render(reply));
  ASSERT_TRUE(back);
  EXPECT_FALSE(back->error);
  EXPECT_EQ(back->message, reply.message);
  EXPECT_FALSE(back->status);

  reply.status = Status{};
  reply.status->reason = "a reason";
  back = parse_reply(render(reply));
  ASSERT_TRUE(back);
  ASSERT_TRUE(back->status);
  EXPECT_EQ(back->status->reason, "a reason");
}

TEST(ControlReply, ARefusalCarriesWordReasonAndRemedy) {
  Reply reply;
  reply.error = Error{"not-secondary", "alpha is the primary", "run it on beta"};
  const auto back = parse_reply(render(reply));
  ASSERT_TRUE(back);
  ASSERT_TRUE(back->error);
  EXPECT_EQ(back->error->word, "not-secondary");
  EXPECT_EQ(back->error->reason, "alpha is the primary");
  EXPECT_EQ(back->error->remedy, "run it on beta");
}

TEST(ControlReply, OfTheLongestHistoryStillFitsALine) {
  Reply reply;
  reply.status = Status{};
  const std::string longest_host(63, 'h');
  for (std::uint64_t i = 1; i <= 10'000; ++i) reply.status->owners.push_back({i, longest_host});
  const std::string line = render(reply);
  EXPECT_LT(line.size(), control_line_bytes);
  const auto back = parse_reply(line);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->status->owners.size(), control_owners);
  EXPECT_EQ(back->status->owners.back().generation, 10'000U);
}

TEST(ControlReply, GarbageIsRefused) {
  for (const char* line : {"", "{}", "[]", R"({"ok":1})", R"({"ok":false})",
                           R"({"ok":true,"status":{}})", R"({"ok":true,"message":5})"}) {
    const auto reply = parse_reply(line);
    ASSERT_FALSE(reply) << line;
    EXPECT_EQ(reply.error().word, "bad-reply");
  }
}

}  // namespace
}  // namespace colo::app
