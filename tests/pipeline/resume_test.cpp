// Sessions that are cut at any byte and resumed, against the memory of a guest that writes at
// random: after each commit the secondary's memory is bit-equal to the guest's at that standstill.
#include <map>
#include <random>

#include "tests/pipeline/pipeline.h"

namespace colo::pipeline {
namespace {

// Memory that only the test writes, with the tracking of the guest's contract. One region is
// mapped, one lives in the guest's process.
class PlainGuest final : public guest::Guest {
 public:
  PlainGuest() {
    identity_.layout = {{"ram", 600, true}, {"video", 70, false}};
    for (const RegionLayout& region : identity_.layout) {
      memory.emplace_back(region.pages * page_bytes);
      dirty_.emplace_back(region.pages);
    }
  }

  void write(PageId page, std::uint64_t content) {
    const MutableBytes bytes =
        MutableBytes(memory[page.region]).subspan(page.page * page_bytes, page_bytes);
    for (std::size_t i = 0; i < page_bytes; i += sizeof content) {
      std::memcpy(bytes.data() + i, &content, sizeof content);
    }
    dirty_[page.region].set(page.page);
  }

  const guest::Identity& identity() const override { return identity_; }
  MutableBytes mapping(RegionIndex region) override {
    return region == 0 ? MutableBytes(memory[0]) : MutableBytes();
  }
  Result<void> pause() override { return {}; }
  Result<std::optional<guest::Standstill>> resume() override {
    return std::optional<guest::Standstill>();
  }
  Result<void> start_tracking() override {
    for (std::size_t i = 0; i < dirty_.size(); ++i) dirty_[i].set_range(0, dirty_[i].size());
    return {};
  }
  Result<void> scan(guest::DirtyPages& dirty) override {
    if (scan_fails) return fail("scan-failed", "asked by the test");
    for (std::size_t i = 0; i < dirty_.size(); ++i) {
      dirty[i].unite(dirty_[i]);
      dirty_[i].clear_all();
    }
    return {};
  }
  Result<void> read_pages(RegionIndex region, std::span<const PageIndex> pages,
                          MutableBytes out) override {
    for (std::size_t i = 0; i < pages.size(); ++i) {
      std::memcpy(out.data() + i * page_bytes, memory[region].data() + pages[i] * page_bytes,
                  page_bytes);
    }
    return {};
  }
  Result<void> write_page(RegionIndex region, PageIndex page, ByteView bytes) override {
    std::memcpy(memory[region].data() + page * page_bytes, bytes.data(), page_bytes);
    return {};
  }
  Result<Bytes> save_device_state() override {
    if (save_fails) return fail("save-failed", "asked by the test");
    return Bytes(300, std::byte{7});
  }
  Result<void> load_device_state(ByteView) override { return {}; }
  Result<void> announce() override { return {}; }
  std::span<const guest::PacketPort> ports() const override { return {}; }
  int end_fd() const override { return -1; }
  guest::End end() override { return {}; }

  std::vector<Bytes> memory;
  bool save_fails = false;
  bool scan_fails = false;

 private:
  guest::Identity identity_;
  guest::DirtyPages dirty_;
};

// A lane that takes some frames more before it breaks; the guest writes between any two.
class BreakingLane final : public primary::FrameSink {
 public:
  explicit BreakingLane(std::function<void()> between) : between_(std::move(between)) {}
  Result<void> push(Bytes frame) override {
    between_();
    if (left == 0) return fail("lane-ended", "asked by the test");
    --left;
    frames.push_back(std::move(frame));
    return {};
  }
  std::deque<Bytes> frames;
  std::uint64_t left = 0;

 private:
  std::function<void()> between_;
};

class Resume : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  void SetUp() override { target_.set(standby_); }

  [[nodiscard]] std::uint64_t pick(std::uint64_t below) { return random_() % below; }

  void write_some(std::uint64_t most) {
    for (std::uint64_t i = pick(most + 1); i > 0; --i) {
      const PageId page = pick(8) == 0 ? PageId{1, pick(70)} : PageId{0, pick(600)};
      guest_.write(page, pick(4) == 0 ? 0 : ++content_);
    }
  }

  // --- what both cores would do ---------------------------------------------------------------

  // The secondary asks with what it has; the primary takes the base if it is one of its own.
  void join() {
    std::optional<primary::Base> base;
    if (cache_ && pick(20) != 0) {
      base = primary::Base{held_token_, cache_->committed(), {}};
      if (base->epoch == Epoch{}) base->pages = cache_->held_pages(1 + pick(ranges_max));
    }
    const bool fits =
        base && base->token == token_ &&
        (base->epoch == committed_ || (captured_ == committed_.next() && base->epoch == captured_));
    primary::CaptureOptions options;
    options.now = [] { return Instant{}; };
    if (fits) {
      options.base = base;
      committed_ = base->epoch;
      ++resumed_;
    } else {
      token_[0] = static_cast<std::byte>(++tokens_);
      token_[1] = static_cast<std::byte>(tokens_ >> 8);
      options.token = token_;
      committed_ = {};
      const MemoryLayout& layout = guest_.identity().layout;
      cache_ = std::make_unique<cache::Cache>(layout, std::vector<bool>{false, true},
                                              cache::CacheLimits{});
      cache_->write_through(&target_);
      held_token_ = token_;
    }
    captured_ = committed_;
    stager_ = std::make_unique<secondary::Stager>(*cache_, guest_.identity().layout, generation_,
                                                  committed_);
    decoder_ = wire::FrameDecoder();
    lane_.frames.clear();
    // Most first copies are cut more than once.
    lane_.left = committed_ == Epoch{} && pick(6) != 0 ? pick(4) : pick(60);
    capturer_ = std::make_unique<primary::Capturer>(guest_, lineage_, lane_, generation_, options);
  }

