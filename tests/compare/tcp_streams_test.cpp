// Two guests say one stream in segments, retransmissions and orders of their own, from a seed.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "tests/compare/two_guests.h"

namespace colo::compare {
namespace {

struct Piece {
  std::size_t from = 0;
  std::string text;
};

class TwoStreams : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  [[nodiscard]] std::size_t pick(std::size_t below) { return random_() % below; }

  std::string stream() {
    std::string text(1 + pick(6000), ' ');
    for (char& c : text) c = static_cast<char>(random_());
    return text;
  }

  // Covers the stream: cut anywhere, neighbours swapped now and then, parts said twice.
  std::vector<Piece> said(const std::string& text) {
    std::vector<Piece> pieces;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t size = std::min(text.size() - at, 1 + pick(pick(2) == 0 ? 40 : 1460));
      pieces.push_back({at, text.substr(at, size)});
      at += size;
      if (pick(5) == 0) {
        const std::size_t from = pick(at);
        pieces.push_back({from, text.substr(from, 1 + pick(at - from))});
      }
    }
    for (std::size_t i = 2; i < pieces.size(); ++i) {
      if (pick(6) == 0) std::swap(pieces[i - 1], pieces[i]);
    }
    return pieces;
  }

  Bytes frame(const Piece& piece) {
    frames::Segment segment{first_ + 1 + static_cast<std::uint32_t>(piece.from), 100};
    segment.payload = piece.text;
    return tcp(ends_, segment);
  }

  // In any interleaving. Nothing that left says what the replica had not said then.
  void run(const std::string& ours, const std::string& theirs) {
    guests_.primary(tcp(ends_, {first_, 100, frames::syn | frames::ack}));
    guests_.replica(tcp(ends_, {first_ + 12345, 100, frames::syn | frames::ack}));
    const std::vector<Piece> primary = said(ours);
    const std::vector<Piece> replica = said(theirs);
    std::string heard(theirs.size(), '\0');
    std::vector<bool> known(theirs.size());
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < primary.size() || j < replica.size()) {
      if (j == replica.size() || (i < primary.size() && pick(2) == 0)) {
        sent_.emplace(guests_.primary(frame(primary[i])), primary[i]);
        ++i;
      } else {
        guests_.replica(frame(replica[j]));
        for (std::size_t k = 0; k < replica[j].text.size(); ++k) {
          known[replica[j].from + k] = true;
          heard[replica[j].from + k] = replica[j].text[k];
        }
        ++j;
      }
      for (const std::uint64_t id : guests_.left()) {
        ++left_;
        if (id == 1) continue;
        const Piece& piece = sent_.at(id);
        for (std::size_t k = 0; k < piece.text.size(); ++k) {
          ASSERT_TRUE(known[piece.from + k]) << "seed " << GetParam() << ", frame " << id;
          ASSERT_EQ(heard[piece.from + k], piece.text[k]) << "seed " << GetParam();
        }
      }
    }
  }

  std::mt19937_64 random_{GetParam()};
  // Near the wrap in every other seed.
  const std::uint32_t first_ = static_cast<std::uint32_t>(
      GetParam() % 2 == 0 ? 0xfffff000U + GetParam() : GetParam() * 1'000'003U);
  const frames::Ends ends_{GetParam() % 3 == 0, true, {}};
  TwoGuests guests_;
  std::map<std::uint64_t, Piece> sent_;
  std::size_t left_ = 0;
};

TEST_P(TwoStreams, EqualOnesAreReleasedWhole) {
  const std::string text = stream();
  run(text, text);
  EXPECT_EQ(left_, sent_.size() + 1) << "seed " << GetParam();
  EXPECT_EQ(guests_.asked(), "");
  const CompareFigures figures = guests_.comparator.figures();
  EXPECT_EQ(figures.held.packets, 0U);
  EXPECT_EQ(figures.held.bytes, 0U);
  EXPECT_EQ(figures.surplus.bytes, 0U);
  EXPECT_FALSE(guests_.comparator.deadline());
}

TEST_P(TwoStreams, OneChangedByteIsFoundAndNeverLeaves) {
  const std::string text = stream();
  std::string other = text;
  char& changed = other[pick(other.size())];
  changed = static_cast<char>(changed ^ (1 << pick(8)));
  run(text, other);
  EXPECT_EQ(guests_.asked(), "different-payload") << "seed " << GetParam();
}

TEST_P(TwoStreams, OneByteMoreIsAskedForByItsSilence) {
  const std::string text = stream();
  run(text, text + "x");
  EXPECT_EQ(guests_.asked(), "");
  ASSERT_TRUE(guests_.comparator.deadline());
  guests_.wait_ms(201);
  EXPECT_EQ(guests_.asked(), "silence");
}

INSTANTIATE_TEST_SUITE_P(Seeds, TwoStreams, ::testing::Range<std::uint64_t>(1, 301));

}  // namespace
}  // namespace colo::compare
