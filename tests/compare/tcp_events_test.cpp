// How connections begin and end: what two equal guests may do at other times is no difference, and
// what only one of them does is one.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/compare/two_guests.h"

namespace colo::compare {
namespace {

using frames::ack;
using frames::Ends;
using frames::fin;
using frames::rst;
using frames::Segment;
using frames::syn;

Bytes said(std::uint8_t flags, std::uint32_t seq, std::uint32_t acked, std::string text = "",
           std::uint16_t client = 50000) {
  Ends ends;
  ends.client_port = client;
  Segment segment{seq, acked, flags};
  segment.payload = std::move(text);
  return tcp(ends, segment);
}

// Seen on a visitor's connection: the guest closed first, and acknowledged the visitor's end behind
// its own FIN, which was taken for more data than the replica had said.
TEST(TcpEvents, TheAcknowledgementBehindAFinIsNoDifference) {
  TwoGuests guests;
  guests.replica(said(fin | ack, 1, 100));
  guests.primary(said(fin | ack, 1, 100));
  guests.replica(said(ack, 2, 101));
  guests.primary(said(ack, 2, 101));
  guests.primary(said(ack, 2, 101));
  EXPECT_EQ(guests.left(), (Ids{1, 2, 3}));
  guests.wait_ms(1000);
  EXPECT_EQ(guests.asked(), "");
}

TEST(TcpEvents, AFinSaidAgainWithItsDataIsTheSameFin) {
  TwoGuests guests;
  guests.replica(said(ack, 1, 100, "bye"));
  guests.replica(said(fin | ack, 4, 100));
  guests.primary(said(fin | ack, 1, 100, "bye"));
  guests.primary(said(fin | ack, 3, 100, "e"));
  guests.replica(said(fin | ack, 2, 100, "ye"));
  EXPECT_EQ(guests.left(), (Ids{1, 2}));
  guests.wait_ms(1000);
  EXPECT_EQ(guests.asked(), "");
}

// Found by fuzzing: where both had said data, a FIN counted as said by both too.
TEST(TcpEvents, AFinInsideOfWhatBothSaidIsStillAnEvent) {
  TwoGuests guests;
  guests.both(said(ack, 1, 100, "hello"));
  guests.primary(said(fin | ack, 1, 100, "he"));
  EXPECT_EQ(guests.left(), Ids{1});
  guests.wait_ms(200);
  EXPECT_EQ(guests.asked(), "silence");
  guests.checkpoint();
  guests.primary(said(fin | ack, 1, 100, "hel"));
  EXPECT_EQ(guests.left(), Ids{});
}

TEST(TcpEvents, TwoEndsMayOpenAtOnce) {
  TwoGuests guests;
  guests.replica(said(syn, 5'000, 0));
  guests.primary(said(syn, 1'000, 0));
  guests.primary(said(syn | ack, 1'000, 8));
  EXPECT_EQ(guests.left(), Ids{1});
  guests.replica(said(syn | ack, 5'000, 8));
  EXPECT_EQ(guests.left(), Ids{2});
  guests.wait_ms(1000);
  EXPECT_EQ(guests.asked(), "");
}

TEST(TcpEvents, ASynAckOfAnotherSynIsADifference) {
  TwoGuests guests;
  guests.primary(said(syn | ack, 1'000, 8));
  guests.replica(said(syn | ack, 5'000, 4'000'000'000U));
  EXPECT_EQ(guests.left(), Ids{});
  EXPECT_EQ(guests.asked(), "different-event");
}

// TCP Fast Open: what the answer acknowledges would not tell the replica's rewriter the number.
TEST(TcpEvents, ASynWithDataWaitsForTheCheckpoint) {
  TwoGuests guests;
  guests.both(said(syn, 1'000, 0, "hello"));
  EXPECT_EQ(guests.left(), Ids{});
  EXPECT_EQ(guests.asked(), "different-event");
  guests.checkpoint();
  guests.both(said(ack, 1'006, 8, "and more"));
  EXPECT_EQ(guests.left(), Ids{2});
}

TEST(TcpEvents, AResetIsOnlyTheOneWithItsNumber) {
  TwoGuests guests;
  guests.both(said(rst, 77, 0));  // both answer a stray segment
  guests.primary(said(rst | ack, 1'001, 8));
  EXPECT_EQ(guests.left(), Ids{1}) << "and this one ends the connection in one guest";
  guests.wait_ms(200);
  EXPECT_EQ(guests.asked(), "silence");
}

// Found by fuzzing: behind the checkpoint a SYN of that number had been said.
TEST(TcpEvents, AResetThatIsASynTooBeginsNothing) {
  TwoGuests guests;
  guests.primary(said(rst | syn | ack, 1'000, 9));
  guests.checkpoint();
  guests.primary(said(syn, 1'000, 0));
  EXPECT_EQ(guests.left(), Ids{});
}

TEST(TcpEvents, AResetOfBeforeTheCheckpointMayBeSaidAgain) {
  TwoGuests guests;
  guests.primary(said(rst, 1'001, 0));
  guests.checkpoint();
  guests.primary(said(rst, 1'001, 0));
  guests.primary(said(rst, 1'002, 0));
  EXPECT_EQ(guests.left(), Ids{2});
  guests.checkpoint();
  guests.replica(said(rst, 1'001, 0));
  guests.wait_ms(1000);
  EXPECT_EQ(guests.asked(), "");
}

// Its guest has forgotten the connection a little sooner, and answers what comes late with a reset.
TEST(TcpEvents, AReplicasStrayResetOfAnEndedConnectionIsNoDifference) {
  TwoGuests guests;
  guests.both(said(fin | ack, 1, 100));
  guests.both(said(ack, 2, 101));
  guests.replica(said(rst, 2, 0));
  guests.wait_ms(1000);
  EXPECT_EQ(guests.asked(), "");
  guests.primary(said(ack, 2, 102));
  guests.wait_ms(1000);
  EXPECT_EQ(guests.asked(), "silence") << "that one goes on in the primary";
  TwoGuests others;
  others.both(said(ack, 1, 100, "still open"));
  others.replica(said(rst, 11, 0));
  others.wait_ms(1000);
  EXPECT_EQ(others.asked(), "silence");
}

TEST(TcpEvents, ShortConnectionsMakeRoomForOthers) {
  ComparatorLimits limits;
  limits.flows = 16;
  TwoGuests guests(limits);
  Ids all;
  const auto both = [&](const Bytes& frame) {
    guests.replica(frame);
    all.push_back(guests.primary(frame));
  };
  both(said(ack, 1, 100, "one that stays", 1));
  for (std::uint16_t client = 2; client < 2'000; ++client) {
    const std::uint32_t isn = client * 7'000'001U;
    both(said(syn | ack, isn, 8, "", client));
    both(said(ack, isn + 1, 9, "hello", client));
    if (client % 3 == 0) {
      both(said(rst | ack, isn + 6, 9, "", client));
    } else {
      both(said(fin | ack, isn + 6, 9, "", client));
      both(said(ack, isn + 7, 10, "", client));
    }
    frames::Ends question;
    question.client_port = client;
    both(frames::udp(question, "a question"));
  }
  both(said(ack, 15, 100, "goes on", 1));
  EXPECT_EQ(guests.left(), all);
  EXPECT_EQ(guests.asked(), "");
  EXPECT_LE(guests.comparator.figures().flows, 16U);
  EXPECT_EQ(guests.comparator.figures().surplus.bytes, 0U);
  guests.primary(said(ack, 1, 100, "one that stays", 1));
  EXPECT_EQ(guests.left().size(), 1U) << "nothing of it was forgotten";
}

TEST(TcpEvents, WhatMadeRoomIsRememberedAndItsPortsMayBeUsedAgain) {
  ComparatorLimits limits;
  limits.flows = 2;
  TwoGuests guests(limits);
  guests.both(said(syn | ack, 1'000, 8));
  guests.both(said(fin | ack, 1'001, 9));
  for (const auto client : {std::uint16_t{7}, std::uint16_t{8}})
    guests.both(said(rst, 1, 0, "", client));
  EXPECT_EQ(guests.left(), (Ids{1, 2, 3, 4}));
  guests.primary(said(fin | ack, 1'001, 9));
  EXPECT_EQ(guests.left(), Ids{5}) << "said again";
  guests.primary(said(ack, 1'002, 10));
  EXPECT_EQ(guests.left(), Ids{}) << "acknowledges more than the replica has";
  guests.replica(said(ack, 1'002, 10));
  EXPECT_EQ(guests.left(), Ids{6});
  guests.replica(said(syn | ack, 77, 500));  // the replica's own number
  guests.primary(said(syn | ack, 900, 500));
  guests.both(said(ack, 901, 501, "again"));
  EXPECT_EQ(guests.left(), (Ids{7, 8}));
  EXPECT_EQ(guests.asked(), "");
}

// A round that is not committed yet has said older things on these ports.
TEST(TcpEvents, WhatMadeRoomHidesWhatAnEarlierRoundSaid) {
  ComparatorLimits limits;
  limits.flows = 1;
  TwoGuests guests(limits);
  guests.both(said(syn | ack, 4'000'000'000U, 8));
  guests.both(said(ack, 4'000'000'001U, 3'000'000'000U, "first life"));
  guests.comparator.cut(Epoch{3});
  guests.comparator.cut(Epoch{4});
  guests.open = Epoch{4};
  guests.comparator.committed(Epoch{3});
  EXPECT_EQ(guests.left(), (Ids{1, 2}));
  guests.both(said(syn | ack, 1'000, 8));
  guests.both(said(rst | ack, 1'001, 9));
  guests.both(said(rst, 1, 0, "", 7));
  EXPECT_EQ(guests.left(), (Ids{3, 4, 5}));
  guests.primary(said(ack, 1'001, 2'900'000'000U));
  EXPECT_EQ(guests.left(), Ids{}) << "what the first life acknowledged says nothing here";
}

// One connection from its SYN-ACK to its end, told by two guests in their own ways, from a seed.
class TwoSessions : public ::testing::TestWithParam<std::uint64_t> {
 protected:
  enum class End { closes, resets, closes_early, stays };

  [[nodiscard]] std::uint32_t pick(std::uint32_t below) {
    return static_cast<std::uint32_t>(random_() % below);
  }
  [[nodiscard]] bool maybe() { return pick(3) == 0; }

  std::vector<Bytes> tell(const std::string& text, std::uint32_t isn, End end) {
    std::vector<Bytes> told;
    const auto add = [&](std::uint8_t flags, std::uint32_t seq, std::uint32_t acked,
                         const std::string& payload = "") {
      Segment segment{seq, acked, flags, payload, static_cast<std::uint16_t>(pick(60'000))};
      told.push_back(tcp(ends_, segment, {static_cast<std::uint16_t>(pick(9)), 64, 0}));
    };
    const std::uint32_t data = first_ + 1;
    const auto size = static_cast<std::uint32_t>(text.size()) - (end == End::closes_early ? 1 : 0);
    for (std::uint32_t i = 0; i < 1 + pick(3); ++i) add(syn | ack, isn, 500);
    std::uint32_t acked = 500;
    const auto more = [&] { return acked += pick(900 - acked + 1); };
    bool ended = false;
    for (std::uint32_t at = 0; at < size;) {
      const std::uint32_t step = std::min(size - at, 1 + pick(300));
      const bool last = at + step == size && end != End::resets && end != End::stays && maybe();
      add(last ? fin | ack : ack, data + at, more(), text.substr(at, step));
      ended = ended || last;
      at += step;
      if (maybe()) {  // a retransmission, perhaps of more than was one segment
        const std::uint32_t from = pick(at);
        add(ack, data + from, acked, text.substr(from, 1 + pick(at - from)));
      }
      if (maybe()) add(ack, data + at, more());                     // an acknowledgement
      if (maybe()) add(ack, data + at - 1, acked);                  // keep-alive, window probe
      if (maybe()) add(ack, data + at - 1, acked, {text[at - 1]});  // of an older kind
    }
    if (end == End::resets) {
      add(ack, data + size, 900);
      for (std::uint32_t i = 0; i < 1 + pick(2); ++i) add(rst | ack, data + size, 900);
      return told;
    }
    add(ack, data + size - (ended ? 0 : pick(2)), 900);
    if (end == End::stays) return told;
    if (!ended) add(fin | ack, data + size, 900);
    for (std::uint32_t i = 0; i < pick(3); ++i) {  // said again: alone, or with what is before it
      const std::uint32_t back = std::min(size, pick(20));
      add(fin | ack, data + size - back, 900, text.substr(size - back, back));
    }
    for (std::uint32_t i = 0; i < 1 + pick(3); ++i) add(ack, data + size + 1, 900 + pick(2));
    add(ack, data + size + 1, 901);
    return told;
  }

  void run(End ours, End theirs) {
    std::string text(2 + pick(3000), ' ');
    for (char& c : text) c = static_cast<char>(random_());
    const std::vector<Bytes> primary = tell(text, first_, ours);
    const std::vector<Bytes> replica = tell(text, first_ + 99, theirs);
    std::size_t i = 0;
    std::size_t j = 0;
    while (i < primary.size() || j < replica.size()) {
      if (j == replica.size() || (i < primary.size() && maybe())) {
        guests_.primary(primary[i++]);
      } else {
        guests_.replica(replica[j++]);
      }
    }
    sent_ = primary.size();
    left_ = guests_.left().size();
    guests_.wait_ms(200);
    asked_ = guests_.asked();
  }

  std::mt19937_64 random_{GetParam()};
  // Near the wrap in every other seed.
  const std::uint32_t first_ = static_cast<std::uint32_t>(
      GetParam() % 2 == 0 ? 0xfffff800U + GetParam() : GetParam() * 1'000'003U);
  const Ends ends_{
      GetParam() % 3 == 0, true,
      GetParam() % 5 == 0 ? std::vector<std::uint16_t>{9} : std::vector<std::uint16_t>{}};
  TwoGuests guests_;
  std::size_t sent_ = 0, left_ = 0;
  std::string asked_;
};

TEST_P(TwoSessions, EqualOnesAreReleasedWholeAndAskForNothing) {
  run(End::closes, End::closes);
  EXPECT_EQ(asked_, "");
  EXPECT_EQ(left_, sent_);
  EXPECT_EQ(guests_.comparator.figures().held.packets, 0U);
}

TEST_P(TwoSessions, EqualResetsToo) {
  run(End::resets, End::resets);
  EXPECT_EQ(asked_, "");
  EXPECT_EQ(left_, sent_);
}

TEST_P(TwoSessions, AnotherEndIsFoundAndDoesNotLeave) {
  const End ends[] = {End::closes, End::resets, End::closes_early, End::stays};
  const End ours = ends[pick(4)];
  End theirs = ends[pick(4)];
  if (theirs == ours) theirs = ours == End::closes ? End::stays : End::closes;
  run(ours, theirs);
  EXPECT_TRUE(asked_ == "silence" || asked_ == "different-event") << asked_;
  if (ours != End::stays) {
    EXPECT_LT(left_, sent_);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, TwoSessions, ::testing::Range<std::uint64_t>(1, 201));

}  // namespace
}  // namespace colo::compare
