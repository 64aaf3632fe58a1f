#include "wire/decoder.h"

#include <gtest/gtest.h>

#include "tests/wire/samples.h"
#include "wire/bytes.h"
#include "wire/checksum.h"

namespace colo::wire {
namespace {

// What a decoder made of a stream: frames in order, then perhaps an error.
struct Outcome {
  std::vector<std::pair<Kind, Bytes>> frames;
  std::string error;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome decode(ByteView stream, std::size_t piece, FrameDecoder decoder = FrameDecoder()) {
  Outcome outcome;
  while (!stream.empty()) {
    const ByteView fed = stream.first(std::min(piece, stream.size()));
    stream = stream.subspan(fed.size());
    decoder.feed(fed);
    for (;;) {
      auto next = decoder.next();
      if (!next) outcome.error = next.error().word;
      if (!next || !*next) break;
      outcome.frames.emplace_back((*next)->header.kind,
                                  Bytes((*next)->body.begin(), (*next)->body.end()));
    }
  }
  return outcome;
}

Bytes stream_of_every_kind() {
  Bytes stream;
  std::uint64_t sequence = 0;
  for (std::size_t i = 0; i < samples::frames().size(); ++i) {
    const Bytes frame = samples::frames(++sequence)[i].second;
    stream.insert(stream.end(), frame.begin(), frame.end());
  }
  return stream;
}

TEST(Decoder, AStreamInAnyPiecesGivesTheSameFrames) {
  const Bytes stream = stream_of_every_kind();
  const Outcome at_once = decode(stream, stream.size());
  EXPECT_EQ(at_once.error, "");
  EXPECT_EQ(at_once.frames.size(), samples::frames().size());
  for (const std::size_t piece : {1UL, 2UL, 7UL, 55UL, 56UL, 57UL, 1000UL, 4096UL}) {
    EXPECT_EQ(decode(stream, piece), at_once) << "pieces of " << piece;
  }
}

TEST(Decoder, AnyFlippedBitOfAFrameIsFound) {
  for (const auto& [kind, frame] : samples::frames()) {
    // Pages are large; of their bodies every 61st bit is tried, which meets every bit of a byte.
    const std::size_t step = frame.size() > 1000 ? 61 : 1;
    for (std::size_t bit = 0; bit < frame.size() * 8; bit += bit < header_bytes * 8 ? 1 : step) {
      Bytes damaged = frame;
      damaged[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
      const Outcome outcome = decode(damaged, damaged.size());
      ASSERT_TRUE(outcome.frames.empty()) << kind << " bit " << bit;
      ASSERT_NE(outcome.error, "") << kind << " bit " << bit;
    }
  }
}

TEST(Decoder, ACutOffFrameIsWaitedForAndNeverGivenOut) {
  for (const auto& [kind, frame] : samples::frames()) {
    const std::size_t step = frame.size() > 1000 ? 13 : 1;
    for (std::size_t length = 0; length < frame.size(); length += step) {
      const Outcome outcome = decode(ByteView(frame).first(length), frame.size());
      ASSERT_TRUE(outcome.frames.empty()) << kind << " of " << length << " bytes";
      ASSERT_EQ(outcome.error, "") << kind << " of " << length << " bytes";
    }
  }
}

TEST(Decoder, ALostARepeatedAndAFirstFrameWithAWrongNumberAreNamed) {
  for (const std::uint64_t second : {0UL, 1UL, 3UL}) {
    FrameDecoder decoder;
    decoder.feed(encode(samples::alive(), {{1}, {1}, 1}));
    decoder.feed(encode(samples::alive(), {{1}, {1}, second}));
    ASSERT_TRUE(decoder.next());
    const auto next = decoder.next();
    ASSERT_FALSE(next);
    EXPECT_EQ(next.error().word, "out-of-sequence");
    EXPECT_EQ(next.error().reason,
              "alive frame number " + std::to_string(second) + " where 2 was due");
  }
  EXPECT_EQ(decode(encode(samples::alive(), {{1}, {1}, 2}), 1000).error, "out-of-sequence");
}

TEST(Decoder, AfterAnErrorEveryCallRepeatsIt) {
  FrameDecoder decoder;
  Bytes garbage(100, std::byte{'x'});
  decoder.feed(garbage);
  const auto first = decoder.next();
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().word, "bad-magic");
  decoder.feed(encode(samples::alive(), samples::numbers));
  const auto second = decoder.next();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().text(), first.error().text());
}

TEST(Decoder, AnotherVersionIsToldFromItsFirstSixBytes) {
  Bytes frame = encode(samples::hello(), samples::numbers);
  frame[4] = std::byte{9};
  EXPECT_EQ(decode(ByteView(frame).first(5), 1).error, "");
  EXPECT_EQ(decode(ByteView(frame).first(6), 1).error, "wrong-version");
}

TEST(Decoder, ALengthPastTheLanesBoundIsRefusedBeforeAnyOfTheBodyCame) {
  const Bytes frame = samples::pages();  // 8 KiB
  FrameDecoder decoder(4096);
  decoder.feed(ByteView(frame).first(header_bytes));
  const auto next = decoder.next();
  ASSERT_FALSE(next);
  EXPECT_EQ(next.error().word, "too-long");
}

TEST(Decoder, TheBodyThatFitsTheBoundExactlyIsTaken) {
  const Bytes frame = encode_device_chunk(samples::page_of(1), samples::numbers);
  EXPECT_EQ(decode(frame, frame.size(), FrameDecoder(4096)).frames.size(), 1U);
  EXPECT_EQ(decode(frame, frame.size(), FrameDecoder(4095)).error, "too-long");
}

TEST(Decoder, AnotherDecoderGoesOnWhereOneStopped) {
  const Bytes stream = stream_of_every_kind();
  FrameDecoder first;
  first.feed(stream);
  ASSERT_TRUE(first.next());
  ASSERT_TRUE(first.next());
  const Bytes rest(first.rest().begin(), first.rest().end());
  const Outcome outcome = decode(rest, 100, FrameDecoder(body_bytes_max, first.frames_taken()));
  EXPECT_EQ(outcome.error, "");
  EXPECT_EQ(outcome.frames.size(), samples::frames().size() - 2);
}

TEST(Datagram, AWholeFrameIsTakenWhateverItsNumber) {
  const Bytes frame = encode(samples::alive(), {{1}, {1}, 77});
  const auto taken = decode_datagram(frame);
  ASSERT_TRUE(taken) << taken.error().text();
  EXPECT_EQ(taken->header.sequence, 77U);
  EXPECT_EQ(taken->body.size(), frame.size() - header_bytes);
}

TEST(Datagram, AnyOtherLengthAndAnyFlippedBitAreRefused) {
  const Bytes frame = encode(samples::alive(), samples::numbers);
  for (std::size_t length = 0; length < frame.size(); ++length) {
    const auto taken = decode_datagram(ByteView(frame).first(length));
    ASSERT_FALSE(taken) << length;
    EXPECT_EQ(taken.error().word, "truncated") << length;
  }
  Bytes longer = frame;
  longer.push_back(std::byte{0});
  EXPECT_EQ(decode_datagram(longer).error().word, "truncated");
  for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
    Bytes damaged = frame;
    damaged[bit / 8] ^= static_cast<std::byte>(1U << (bit % 8));
    ASSERT_FALSE(decode_datagram(damaged)) << bit;
  }
}

}  // namespace
}  // namespace colo::wire
