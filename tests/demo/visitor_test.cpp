// The visitor against books that behave, refuse, break off, and forget.
#include "demo/visitor.h"

#include <gmock/gmock.h>

#include "demo/ledger/book.h"

namespace colo::demo {
namespace {

// A guest in this process. Threads: the visitor's; what the test changes is atomic.
struct Guest {
  Book visitors;
  std::atomic<int> open = 0, opened = 0, knocked = 0;
  std::atomic<bool> away = false, refusing = false, mute = false, broken = false;
  std::atomic<bool> forgetful = false;
};

class OneVisit final : public Transport {
 public:
  explicit OneVisit(Guest& guest) : guest_(guest) {}
  ~OneVisit() override { guest_.open -= connected_ ? 1 : 0; }
  Result<void> connect() override {
    if (guest_.refusing) return fail("refused", "by the test");
    if (guest_.away) {
      guest_.knocked += 1;
      return fail("no-answer", "by the test");
    }
    connected_ = true;
    guest_.open += 1;
    guest_.opened += 1;
    return {};
  }
  [[nodiscard]] std::size_t window() const override { return 1; }
  Result<void> send_entry(const std::string& entry) override {
    const BookMark mark = guest_.visitors.add(entry);
    reply_ = Reply{Reply::Kind::added, mark.count, mark.digest, {}};
    return {};
  }
  Result<void> ask_whole() override {
    const BookMark mark = guest_.forgetful ? BookMark{} : guest_.visitors.whole();
    reply_ = Reply{Reply::Kind::whole, mark.count, mark.digest, {}};
    return {};
  }
  Result<std::optional<Reply>> receive(std::chrono::milliseconds patience) override {
    if (guest_.broken) return fail("reset", "broken by the test");
    if (!guest_.mute && reply_) return std::exchange(reply_, std::nullopt);
    std::this_thread::sleep_for(patience);
    return std::nullopt;
  }

 private:
  Guest& guest_;
  bool connected_ = false;
  std::optional<Reply> reply_;
};

class VisitorTest : public testing::Test {
 protected:
  template <class Condition>
  void wait_for(Condition condition) {
    while (!condition()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  Guest guest_;
  Visitor visitor_{[this] { return std::make_unique<OneVisit>(guest_); }};
};

TEST_F(VisitorTest, OpensAConnectionForEachEntryAndClosesIt) {
  wait_for([&] { return visitor_.visits_since(0) >= 3; });
  EXPECT_LE(guest_.open, 1);
  visitor_.finish();
  const VisitFigures figures = visitor_.figures();
  EXPECT_EQ(guest_.open, 0);
  EXPECT_EQ(figures.connections, figures.acknowledged + 1) << "one more asks for the whole digest";
  EXPECT_EQ(figures.connections, static_cast<std::uint64_t>(guest_.opened));
  EXPECT_EQ(figures.acknowledged, visitor_.visits_since(0));
  EXPECT_EQ(figures.resets + figures.lost + figures.wrong + figures.unanswered, 0U);
  EXPECT_TRUE(figures.whole_fits);
  EXPECT_EQ(visitor_.visits_since(INT64_MAX), 0U);
  EXPECT_TRUE(visitor_.visit_times(0, INT64_MAX).has_value());
}

TEST_F(VisitorTest, KnocksAgainWhereNobodyAnswers) {
  wait_for([&] { return visitor_.visits_since(0) >= 1; });
  guest_.away = true;
  wait_for([&] { return guest_.knocked >= 2; });
  const std::uint64_t before = visitor_.visits_since(0);
  guest_.away = false;
  wait_for([&] { return visitor_.visits_since(0) > before; });
  EXPECT_EQ(visitor_.figures().resets, 0U);
}

TEST_F(VisitorTest, CountsARefusalAsAResetAndVisitsNoMore) {
  wait_for([&] { return visitor_.visits_since(0) >= 1; });
  guest_.refusing = true;
  wait_for([&] { return visitor_.broken(); });
  visitor_.finish();
  EXPECT_EQ(visitor_.figures().resets, 1U);
  EXPECT_FALSE(visitor_.figures().whole_fits);
  EXPECT_THAT(visitor_.figures().trouble, testing::HasSubstr("refused: by the test"));
}

TEST_F(VisitorTest, CountsAVisitThatBreaks) {
  wait_for([&] { return visitor_.visits_since(0) >= 1; });
  guest_.mute = true;
  wait_for([&] { return visitor_.figures().unanswered == 1; });
  guest_.broken = true;
  wait_for([&] { return visitor_.broken(); });
  visitor_.finish();
  EXPECT_EQ(visitor_.figures().resets, 1U);
  EXPECT_EQ(visitor_.figures().unanswered, 1U);
  EXPECT_FALSE(visitor_.figures().whole_fits);
}

TEST_F(VisitorTest, CountsWhatTheGuestForgot) {
  wait_for([&] { return visitor_.visits_since(0) >= 2; });
  guest_.forgetful = true;
  visitor_.finish();
  EXPECT_EQ(visitor_.figures().lost, visitor_.figures().acknowledged);
  EXPECT_FALSE(visitor_.figures().whole_fits);
}

}  // namespace
}  // namespace colo::demo
