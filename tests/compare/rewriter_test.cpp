// What a replica's connections look like to their clients, and its clients to it.
#include "compare/rewriter.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/compare/rewriting.h"

namespace colo::compare {
namespace {

using frames::ack;
using frames::Ends;
using frames::fin;
using frames::read_tcp;
using frames::rst;
using frames::Segment;
using frames::syn;

INSTANTIATE_TEST_SUITE_P(Ip, Rewriting, ::testing::Values(false, true));

TEST_P(Rewriting, AConnectionThatAClientOpens) {
  client_opens();
  const Segment hello = out(stamped({0xffffff01U, 78, ack, "hello"}, 499'750, 9001));
  EXPECT_EQ(hello.seq, 1'000'001U);
  EXPECT_EQ(hello.ack, 78U);
  EXPECT_EQ(hello.timestamps->first, 500'050U);
  EXPECT_EQ(hello.timestamps->second, 9001U);
  EXPECT_EQ(hello.payload, "hello");
  const Segment again = out({0xffffff00U, 78, syn | ack});
  EXPECT_EQ(again.seq, 1'000'000U) << "its SYN-ACK said again, from behind";
}

TEST_P(Rewriting, AConnectionThatTheGuestOpens) {
  EXPECT_EQ(out(stamped({42, 0, syn}, 300, 0)).seq, 42U);
  const Segment answer = in(stamped({5000, 4'000'000'001U, syn | ack}, 8000, 700));
  EXPECT_EQ(answer.ack, 43U);
  EXPECT_EQ(answer.timestamps->second, 300U);
  EXPECT_EQ(out({43, 5001}).seq, 4'000'000'001U);
}

TEST_P(Rewriting, ARefusalReachesTheReplica) {
  out({42, 0, syn});
  EXPECT_EQ(in({0, 1001, rst | ack}).ack, 43U);
}

TEST_P(Rewriting, SacksAndOddPlaces) {
  client_opens();
  for (std::size_t odd = 0; odd < 4; ++odd) {
    Segment segment = stamped({78, 1'000'101}, 9002, 500'010);
    segment.odd = odd;
    segment.sacks = {{1'000'201, 1'000'301}, {1'000'401, 1'000'501}};
    const Segment read = in(segment);
    EXPECT_EQ(read.ack, 0xffffff65U);
    ASSERT_EQ(read.sacks.size(), 2U);
    EXPECT_EQ(read.sacks[0], std::pair(0xffffffc9U, 0x2dU)) << "across the wrap";
    EXPECT_EQ(read.timestamps->second, 499'710U);
  }
}

TEST_P(Rewriting, WhatTheCheckpointHoldsPasses) {
  const Segment segment = stamped({1, 2, ack, "x"}, 10, 20);
  EXPECT_EQ(out(segment).seq, 1U);
  EXPECT_EQ(out(segment).timestamps, segment.timestamps);
  EXPECT_EQ(in(segment).ack, 2U);
  EXPECT_EQ(rewriter_.flows(), 0U);
}

TEST_P(Rewriting, ANewIncarnationKnowsNothing) {
  client_opens();
  rewriter_.reset();
  EXPECT_EQ(out({1'000'001, 78}).seq, 1'000'001U);
}

TEST_P(Rewriting, AConnectionOnUsedPortsIsAnotherOne) {
  client_opens();
  Numbers second;
  second.replica = 31;
  second.primary = 90'000;
  client_opens(second);
  EXPECT_EQ(out({32, 78}).seq, 90'001U);
}

// RFC 7323: the client drops a segment whose timestamp is older than the newest it has seen.
TEST_P(Rewriting, AfterATakeoverTheClientsPawsAcceptsTheReplica) {
  client_opens();
  const std::uint32_t newest = 600'000;  // the primary's last, seen by the client
  rewriter_.takeover();
  // The replica's clock was started 0.9 s later.
  const Segment first = out(stamped({0xffffff01U, 78, ack, "hello"}, 598'800, 9001));
  EXPECT_EQ(first.seq, 1'000'001U) << "it keeps its shift";
  EXPECT_GE(static_cast<std::int32_t>(first.timestamps->first - newest), 0);
  // An echo that was under way then, and one of after it.
  EXPECT_EQ(in(stamped({78, 1'000'001}, 9500, newest)).timestamps->second, 599'700U);
  EXPECT_EQ(in(stamped({78, 1'000'006}, 9600, first.timestamps->first)).timestamps->second,
            598'800U);
}

// The client's check itself, whatever the replica lags behind and whoever speaks when.
TEST_P(Rewriting, TheClientsTimestampCheckAcceptsEverySegmentAcrossATakeover) {
  std::mt19937_64 random(7);
  const auto any = [&](std::uint32_t below) {
    return static_cast<std::uint32_t>(random()) % below;
  };
  for (int round = 0; round < 200; ++round) {
    rewriter_.reset();
    ends_.client_port = static_cast<std::uint16_t>(round);
    Numbers n;
    n.primary_clock = static_cast<std::uint32_t>(random());
    const std::uint32_t lag = any(Rewriter::takeover_ticks);
    n.replica_clock = n.primary_clock - lag;
    const bool old = round % 2 == 0;  // the checkpoint holds it, numbers and clock
    if (old) n.replica = n.primary;
    if (!old) client_opens(n);
    std::uint32_t recent = n.primary_clock;  // RFC 7323: TS.Recent
    std::uint32_t now = 0;
    for (int i = 0; i < 5; ++i) recent = n.primary_clock + (now += any(300));
    rewriter_.takeover();
    for (int i = 0; i < 10; ++i) {
      const std::uint32_t sent = n.replica_clock + (now += any(300));
      const Segment said = out(stamped({n.replica + 1, 78, ack, "x"}, sent, 9001));
      ASSERT_GE(static_cast<std::int32_t>(said.timestamps->first - recent), 0) << "round " << round;
      recent = said.timestamps->first;
      const Segment back = in(stamped({78, n.primary + 2}, 9500, recent));
      ASSERT_EQ(back.timestamps->second, sent) << "the guest measures its own clock";
    }
  }
}

TEST_P(Rewriting, AConnectionOfTheCheckpointIsAcceptedToo) {
  rewriter_.takeover();
  EXPECT_EQ(in(stamped({78, 5}, 9500, 600'000)).timestamps->second, 600'000U);
  const Segment first = out(stamped({5, 78}, 599'000, 9001));
  EXPECT_EQ(first.seq, 5U);
  EXPECT_EQ(first.timestamps->first, 609'000U);
  EXPECT_EQ(in(stamped({78, 6}, 9500, 609'000)).timestamps->second, 599'000U);
}

TEST_P(Rewriting, ANewConnectionOfASurvivorPasses) {
  rewriter_.takeover();
  in(stamped({77, 0, syn}, 9000, 0));
  EXPECT_EQ(out(stamped({31, 78, syn | ack}, 400, 9000)).timestamps->first, 400U);
  EXPECT_EQ(in(stamped({78, 32}, 9001, 400)).ack, 32U);
  EXPECT_EQ(in(stamped({78, 32}, 9001, 400)).timestamps->second, 400U);
  EXPECT_EQ(out(stamped({32, 78}, 450, 9001)).timestamps->first, 450U);
}

// The takeover came between the primary's SYN-ACK and the client's answer.
TEST_P(Rewriting, AnOpeningIsLearnedAfterTheTakeoverToo) {
  out(stamped({31, 78, syn | ack}, 400, 9000));
  rewriter_.takeover();
  const Segment third = in(stamped({78, 50'001}, 9001, 700));
  EXPECT_EQ(third.ack, 32U);
  EXPECT_EQ(third.timestamps->second, 400U);
  const Segment hello = out(stamped({32, 78, ack, "hello"}, 420, 9001));
  EXPECT_EQ(hello.seq, 50'001U);
  EXPECT_EQ(hello.timestamps->first, 420U + 300 + Rewriter::takeover_ticks);
}

TEST_P(Rewriting, AShiftIsKeptUntilBothEndsAreAcknowledgedAndForSomeTimeBehindIt) {
  client_opens();
  rewriter_.takeover();
  EXPECT_EQ(out({0xffffff01U, 78, fin | ack}).seq, 1'000'001U);
  in({78, 1'000'002, fin | ack});
  out({0xffffff02U, 79});
  now_ += std::chrono::seconds(119);
  EXPECT_EQ(out({0xffffff02U, 79}).seq, 1'000'002U) << "its last word said again";
  EXPECT_EQ(rewriter_.flows(), 1U);
  now_ += std::chrono::seconds(121);
  in({1, 1});
  EXPECT_EQ(rewriter_.flows(), 0U);
}

TEST_P(Rewriting, AResetThatTheGuestDidNotBelieveEndsNothing) {
  client_opens();
  in({12, 0, rst});
  EXPECT_EQ(out({0xffffff01U, 78}).seq, 1'000'001U);
  now_ += std::chrono::minutes(100);
  EXPECT_EQ(out({0xffffff01U, 78}).seq, 1'000'001U);
  now_ += std::chrono::minutes(121);
  in({1, 1});
  EXPECT_EQ(rewriter_.flows(), 0U) << "idle for two hours";
}

// A survivor is protected again: its replica has other numbers for connections that begin then, and
// the survivor's shifts for those of before.
TEST_P(Rewriting, TheTableGoesOnWithTheGuest) {
  client_opens();
  rewriter_.takeover();
  const Segment before = out(stamped({0xffffff01U, 78}, 500'000, 9001));
  const Bytes table = rewriter_.export_table();
  Rewriter other{RewriterLimits{}};
  ASSERT_TRUE(other.import_table(table, now_));
  EXPECT_EQ(other.export_table(), table);
  std::swap(rewriter_, other);
  const Segment after = out(stamped({0xffffff01U, 78}, 500'000, 9001));
  EXPECT_EQ(after.seq, before.seq);
  EXPECT_EQ(after.timestamps, before.timestamps);
  EXPECT_EQ(in(stamped({78, 1'000'002}, 1, before.timestamps->first)).ack, 0xffffff02U);
  Numbers second;
  second.replica = 5;
  ends_.client_port = 50001;
  client_opens(second);
  EXPECT_EQ(out({6, 78}).seq, 1'000'001U);
  // One that the table does not name existed before that takeover.
  ends_.client_port = 50002;
  EXPECT_EQ(out(stamped({1, 1}, 100, 1)).timestamps->first, 100U + Rewriter::takeover_ticks);
  rewriter_.takeover();
  EXPECT_EQ(out(stamped({1, 1}, 100, 1)).timestamps->first, 100U + 2 * Rewriter::takeover_ticks);
}

TEST_P(Rewriting, ATableThatCantBeIsRefusedAndChangesNothing) {
  client_opens();
  ends_.client_port = 50001;
  client_opens();
  const Bytes table = rewriter_.export_table();
  for (std::size_t size = 1; size < table.size(); ++size) {
    Rewriter other{RewriterLimits{}};
    const auto refused = other.import_table(ByteView(table).first(size), now_);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().word, "bad-flow-table");
    EXPECT_EQ(other.flows(), 0U);
  }
  Bytes twice = table;
  std::copy(table.begin() + 17, table.begin() + 101, twice.begin() + 101);
  Rewriter other{RewriterLimits{}};
  EXPECT_FALSE(other.import_table(twice, now_)) << "one key twice";
  RewriterLimits one;
  one.flows = 1;
  Rewriter small{one};
  EXPECT_FALSE(small.import_table(table, now_)) << "more than its bound";
}

TEST_P(Rewriting, AtItsBoundItForgetsTheClosedAndSaysWhenItCannot) {
  RewriterLimits limits;
  limits.flows = 2;
  rewriter_ = Rewriter{limits};
  client_opens();
  in({78, 1'000'001, rst | ack});
  ends_.client_port = 50001;
  client_opens();
  ends_.client_port = 50002;
  client_opens();
  EXPECT_FALSE(rewriter_.full());
  EXPECT_EQ(rewriter_.flows(), 2U);
  ends_.client_port = 50003;
  out({31, 78, syn | ack});
  EXPECT_TRUE(rewriter_.full());
  EXPECT_EQ(rewriter_.flows(), 2U);
  ends_.client_port = 50001;
  EXPECT_EQ(out({0xffffff01U, 78}).seq, 1'000'001U);
  rewriter_.reset();
  EXPECT_FALSE(rewriter_.full());
}

TEST_P(Rewriting, AFirstFragmentIsRewrittenToo) {
  client_opens();
  auto pieces = frames::cut(tcp(ends_, {0xffffff01U, 78, ack, std::string(400, 'x')}), 64, 9);
  Bytes together;
  for (Bytes& piece : pieces) {
    EXPECT_TRUE(rewriter_.outbound(0, piece, now_));
    const Packet packet = parse(0, piece);
    if (together.empty()) {
      EXPECT_EQ(packet.said.seq, 1'000'001U);
    }
    together.insert(together.end(), piece.begin() + packet.transport, piece.end());
  }
  const Bytes whole = frames::ip(ends_, 6, together);
  const auto read = read_tcp(whole);
  ASSERT_TRUE(read) << "the checksum of the whole must hold";
  EXPECT_EQ(read->seq, 1'000'001U);
}

// Two guests and a client for a long time: what the replica says always carries the primary's
// numbers.
TEST_P(Rewriting, AnyConversationIsThePrimarysBehindTheRewriter) {
  std::mt19937_64 random(4);
  const auto any = [&] { return static_cast<std::uint32_t>(random()); };
  for (int round = 0; round < 200; ++round) {
    ends_.client_port = static_cast<std::uint16_t>(any() % 7);
    const Numbers n{any(), any(), any(), any(), any()};
    client_opens(n);
    for (int i = 0; i < 20; ++i) {
      const std::uint32_t sent = any() % 1'000'000;
      const std::uint32_t later = any() % 1'000'000;
      const Segment said = out(stamped({n.replica + sent, any(), ack, std::string(any() % 50, 'y')},
                                       n.replica_clock + later, any()));
      ASSERT_EQ(said.seq, n.primary + sent);
      ASSERT_EQ(said.timestamps->first, n.primary_clock + later);
      Segment back = stamped({any(), n.primary + sent}, any(), n.primary_clock + later);
      back.sacks = {{n.primary + sent + 10, n.primary + sent + 20}};
      back.odd = any() % 4;
      const Segment heard = in(back);
      ASSERT_EQ(heard.ack, n.replica + sent);
      ASSERT_EQ(heard.sacks[0].second, n.replica + sent + 20);
      ASSERT_EQ(heard.timestamps->second, n.replica_clock + later);
    }
  }
}

// A router says that a segment was too long: the guest believes it only with its own number in it.
TEST(RewritingIcmp, AnErrorQuotesTheReplicasNumber) {
  Rewriter rewriter{RewriterLimits{}};
  const Ends ends;
  const auto pass = [&](const Ends& one, const Segment& segment, bool outbound) {
    Bytes frame = tcp(one, segment);
    if (outbound) {
      EXPECT_TRUE(rewriter.outbound(0, frame, at_s(1)));
    } else {
      rewriter.inbound(0, frame, at_s(1));
    }
  };
  pass(ends, {31, 78, syn | ack}, true);
  pass(ends.back(), {78, 1001}, false);
  const Bytes segment = tcp(ends, {1001, 78, ack, "too long"});
  Bytes message(8);
  message[0] = std::byte{3};
  message[1] = std::byte{4};
  message.insert(message.end(), segment.begin() + 14, segment.begin() + 14 + 28);
  const auto checksum = [](const Bytes& bytes, std::size_t from) {
    std::uint32_t sum = 0;
    for (std::size_t i = from; i < bytes.size(); i += 2) sum += read16(bytes, i);
    while (sum > 0xffff) sum = (sum & 0xffffU) + (sum >> 16);
    return 0xffffU ^ sum;
  };
  const std::uint32_t sum = checksum(message, 0);
  message[2] = static_cast<std::byte>(sum >> 8);
  message[3] = static_cast<std::byte>(sum);
  Bytes frame = frames::ip(ends.back(), 1, message);
  rewriter.inbound(0, frame, at_s(1));
  EXPECT_EQ(read32(frame, 34 + 8 + 24), 32U);
  EXPECT_EQ(checksum(frame, 34), 0U);
}

}  // namespace
}  // namespace colo::compare