  // One epoch; false when the session is over.
  [[nodiscard]] bool checkpoint(bool first) {
    const Epoch epoch = committed_.next();
    for (std::uint64_t passes = 1 + pick(3); passes > 0; --passes) {
      write_some(40);
      guest_.scan_fails = pick(60) == 0;
      const auto passed = capturer_->pass(epoch, std::exchange(first, false));
      guest_.scan_fails = false;
      if (!passed) {
        // Its tracking failed before; now the primary knows that only a whole copy will do.
        if (passed.error().word == "no-such-base") token_ = {};
        return false;
      }
    }
    guest_.save_fails = pick(6) == 0;  // given up once: the epoch stays open
    write_some(40);
    auto figures = capturer_->capture(epoch, [&] { at_cut_[epoch] = guest_.memory; });
    if (!figures && figures.error().word == "save-failed") {
      guest_.save_fails = false;
      write_some(40);
      figures = capturer_->capture(epoch, [&] { at_cut_[epoch] = guest_.memory; });
    }
    guest_.save_fails = false;
    if (!figures) return false;
    captured_ = epoch;
    if (pick(8) == 0) return false;  // lost while all of it was under way
    deliver(~std::uint64_t{0});
    if (pick(8) == 0) return false;  // the acknowledgement alone was lost
    EXPECT_EQ(cache_->committed(), epoch);
    committed_ = epoch;
    return true;
  }

  // What still arrives of a session that was cut, to any byte.
  void deliver(std::uint64_t bytes) {
    while (!lane_.frames.empty() && bytes > 0) {
      ByteView frame = lane_.frames.front();
      frame = frame.first(std::min<std::uint64_t>(bytes, frame.size()));
      bytes -= frame.size();
      decoder_.feed(frame);
      for (;;) {
        const auto next = decoder_.next();
        ASSERT_TRUE(next) << next.error().text();
        if (!*next) break;
        const auto complete = stager_->take(**next);
        ASSERT_TRUE(complete) << complete.error().text();
        if (*complete) {
          const auto committed = cache_->commit(**complete);
          ASSERT_TRUE(committed) << committed.error().text();
          if (pick(2) == 0) expect_bit_equal();
        }
      }
      lane_.frames.pop_front();
    }
  }

  void end_session() {
    std::uint64_t under_way = 0;
    for (const Bytes& frame : lane_.frames) under_way += frame.size();
    if (under_way > 0) deliver(pick(under_way + 1));
    cache_->end_session();
    write_some(100);
    if (pick(4) == 0) replace_standby();
  }

  // The memory that lived in its process goes away with it.
  void replace_standby() {
    std::fill(standby_->memory[1].begin(), standby_->memory[1].end(), std::byte{0x6a});
    cache_->mark_diverged({1, 0}, 70);
  }

  void expect_bit_equal() {
    const auto flushed = cache_->flush(target_);
    ASSERT_TRUE(flushed) << flushed.error().text();
    const auto& expected = at_cut_[cache_->committed()];
    for (RegionIndex region = 0; region < expected.size(); ++region) {
      for (PageIndex page = 0; page < expected[region].size() / page_bytes; ++page) {
        const std::size_t at = page * page_bytes;
        ASSERT_EQ(std::memcmp(standby_->memory[region].data() + at, expected[region].data() + at,
                              page_bytes),
                  0)
            << "seed " << GetParam() << ", checkpoint " << cache_->committed().value << ", region "
            << region << ", page " << page;
      }
    }
    ++compared_;
  }

  static constexpr std::uint64_t ranges_max = 3;
  const Generation generation_{2};
  std::mt19937_64 random_{GetParam()};
  std::uint64_t content_ = 0;
  PlainGuest guest_;
  primary::Lineage lineage_{guest_.identity().layout};
  std::shared_ptr<PlainGuest> standby_ = std::make_shared<PlainGuest>();
  secondary::GuestMemory target_;
  BreakingLane lane_{[this] { write_some(3); }};
  wire::FrameDecoder decoder_;
  std::unique_ptr<primary::Capturer> capturer_;
  std::unique_ptr<cache::Cache> cache_;
  std::unique_ptr<secondary::Stager> stager_;
  std::map<Epoch, std::vector<Bytes>> at_cut_;
  wire::Token token_{}, held_token_{};
  std::uint64_t tokens_ = 0;
  Epoch committed_, captured_;  // as the primary's core knows them
  int resumed_ = 0;
  int compared_ = 0;
};

TEST_P(Resume, EveryCommittedCheckpointIsBitEqual) {
  for (int i = 0; i < 200; ++i) {
    join();
    bool first = true;
    while (checkpoint(std::exchange(first, false))) {
      ASSERT_FALSE(HasFatalFailure());
    }
    end_session();
    ASSERT_FALSE(HasFatalFailure());
    if (cache_->committed() > Epoch{} && pick(2) == 0) expect_bit_equal();
    ASSERT_FALSE(HasFatalFailure());
  }
  EXPECT_GT(resumed_, 60);
  EXPECT_GT(compared_, 20);
}

INSTANTIATE_TEST_SUITE_P(Seeds, Resume, ::testing::Range<std::uint64_t>(1, 13));

}  // namespace
}  // namespace colo::pipeline
