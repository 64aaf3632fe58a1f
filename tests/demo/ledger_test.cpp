// The guest's program, and the client's understanding of its lines.
#include "guest/embedded/ledger.h"

#include <gmock/gmock.h>

#include "demo/ledger/book.h"
#include "demo/ledger/digest.h"
#include "demo/ledger/server.h"
#include "demo/ledger/table.h"
#include "demo/tcp_client.h"

namespace colo::demo {
namespace {

TEST(Digest, IsTheSameInBothKindsOfGuests) {
  const std::string entry = "an entry";
  const auto bytes = std::as_bytes(std::span(entry.data(), entry.size()));
  EXPECT_EQ(next_digest(empty_digest, entry), guest::embedded::chain_digest(0, bytes));
  EXPECT_EQ(next_digest(0x0123456789abcdef, entry),
            guest::embedded::chain_digest(0x0123456789abcdef, bytes));
}

TEST(Book, KnowsItsRunningDigestAndFindsItAgainInItsEntries) {
  Book book;
  EXPECT_EQ(book.whole().count, 0U);
  book.add("a");
  const BookMark mark = book.add("b");
  EXPECT_EQ(mark.count, 2U);
  EXPECT_EQ(mark.digest, next_digest(next_digest(empty_digest, "a"), "b"));
  EXPECT_EQ(book.whole().digest, mark.digest);
}

TEST(Table, HoldsWhatItMustThroughManyRounds) {
  Table table(16);
  for (int i = 0; i < 16 * 5; ++i) EXPECT_EQ(table.rewrite_next(), std::nullopt);
}

TEST(Table, MeetsEveryPageOnceARound) {
  Table table(16);
  std::vector<std::size_t> met;
  for (int i = 0; i < 16; ++i) {
    met.push_back(table.next_index());
    table.rewrite_next();
  }
  std::sort(met.begin(), met.end());
  for (std::size_t i = 0; i < met.size(); ++i) EXPECT_EQ(met[i], i);
}

TEST(Table, NoticesOneChangedWord) {
  Table table(16);
  table.page(5)[100] ^= 1;
  int wrong = 0;
  for (int i = 0; i < 16; ++i) {
    if (const auto what = table.rewrite_next()) {
      wrong += 1;
      EXPECT_THAT(*what, testing::HasSubstr("page 5 of the table, round 0, word 100"));
    }
  }
  EXPECT_EQ(wrong, 1);
}

TEST(Table, NoticesAPageOfAnotherRound) {
  Table table(16);
  const std::vector<std::uint64_t> old(table.page(3), table.page(3) + Table::words_per_page);
  for (int i = 0; i < 16; ++i) table.rewrite_next();
  std::copy(old.begin(), old.end(), table.page(3));
  int wrong = 0;
  for (int i = 0; i < 16; ++i) wrong += table.rewrite_next() ? 1 : 0;
  EXPECT_EQ(wrong, 1);
}

class Answer : public testing::Test {
 protected:
  std::string ask(const std::string& line) {
    std::string text = answer(line, books_, alarm_, keep_);
    EXPECT_EQ(text.back(), '\n');
    text.pop_back();
    return text;
  }
  Books books_;
  Alarm alarm_;
  bool keep_ = true;
};

TEST_F(Answer, IsWhatTheClientReads) {
  const Reply added = parse_ledger_line(ask("add an entry"));
  EXPECT_EQ(added.kind, Reply::Kind::added);
  EXPECT_EQ(added.count, 1U);
  EXPECT_EQ(added.digest, next_digest(empty_digest, "an entry"));
  const Reply whole = parse_ledger_line(ask("digest"));
  EXPECT_EQ(whole.kind, Reply::Kind::whole);
  EXPECT_EQ(whole.count, 1U);
  EXPECT_EQ(whole.digest, added.digest);
  EXPECT_TRUE(keep_);
}

TEST_F(Answer, KeepsTheVisitorsBookApart) {
  ask("add an entry");
  EXPECT_EQ(parse_ledger_line(ask("visit mine")).digest, next_digest(empty_digest, "mine"));
  EXPECT_EQ(parse_ledger_line(ask("visits")).count, 1U);
  EXPECT_EQ(parse_ledger_line(ask("digest")).digest, next_digest(empty_digest, "an entry"));
}

TEST_F(Answer, ToNonsenseIsARefusalAndTheEndOfTheConnection) {
  const Reply reply = parse_ledger_line(ask("nonsense"));
  EXPECT_EQ(reply.kind, Reply::Kind::refused);
  EXPECT_FALSE(keep_);
}

TEST_F(Answer, TellsOfACorruptTableWhateverIsAsked) {
  alarm_.raise("page 5");
  alarm_.raise("page 6");
  EXPECT_EQ(ask("add an entry"), "corrupt page 5");
  EXPECT_EQ(parse_ledger_line(ask("digest")).kind, Reply::Kind::refused);
  EXPECT_EQ(books_.ledger.whole().count, 0U);
}

TEST(LedgerLine, ThatIsDamagedIsARefusal) {
  for (const char* line : {"", "added", "added 1", "added x y", "digest 1", "added 1 zz"}) {
    EXPECT_EQ(parse_ledger_line(line).kind, Reply::Kind::refused) << line;
  }
}

}  // namespace
}  // namespace colo::demo
