// The client against ledgers that behave, break off, and forget.
#include "demo/client.h"

#include <gmock/gmock.h>

#include <deque>

#include "demo/ledger/book.h"

namespace colo::demo {
namespace {

// A ledger in this process. Threads: the client's; what the test changes is atomic.
struct Ledger {
  std::atomic<bool> broken = false;
  std::atomic<bool> mute = false;
  std::atomic<bool> forgetful = false;  // tells of an empty book in the end
};

class ShortWay final : public Transport {
 public:
  explicit ShortWay(Ledger& ledger) : ledger_(ledger) {}
  Result<void> connect() override { return {}; }
  [[nodiscard]] std::size_t window() const override { return 4; }
  Result<void> send_entry(const std::string& entry) override {
    const BookMark mark = book_.add(entry);
    replies_.push_back({Reply::Kind::added, mark.count, mark.digest, {}});
    return {};
  }
  Result<void> ask_whole() override {
    const BookMark mark = ledger_.forgetful ? BookMark{} : book_.whole();
    replies_.push_back({Reply::Kind::whole, mark.count, mark.digest, {}});
    return {};
  }
  Result<std::optional<Reply>> receive(std::chrono::milliseconds patience) override {
    if (ledger_.broken) return fail("reset", "broken by the test");
    if (ledger_.mute || replies_.empty()) {
      std::this_thread::sleep_for(patience);
      return std::nullopt;
    }
    const Reply reply = replies_.front();
    replies_.pop_front();
    return reply;
  }

 private:
  Ledger& ledger_;
  Book book_;
  std::deque<Reply> replies_;
};

class ClientTest : public testing::Test {
 protected:
  template <class Condition>
  void wait_for(Condition condition) {
    while (!condition()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  Ledger ledger_;
  Client client_{std::make_unique<ShortWay>(ledger_)};
};

TEST_F(ClientTest, ConversesAndComparesTheWholeDigest) {
  wait_for([&] { return client_.figures().acknowledged >= 3; });
  EXPECT_GE(client_.replies_since(0), 3U);
  EXPECT_TRUE(client_.first_reply_since(0).has_value());
  EXPECT_FALSE(client_.first_reply_since(INT64_MAX).has_value());
  client_.finish();
  const ClientFigures figures = client_.figures();
  EXPECT_EQ(figures.connections, 1U);
  EXPECT_EQ(figures.resets, 0U);
  EXPECT_EQ(figures.unanswered, 0U);
  EXPECT_EQ(figures.lost + figures.wrong, 0U);
  EXPECT_TRUE(figures.whole_fits);
  EXPECT_GT(figures.longest_gap_ms, 0);
}

TEST_F(ClientTest, CountsAResetAndNeverConnectsAgain) {
  wait_for([&] { return client_.figures().acknowledged >= 1; });
  ledger_.broken = true;
  wait_for([&] { return client_.broken(); });
  client_.finish();
  const ClientFigures figures = client_.figures();
  EXPECT_EQ(figures.connections, 1U);
  EXPECT_EQ(figures.resets, 1U);
  EXPECT_FALSE(figures.whole_fits);
  EXPECT_THAT(figures.trouble, testing::HasSubstr("broken by the test"));
}

TEST_F(ClientTest, CountsWhatTheGuestForgot) {
  wait_for([&] { return client_.figures().acknowledged >= 3; });
  ledger_.forgetful = true;
  client_.finish();
  const ClientFigures figures = client_.figures();
  EXPECT_EQ(figures.lost, figures.acknowledged);
  EXPECT_FALSE(figures.whole_fits);
}

TEST_F(ClientTest, FillsItsWindowAndNoMoreWhileNobodyAnswers) {
  wait_for([&] { return client_.figures().acknowledged >= 1; });
  ledger_.mute = true;
  wait_for([&] { return client_.figures().unanswered == 4; });
  const std::uint64_t before = client_.figures().acknowledged;
  const double gap = client_.figures().longest_gap_ms;
  wait_for([&] { return client_.figures().longest_gap_ms > gap + 30; });
  EXPECT_EQ(client_.figures().unanswered, 4U);
  EXPECT_EQ(client_.figures().acknowledged, before);
  ledger_.mute = false;
  client_.finish();
  EXPECT_TRUE(client_.figures().whole_fits);
}

}  // namespace
}  // namespace colo::demo
