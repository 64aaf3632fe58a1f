// What is said to a fence agent, and what its exit status means.
#include "arbiter/fence_text.h"

#include <gmock/gmock.h>

namespace colo::arbiter::fence {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(FenceText, InputIsOneOptionALineAndTheActionLast) {
  EXPECT_EQ(input_of({{"lanplus", "1"}}, {{"ip", "10.0.0.7"}, {"plug", "a b=c"}},
                     {{"passwd", "x=y"}}, Action::off),
            "lanplus=1\nip=10.0.0.7\nplug=a b=c\npasswd=x=y\naction=off\n");
  EXPECT_EQ(input_of({}, {}, {}, Action::status), "action=status\n");
}

TEST(FenceText, AnOptionCannotBeAnotherLineOrAnAction) {
  EXPECT_TRUE(check_option("power_wait", "5"));
  EXPECT_TRUE(check_option("plug", ""));
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{{"", "x"},
                                                        {"a=b", "x"},
                                                        {"a b", "x"},
                                                        {"a\n", "x"},
                                                        {"plug", "1\naction=on"},
                                                        {"plug", "1\r"},
                                                        {"action", "on"},
                                                        {"option", "on"},
                                                        {std::string(65, 'k'), "x"},
                                                        {"plug", std::string(1025, 'v')}}) {
    ASSERT_FALSE(check_option(key, value)) << key;
    EXPECT_EQ(check_option(key, value).error().word, "bad-option");
  }
}

TEST(FenceText, ReadsAFileOfSecrets) {
  const auto options = parse_options("# of the switch\n\nusername=root\npasswd=a=b #c");
  ASSERT_TRUE(options) << options.error().text();
  EXPECT_THAT(*options, testing::ElementsAre(testing::Pair("username", "root"),
                                             testing::Pair("passwd", "a=b #c")));
  for (const char* wrong : {"hunter2", "passwd=hunter2\nhunter2", "action=hunter2"}) {
    const auto refused = parse_options(wrong);
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().word, "bad-option");
    EXPECT_THAT(refused.error().text(), Not(HasSubstr("hunter2")));
  }
}

TEST(FenceText, OnlyTwoMeansOff) {
  EXPECT_EQ(power_of(0), Power::on);
  EXPECT_EQ(power_of(2), Power::off);
  for (const int status : {-1, 1, 3, 5, 127, 128 + 9, 128 + 15, 255}) {
    EXPECT_EQ(power_of(status), Power::unknown) << status;
  }
}

TEST(FenceText, LastWordsHaveNoSecretAndFitALine) {
  EXPECT_EQ(last_words("first\nlogin of root with hunter2 failed: hunter2\n \n",
                       {{"passwd", "hunter2"}, {"empty", ""}}),
            "login of root with *** failed: ***");
  EXPECT_EQ(last_words("", {}), "");
  EXPECT_EQ(last_words("a\x1b[31mb\xff", {}), "a?[31mb?");
  EXPECT_EQ(last_words(std::string(1000, 'x'), {}).size(), 200U);
}

}  // namespace
}  // namespace colo::arbiter::fence
