#include "demo/reply_times.h"

#include <gtest/gtest.h>

namespace colo::demo {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t second = 1'000'000'000;

TEST(ReplyTimes, AreEmptyWhereThereIsNoReply) {
  const ReplyTimes times;
  EXPECT_EQ(times.first_since(0), std::nullopt);
  EXPECT_EQ(times.count_since(0), 0U);
  EXPECT_FALSE(times.between(0, INT64_MAX));
}

TEST(ReplyTimes, SayHowLongTheyTook) {
  ReplyTimes times;
  for (int i = 0; i < 98; ++i) times.add(ReplyTimes::Clock::now() - 10ms);
  times.add(ReplyTimes::Clock::now() - 1s);
  times.add(ReplyTimes::Clock::now() - 2s);
  const auto all = times.between(0, INT64_MAX);
  ASSERT_TRUE(all);
  EXPECT_EQ(all->replies, 100U);
  EXPECT_GE(all->p50_ms, 10);
  EXPECT_LT(all->p50_ms, 1000);
  EXPECT_GE(all->p99_ms, 2000) << "one in a hundred is as slow or slower";
  EXPECT_GE(all->max_ms, all->p99_ms);
}

TEST(ReplyTimes, BelongToThePhaseThatTheyWereSaidAndHeardIn) {
  ReplyTimes times;
  times.add(ReplyTimes::Clock::now() - 5s);
  const std::int64_t heard = *times.first_since(0);
  EXPECT_TRUE(times.between(heard - 6 * second, heard + 1));
  EXPECT_FALSE(times.between(heard - 4 * second, heard + 1)) << "it was said before";
  EXPECT_FALSE(times.between(heard - 6 * second, heard)) << "it was heard behind it";
  EXPECT_EQ(times.count_since(heard), 1U);
  EXPECT_EQ(times.count_since(heard + 1), 0U);
}

}  // namespace
}  // namespace colo::demo
