#include "app/status.h"

#include <gmock/gmock.h>

#include "tests/app/scratch.h"

namespace colo::app {
namespace {

using testing::HasSubstr;
using testing::Not;

Status protected_primary() {
  Status status;
  status.name = "ledger";
  status.host = "alpha";
  status.pid = 123;
  status.version = "0.1.0";
  status.role = "primary";
  status.state = State::protected_;
  status.reason = "checkpoint 812 committed on beta 34 ms ago";
  status.delay_ms = 100;
  status.generation = 1;
  status.epoch = 812;
  status.guest = GuestStatus{"qemu", "7.2.22", "pc-q35-7.2", "tcg", 536870912, true, 124};
  status.peer =
      PeerStatus{"beta",
                 true,
                 {{"10.77.1.2:7701", "alive", 40.0}, {"192.168.7.2:7701", "quiet", std::nullopt}}};
  status.checkpoints = CheckpointStatus{
      812, {}, PauseFigures{2.1, 4.0, 6.0}, DirtyPageFigures{2000, 3000}, 6651904000};
  status.session = SessionStatus{true, 700, 512};
  status.hold = HoldStatus{3, 300, 12.0};
  status.owners = {{1, "alpha"}};
  return status;
}

Status secondary_that_took_over() {
  Status status = protected_primary();
  status.host = "beta";
  status.role = "primary";
  status.state = State::solo;
  status.reason = "took over from checkpoint 812; alpha is not back";
  status.next = "colo run /etc/colo/ledger.toml on alpha";
  status.tls = false;
  status.generation = 2;
  status.peer->connected = false;
  status.peer->host = "alpha";
  status.peer->links = {{"10.77.1.1:7701", "silent", 5020.4}};
  status.checkpoints.reset();
  status.session.reset();
  status.hold = HoldStatus{};
  status.cache = CacheStatus{0, 17, 0, 1 << 20};
  status.takeover = TakeoverStatus{"connection closed by alpha", 1700000000123456789,
                                   1700000000130000000, std::nullopt};
  status.owners = {{1, "alpha"}, {2, "beta"}};
  return status;
}

Status comparing_primary() {
  Status status = protected_primary();
  status.mode = "colo";
  status.effective_mode = EffectiveMode{"colo", "", std::nullopt, std::nullopt};
  status.checkpoints->by_reason = {{"first", 1}, {"interval", 800}, {"silence", 11}};
  status.compare = CompareStatus{
      1411000, {{"different-payload", 9}, {"silence", 2}}, 3, std::optional<double>(1.5)};
  return status;
}

Status replica() {
  Status status;
  status.name = "ledger";
  status.host = "beta";
  status.pid = 9;
  status.version = "0.1.0";
  status.role = "secondary";
  status.state = State::standby;
  status.reason = "the guest of checkpoint 812 of alpha runs here too; it can take over";
  status.mode = "auto";
  status.effective_mode = EffectiveMode{"colo", "", std::nullopt, std::nullopt};
  status.generation = 1;
  status.epoch = 812;
  status.cache = CacheStatus{0, 0, 0, 1 << 20};
  status.replica = ReplicaStatus{true, 812, 300, 1228800, 256U << 20};
  return status;
}

Status auto_that_holds_periodically() {
  Status status = comparing_primary();
  status.mode = "auto";
  status.effective_mode = EffectiveMode{"periodic", "4 replicas in a row differed within 800 ms",
                                        1700000000123456789, std::optional<double>(3210)};
  status.compare->held_packets = 0;
  status.compare->oldest_ms.reset();
  return status;
}

Status secondary_that_joins() {
  Status status;
  status.name = "ledger";
  status.host = "beta";
  status.pid = 9;
  status.version = "0.1.0";
  status.role = "secondary";
  status.state = State::joining;
  status.reason = "the first full copy arrives";
  status.delay_ms = 12.5;
  status.initial_copy = InitialCopy{70000, 61072, 131072};
  return status;
}

// The golden files are what the operator sees; look at a change of theirs as an operator would.
void expect_golden(const std::string& name, const std::string& text) {
  EXPECT_EQ(text, read_text(COLO_SOURCE_DIR "/tests/app/golden/" + name)) << "golden/" << name;
}

TEST(StatusText, ShowsForAsLongAsItIsSoThatThereIsNoArbiter) {
  Status status = protected_primary();
  EXPECT_THAT(to_text(status), Not(HasSubstr("unsafe")));
  status.unsafe = true;
  EXPECT_THAT(to_text(status), HasSubstr("arbiter        NONE (unsafe)"));
  EXPECT_THAT(to_json(status), HasSubstr("\"unsafe\":true"));
  EXPECT_TRUE(status_from_json(to_json(status))->unsafe);
}

TEST(StatusText, OfAProtectedPrimary) {
  expect_golden("protected.txt", to_text(protected_primary()));
}

TEST(StatusText, OfASideThatTookOver) {
  expect_golden("took_over.txt", to_text(secondary_that_took_over()));
}

TEST(StatusText, OfASecondaryThatJoins) {
  expect_golden("joining.txt", to_text(secondary_that_joins()));
}

TEST(StatusText, OfAPrimaryThatCompares) {
  expect_golden("comparing.txt", to_text(comparing_primary()));
}

TEST(StatusText, OfARunningReplica) { expect_golden("replica.txt", to_text(replica())); }

TEST(StatusText, SaysWhyAndSinceWhenAutoHoldsPeriodically) {
  expect_golden("holding.txt", to_text(auto_that_holds_periodically()));
}

TEST(StatusText, DoesNotSayThatSomethingIsComparedWhereNothingIs) {
  Status status = comparing_primary();
  status.effective_mode.reset();
  EXPECT_THAT(to_text(status), HasSubstr("mode           colo, nothing is compared\n"));
  status.mode = "periodic";
  EXPECT_THAT(to_text(status), HasSubstr("periodic, a checkpoint every 100 ms\n"));
}

TEST(StatusText, DoesNotSayAllIsCopiedWhileAPageRemains) {
  Status status = secondary_that_joins();
  status.initial_copy = InitialCopy{1, 1, 1'000'000};
  EXPECT_THAT(to_text(status), HasSubstr("99 %"));
  status.initial_copy->remaining_pages = 0;
  EXPECT_THAT(to_text(status), HasSubstr("100 %"));
  status.initial_copy = InitialCopy{0, 0, 0};
  EXPECT_THAT(to_text(status), HasSubstr(" 0 %"));
}

TEST(StatusText, NamesTheStepBehindTheWord) {
  Status status = protected_primary();
  status.state = State::handing_over;
  status.step = "loading";
  status.reason = "to beta";
  EXPECT_THAT(to_text(status), testing::StartsWith("HANDING-OVER/loading: to beta\n"));
  EXPECT_EQ(status_from_json(to_json(status))->step, "loading");
}

TEST(StatusText, ShowsTheNewestOfManyOwners) {
  Status status = protected_primary();
  status.owners.clear();
  for (std::uint64_t i = 1; i <= 100; ++i) status.owners.push_back({i, "alpha"});
  EXPECT_THAT(to_text(status), HasSubstr("... 95:alpha 96:alpha"));
  EXPECT_THAT(to_text(status), HasSubstr("100:alpha\n"));
  EXPECT_THAT(to_text(status), Not(HasSubstr("94:alpha")));
}

TEST(StatusJson, HasEveryKeyInTheDocumentedOrder) {
  expect_golden("protected.json", to_json(protected_primary()) + "\n");
}

TEST(StatusJson, HasTheComparisonAndTheReplica) {
  expect_golden("comparing.json", to_json(comparing_primary()) + "\n");
  expect_golden("replica.json", to_json(replica()) + "\n");
}

TEST(StatusJson, SaysNullForWhatIsMissing) {
  const std::string json = to_json(secondary_that_joins());
  for (const char* key : {"guest", "peer", "checkpoints", "hold", "cache", "takeover",
                          "effective_mode", "compare", "replica"}) {
    EXPECT_THAT(json, HasSubstr("\"" + std::string(key) + "\":null"));
  }
  EXPECT_THAT(json, HasSubstr("\"owners\":[]"));
}

TEST(StatusJson, ComesBackAsItWas) {
  for (const Status& status :
       {protected_primary(), secondary_that_took_over(), secondary_that_joins(),
        comparing_primary(), replica(), auto_that_holds_periodically()}) {
    const auto back = status_from_json(to_json(status));
    ASSERT_TRUE(back) << back.error().text();
    EXPECT_EQ(to_json(*back), to_json(status));
    EXPECT_EQ(to_text(*back), to_text(status));
  }
}

TEST(StatusJson, BytesThatAreNotTextDoNotBreakIt) {
  Status status = protected_primary();
  status.reason = "peer said \xff\xfe";
  EXPECT_TRUE(status_from_json(to_json(status)));
}

TEST(StatusJson, OfAnotherVersionIsRefusedByName) {
  std::string json = to_json(protected_primary());
  json.replace(json.find("\"epoch\""), 7, "\"apoch\"");
  EXPECT_THAT(status_from_json(json).error().reason, HasSubstr("epoch"));
  EXPECT_EQ(status_from_json("[]").error().word, "bad-status");
  EXPECT_EQ(status_from_json("{").error().word, "bad-status");
  json = to_json(protected_primary());
  json.replace(json.find("PROTECTED"), 9, "PERFECT");
  EXPECT_THAT(status_from_json(json).error().reason, HasSubstr("PERFECT"));
}

TEST(StatusJson, EveryStateHasItsOwnWord) {
  Status status = protected_primary();
  for (int i = 0; i <= static_cast<int>(State::ended); ++i) {
    status.state = static_cast<State>(i);
    const auto back = status_from_json(to_json(status));
    ASSERT_TRUE(back) << word(status.state);
    EXPECT_EQ(back->state, status.state);
  }
}

}  // namespace
}  // namespace colo::app
