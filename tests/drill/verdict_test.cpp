// The rules by which a drill passes: each broken law must be seen.
#include "drill/verdict.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "drill/table.h"

namespace colo::drill {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::size_t alpha = 0, beta = 1;

Drill a_drill() {
  Drill drill;
  drill.name = "kill-host-primary";
  drill.faults = {{}};
  drill.allowed = {Outcome::taken_over};
  return drill;
}

// A takeover as it should be.
struct Round {
  Round() {
    record.drill = drill.name;
    record.allowed = drill.allowed;
    record.fault_unix_ns = 1'000'000'000;
    record.owners = {{1, "alpha", 1}, {2, "beta", 1'010'000'000}};
    record.times = {10.0, 10.0, 20.0, 30.0, 50.0, 90.0};
    record.protected_again = true;
    record.client.connections = 1;
    record.client.acknowledged = 20;
    record.client.whole_fits = true;
    record.client.longest_gap_ms = 120;
    seen.primary = "alpha";
    seen.generation = 1;
    seen.answers = true;
    seen.frames = {{900'000'000, alpha}, {1'020'000'000, beta}};
  }
  Verdict judged() {
    judge(drill, seen, record);
    return record.verdict();
  }
  std::vector<std::string> failures() const {
    std::vector<std::string> all;
    for (const Check& check : record.checks) {
      if (!check.held) all.push_back(check.what + ": " + check.detail);
    }
    return all;
  }
  Drill drill = a_drill();
  Record record;
  Seen seen;
};

TEST(DrillVerdict, PassesATakeoverThatKeepsTheLaws) {
  Round round;
  EXPECT_EQ(round.judged(), Verdict::passed) << testing::PrintToString(round.failures());
  EXPECT_EQ(round.record.outcome, Outcome::taken_over);
  EXPECT_THAT(round.record.speakers, ElementsAre("alpha", "beta"));
}

TEST(DrillVerdict, FailsWithOneLostEntry) {
  Round round;
  round.record.client.lost = 1;
  EXPECT_EQ(round.judged(), Verdict::failed);
}

TEST(DrillVerdict, FailsWithOneWrongReply) {
  Round round;
  round.record.client.wrong = 1;
  EXPECT_EQ(round.judged(), Verdict::failed);
}

TEST(DrillVerdict, FailsWithAReset) {
  Round round;
  round.record.client.resets = 1;
  EXPECT_EQ(round.judged(), Verdict::failed);
}

TEST(DrillVerdict, FailsWithAnotherDigest) {
  Round round;
  round.record.client.whole_fits = false;
  EXPECT_EQ(round.judged(), Verdict::failed);
}

TEST(DrillVerdict, FailsWithAnOutcomeThatIsNotAllowed) {
  Round round;
  round.drill.allowed = {Outcome::kept};
  EXPECT_EQ(round.judged(), Verdict::failed);
}

TEST(DrillVerdict, FailsWithAGuestThatWasAwayTooLong) {
  Round round;
  round.record.client.longest_gap_ms = 10'001;
  EXPECT_EQ(round.judged(), Verdict::failed);
}

TEST(DrillVerdict, FailsWithAPairThatIsNotProtectedAgain) {
  Round round;
  round.record.protected_again = false;
  EXPECT_EQ(round.judged(), Verdict::failed);
}

TEST(DrillVerdict, FailsWithOutputThatDidNotWaitForAClaim) {
  Round round;
  round.drill.silent = true;
  round.seen.replies_in_silence = 1;
  EXPECT_EQ(round.judged(), Verdict::failed);
  EXPECT_THAT(round.failures(), ElementsAre(HasSubstr("nothing leaves without a claim")));
}

TEST(DrillVerdict, FailsWithTwoSpeakers) {
  Round round;
  round.seen.frames.push_back({1'030'000'000, alpha});
  EXPECT_EQ(round.judged(), Verdict::failed);
  EXPECT_THAT(round.failures(), ElementsAre(HasSubstr("alpha spoke when the guest was no longer")));
}

TEST(DrillVerdict, FailsWithASpeakerThatDidNotWaitForItsClaim) {
  Round round;
  round.seen.frames[1].unix_ns = 1'005'000'000;
  EXPECT_EQ(round.judged(), Verdict::failed);
  EXPECT_THAT(round.failures(), ElementsAre(HasSubstr("beta spoke 5 ms before it owned")));
}

TEST(DrillVerdict, IsNeverPassedWhereTheFaultFellElsewhere) {
  Round round;
  round.record.not_run = "the fault fell in the phase idle";
  EXPECT_EQ(round.judged(), Verdict::not_run);
  round.record.client.lost = 1;
  round.record.checks.clear();
  EXPECT_EQ(round.judged(), Verdict::failed) << "a broken law counts wherever the fault fell";
}

// In COLO mode a switchover is over within milliseconds: a drill of one of its steps may kill a new
// owner, which nobody protects yet. That is another fault than the drill's, and breaks no law.
TEST(DrillVerdict, OfANewOwnerThatWasKilledRightBehindItsSwitchoverIsNotRun) {
  Round round;
  round.drill.faults.resize(2);
  round.drill.faults[0].deed = Deed::switchover;
  round.drill.faults[1].whose = Role::secondary;
  round.drill.allowed = {Outcome::kept, Outcome::moved, Outcome::given_back};
  round.record.owners.back().since_ns = 990'000'000;  // before the fault
  round.record.missed = true;
  round.record.not_run = "the fault fell in the phase idle";
  round.record.protected_again = false;
  round.seen.answers = false;
  round.seen.frames.pop_back();
  EXPECT_EQ(round.judged(), Verdict::not_run) << testing::PrintToString(round.failures());
  Round met = round;
  met.record.checks.clear();
  met.record.missed = false;
  EXPECT_EQ(met.judged(), Verdict::failed);
  Round claimed_behind = round;
  claimed_behind.record.checks.clear();
  claimed_behind.record.owners.back().since_ns = 1'010'000'000;
  EXPECT_EQ(claimed_behind.judged(), Verdict::failed);
}

TEST(DrillVerdict, OfARoundWithoutChecksIsNotRun) {
  EXPECT_EQ(Record{}.verdict(), Verdict::not_run);
}

TEST(DrillOutcome, FollowsFromTheOwnersOfTheArbiter) {
  Round round;
  const auto outcome = [&](std::vector<Owner> owners) {
    round.record.owners = std::move(owners);
    return outcome_of(round.drill, round.record, round.seen);
  };
  EXPECT_EQ(outcome({{1, "alpha", 0}}), Outcome::unharmed);
  EXPECT_EQ(outcome({{1, "alpha", 0}, {2, "alpha", 0}}), Outcome::kept);
  EXPECT_EQ(outcome({{1, "alpha", 0}, {2, "beta", 0}}), Outcome::taken_over);
  EXPECT_EQ(outcome({{1, "alpha", 0}, {2, "beta", 0}, {3, "alpha", 0}}), Outcome::given_back);
  EXPECT_EQ(outcome({{1, "alpha", 0}, {2, "", 0}}), Outcome::ended);
  round.drill.faults[0].deed = Deed::switchover;
  EXPECT_EQ(outcome({{1, "alpha", 0}, {2, "beta", 0}}), Outcome::moved);
  round.seen.answers = false;
  EXPECT_EQ(outcome({{1, "alpha", 0}}), Outcome::ended);
}

TEST(DrillSpeakers, MayTakeTurnsAsOftenAsTheGuestDid) {
  const std::vector<Owner> owners{
      {1, "alpha", 0}, {2, "alpha", 20}, {3, "beta", 30}, {4, "alpha", 50}};
  EXPECT_THAT(out_of_turn({{10, alpha}, {25, alpha}, {35, beta}, {60, alpha}}, owners), IsEmpty());
  EXPECT_THAT(out_of_turn({{35, beta}, {40, alpha}}, owners), HasSubstr("alpha spoke"));
  EXPECT_THAT(out_of_turn({{60, alpha}, {70, beta}}, {{1, "alpha", 0}}), HasSubstr("beta spoke"));
}

nlohmann::ordered_json line_of(Round& round) {
  round.judged();
  return to_json(round.record);
}

TEST(DrillReport, HasTheDocumentedShape) {
  Round round;
  round.record.faults = {"kill host of primary"};
  round.record.phase = "stream";
  const auto json = line_of(round);
  EXPECT_EQ(json["times_ms"], nlohmann::ordered_json::parse(
                                  R"({"fault":0,"detected":10.0,"claimed":10.0,"resumed":20.0,
                                      "first_reply":30.0,"healed":50.0,"protected_again":90.0})"));
  EXPECT_EQ(json["owners"][1],
            nlohmann::ordered_json::parse(R"({"generation":2,"owner":"beta","ms":10.0})"));
  EXPECT_EQ(json["allowed"], nlohmann::ordered_json::parse(R"(["taken-over"])"));
  EXPECT_EQ(json["phase"], "stream");
  EXPECT_EQ(json["verdict"], "passed");
  EXPECT_FALSE(json.contains("failures"));
}

TEST(DrillReport, ClosesWithTakeoversAndWhatWasLost) {
  Round good, bad;
  bad.record.client.lost = 2;
  const std::vector records{line_of(good), line_of(bad)};
  const std::string text = summary_text(records);
  EXPECT_THAT(text, HasSubstr("2 rounds: 1 passed, 1 failed, 0 not run"));
  EXPECT_THAT(text, testing::EndsWith("  2 takeovers, 2 lost, 0 wrong\n"));
  EXPECT_THAT(round_line(records[1]), HasSubstr("FAILED  nothing acknowledged is lost: 2 entries"));
}

}  // namespace
}  // namespace colo::drill
