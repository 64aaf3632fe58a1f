#include "demo/judge.h"

#include <gmock/gmock.h>

#include "demo/ledger/book.h"

namespace colo::demo {
namespace {

Reply added(BookMark mark) { return {Reply::Kind::added, mark.count, mark.digest, {}}; }
Reply whole(BookMark mark) { return {Reply::Kind::whole, mark.count, mark.digest, {}}; }

TEST(Judge, FindsNothingWrongWithAnHonestLedger) {
  Judge judge("test");
  Book book;
  for (int i = 0; i < 5; ++i) judge.hear(added(book.add(judge.next_entry())));
  judge.hear(whole(book.whole()));
  EXPECT_EQ(judge.acknowledged(), 5U);
  EXPECT_EQ(judge.outstanding(), 0U);
  EXPECT_EQ(judge.lost(), 0U);
  EXPECT_EQ(judge.wrong(), 0U);
  EXPECT_TRUE(judge.whole_fits());
  EXPECT_EQ(judge.trouble(), "");
}

TEST(Judge, AcceptsRepliesThatComeLateButInOrder) {
  Judge judge("test");
  Book book;
  std::vector<BookMark> marks;
  for (int i = 0; i < 3; ++i) marks.push_back(book.add(judge.next_entry()));
  EXPECT_EQ(judge.outstanding(), 3U);
  for (const BookMark& mark : marks) judge.hear(added(mark));
  EXPECT_EQ(judge.acknowledged(), 3U);
  EXPECT_EQ(judge.wrong(), 0U);
}

TEST(Judge, AcceptsEntriesThatTheGuestHasButDidNotAcknowledge) {
  Judge judge("test");
  Book book;
  judge.hear(added(book.add(judge.next_entry())));
  book.add(judge.next_entry());
  judge.hear(whole(book.whole()));
  EXPECT_EQ(judge.lost(), 0U);
  EXPECT_TRUE(judge.whole_fits());
}

TEST(Judge, CountsAcknowledgedEntriesThatTheGuestForgot) {
  Judge judge("test");
  Book book, older;
  for (int i = 0; i < 5; ++i) {
    const std::string entry = judge.next_entry();
    if (i < 3) older.add(entry);
    judge.hear(added(book.add(entry)));
  }
  judge.hear(whole(older.whole()));
  EXPECT_EQ(judge.lost(), 2U);
  EXPECT_EQ(judge.wrong(), 0U);
  EXPECT_FALSE(judge.whole_fits());
}

TEST(Judge, NoticesALedgerThatWentBackInTheMiddleOfTheConversation) {
  Judge judge("test");
  Book book, older;
  for (int i = 0; i < 4; ++i) {
    const std::string entry = judge.next_entry();
    if (i < 2) older.add(entry);
    judge.hear(added(book.add(entry)));
  }
  judge.hear(added(older.add(judge.next_entry())));
  EXPECT_EQ(judge.acknowledged(), 4U);
  EXPECT_EQ(judge.wrong(), 1U);
  judge.hear(whole(older.whole()));
  EXPECT_EQ(judge.lost(), 1U);
}

TEST(Judge, NoticesAnotherDigest) {
  Judge judge("test");
  Book book;
  BookMark mark = book.add(judge.next_entry());
  mark.digest ^= 1;
  judge.hear(added(mark));
  EXPECT_EQ(judge.acknowledged(), 0U);
  EXPECT_EQ(judge.wrong(), 1U);
  EXPECT_THAT(judge.trouble(), testing::HasSubstr("was acknowledged as"));
  mark = book.whole();
  mark.digest ^= 1;
  judge.hear(whole(mark));
  EXPECT_EQ(judge.wrong(), 2U);
  EXPECT_FALSE(judge.whole_fits());
}

TEST(Judge, NoticesEntriesThatNobodySent) {
  Judge judge("test");
  Book book;
  judge.hear(added(book.add(judge.next_entry())));
  book.add("from somebody else");
  judge.hear(whole(book.whole()));
  EXPECT_EQ(judge.wrong(), 1U);
  EXPECT_FALSE(judge.whole_fits());
}

TEST(Judge, NoticesAReplyThatWasNotDue) {
  Judge judge("test");
  Book book;
  const BookMark mark = book.add(judge.next_entry());
  judge.hear(added(mark));
  judge.hear(added(mark));
  EXPECT_EQ(judge.wrong(), 1U);
}

TEST(Judge, CountsARefusalAsWrong) {
  Judge judge("test");
  static_cast<void>(judge.next_entry());
  judge.hear({Reply::Kind::refused, 0, 0, "corrupt page 7"});
  EXPECT_EQ(judge.wrong(), 1U);
  EXPECT_EQ(judge.outstanding(), 0U);
  EXPECT_THAT(judge.trouble(), testing::HasSubstr("corrupt page 7"));
}

TEST(Judge, TwoConversationsShareNoEntry) {
  Judge one("one"), other("other");
  EXPECT_NE(one.next_entry(), other.next_entry());
}

}  // namespace
}  // namespace colo::demo
