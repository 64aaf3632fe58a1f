// No arbiter: what it promises, which is little.
#include <gmock/gmock.h>

#include "arbiter/unsafe_arbiter.h"

namespace colo::arbiter {
namespace {

using heartbeat::ClaimLost;
using heartbeat::ClaimWon;
using heartbeat::Ownership;

TEST(UnsafeArbiter, EachSideWinsForItself) {
  UnsafeArbiter alpha("alpha"), beta("beta");
  EXPECT_EQ(*alpha.current(), Ownership{});
  EXPECT_TRUE(std::holds_alternative<ClaimWon>(*alpha.claim({{0}, "alpha", "a1"})));
  EXPECT_TRUE(std::holds_alternative<ClaimWon>(*beta.claim({{1}, "beta", "b1"})));
  EXPECT_TRUE(std::holds_alternative<ClaimWon>(*alpha.claim({{1}, "alpha", "a1"})));
  EXPECT_TRUE(std::holds_alternative<ClaimWon>(*alpha.claim({{1}, "alpha", "a1"})));
  EXPECT_TRUE(std::holds_alternative<ClaimLost>(*alpha.claim({{0}, "alpha", "a1"})));
  EXPECT_EQ(*alpha.current(), (Ownership{{2}, "alpha", "a1"}));
  EXPECT_EQ(alpha.history()->size(), 2U);
}

TEST(UnsafeArbiter, CannotGiveBack) {
  EXPECT_EQ(UnsafeArbiter("alpha").claim({{1}, "beta", "b1"}).error().word, "no-give-back");
}

}  // namespace
}  // namespace colo::arbiter
