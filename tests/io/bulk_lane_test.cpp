// The bulk lane over loopback: with and without TLS, on io_uring and on plain calls.
#include "io/bulk_lane.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <random>

#include "tests/io/support.h"

namespace colo::io::test {
namespace {

struct Flavour {
  bool tls = true;
  bool uring = true;
};

// What a callback on another thread saw.
struct EndSeen {
  std::mutex mutex;
  std::optional<LaneEnd> end;
  std::function<void(LaneEnd)> handler() {
    return [this](const LaneEnd& how) {
      const std::lock_guard lock(mutex);
      end = how;
    };
  }
  std::optional<LaneEnd> wait() {
    wait_until([this] {
      const std::lock_guard lock(mutex);
      return end.has_value();
    });
    const std::lock_guard lock(mutex);
    return end;
  }
};

class BulkLane : public testing::TestWithParam<Flavour> {
 protected:
  BulkLane() {
    options_ = options_of(GetParam().tls);
    options_.allow_uring = GetParam().uring;
    pair_ = connect_bulk(options_);
  }
  void SetUp() override { ASSERT_TRUE(pair_.has_value()); }

  static Bytes chunk(std::uint64_t number, std::size_t size, std::mt19937_64& random) {
    Bytes body(size);
    for (std::size_t i = 0; i + 8 <= size; i += 8) {
      const std::uint64_t value = random();
      std::memcpy(body.data() + i, &value, 8);
    }
    return wire::encode_device_chunk(body, {{}, Epoch{1}, number});
  }

  LaneOptions options_;
  std::optional<BulkPair> pair_;
};

INSTANTIATE_TEST_SUITE_P(, BulkLane,
                         testing::Values(Flavour{true, true}, Flavour{true, false},
                                         Flavour{false, true}, Flavour{false, false}),
                         [](const auto& flavour) {
                           return std::string(flavour.param.tls ? "Tls" : "Plain") +
                                  (flavour.param.uring ? "Uring" : "Calls");
                         });

TEST_P(BulkLane, CarriesALotInOrderWithoutAByteChanged) {
  std::mt19937_64 random(11);
  Bytes sent, received;
  std::atomic<std::uint64_t> frames = 0;
  EndSeen receiver_end, sender_end;
  auto receiver = BulkReceiver::start(
      std::move(pair_->secondary), options_,
      [&](const wire::Frame& frame) -> Result<void> {
        received.insert(received.end(), frame.body.begin(), frame.body.end());
        ++frames;
        return {};
      },
      receiver_end.handler());
  auto sender = BulkSender::start(std::move(pair_->primary), options_, sender_end.handler());
  constexpr std::uint64_t count = 300;
  for (std::uint64_t number = 1; number <= count; ++number) {
    const std::size_t size = number % 7 == 0 ? 8 : 8 * (1 + random() % (32U << 10));
    Bytes frame = chunk(number, size, random);
    sent.insert(sent.end(), frame.begin() + wire::header_bytes, frame.end());
    ASSERT_TRUE(sender->push(std::move(frame), patience));
  }
  ASSERT_TRUE(wait_until([&] { return frames == count; }));
  EXPECT_TRUE(wire::hash128(received) == wire::hash128(sent));
  EXPECT_EQ(receiver->figures().frames, count);
  EXPECT_EQ(receiver->figures().bytes, sent.size() + count * wire::header_bytes);
  EXPECT_EQ(sender->figures().bytes, sent.size() + count * wire::header_bytes);
  if (!GetParam().uring) {
    EXPECT_FALSE(sender->figures().uring);
  }
  sender.reset();
  const auto end = receiver_end.wait();
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->certain);
  EXPECT_FALSE(sender_end.end);
}

TEST_P(BulkLane, GoesOnBehindTheFramesThatCameWithTheHandshake) {
  std::mt19937_64 random(12);
  pair_->secondary.received_frames = 1;
  const Bytes second = chunk(2, 4096, random);
  pair_->secondary.early.assign(second.begin(), second.begin() + 100);
  std::atomic<std::uint64_t> last = 0;
  EndSeen end;
  auto receiver = BulkReceiver::start(
      std::move(pair_->secondary), options_,
      [&](const wire::Frame& frame) -> Result<void> {
        last = frame.header.sequence;
        return {};
      },
      end.handler());
  auto sender = BulkSender::start(std::move(pair_->primary), options_, [](const LaneEnd&) {});
  ASSERT_TRUE(sender->push(Bytes(second.begin() + 100, second.end()), patience));
  ASSERT_TRUE(sender->push(chunk(3, 4096, random), patience));
  EXPECT_TRUE(wait_until([&] { return last == 3; }));
}

TEST_P(BulkLane, AnErrorOfTheTakerEndsItForBoth) {
  std::mt19937_64 random(13);
  EndSeen receiver_end, sender_end;
  auto receiver = BulkReceiver::start(
      std::move(pair_->secondary), options_,
      [](const wire::Frame&) -> Result<void> { return fail("bad-page", "page 9 of 8"); },
      receiver_end.handler());
  auto sender = BulkSender::start(std::move(pair_->primary), options_, sender_end.handler());
  ASSERT_TRUE(sender->push(chunk(1, 4096, random), patience));
  const auto end = receiver_end.wait();
  ASSERT_TRUE(end);
  EXPECT_EQ(end->error.word, "bad-page");
  EXPECT_FALSE(end->certain);
  ASSERT_TRUE(sender_end.wait());
  const auto pushed = sender->push(chunk(2, 4096, random), patience);
  ASSERT_FALSE(pushed);
  EXPECT_EQ(pushed.error().word, "lane-ended");
}

TEST_P(BulkLane, ABrokenFrameEndsItAndIsNotGiven) {
  std::mt19937_64 random(14);
  EndSeen end;
  std::atomic<int> given = 0;
  auto receiver = BulkReceiver::start(
      std::move(pair_->secondary), options_,
      [&](const wire::Frame&) -> Result<void> {
        ++given;
        return {};
      },
      end.handler());
  auto sender = BulkSender::start(std::move(pair_->primary), options_, [](const LaneEnd&) {});
  Bytes frame = chunk(1, 4096, random);
  frame.back() ^= std::byte{4};
  ASSERT_TRUE(sender->push(std::move(frame), patience));
  const auto how = end.wait();
  ASSERT_TRUE(how);
  EXPECT_EQ(how->error.word, "bad-body-checksum");
  EXPECT_FALSE(how->certain);
  EXPECT_EQ(given, 0);
}

TEST_P(BulkLane, DrainWaitsUntilThePeersHostHasWhatWasPushed) {
  std::mt19937_64 random(18);
  options_.queue_bytes = 64U << 20;
  auto sender = BulkSender::start(std::move(pair_->primary), options_, [](const LaneEnd&) {});
  EXPECT_TRUE(sender->drain(patience)) << "nothing is under way";
  for (std::uint64_t number = 1; number <= 128; ++number) {
    ASSERT_TRUE(sender->push(chunk(number, 256U << 10, random), patience));
  }
  EXPECT_FALSE(sender->drain(std::chrono::milliseconds(50))) << "more than the sockets take";
  auto receiver = BulkReceiver::start(
      std::move(pair_->secondary), options_, [](const wire::Frame&) -> Result<void> { return {}; },
      [](const LaneEnd&) {});
  EXPECT_TRUE(sender->drain(patience));
  EXPECT_EQ(sender->figures().frames, 128U);
  sender->stop();
  EXPECT_FALSE(sender->drain(patience)) << "the lane has ended";
}

TEST_P(BulkLane, APeerThatIsGoneIsCertainEvenWhileNothingIsSent) {
  EndSeen end;
  auto sender = BulkSender::start(std::move(pair_->primary), options_, end.handler());
  pair_->secondary.socket.reset();
  const auto how = end.wait();
  ASSERT_TRUE(how);
  EXPECT_TRUE(how->certain) << how->error.text();
}

TEST_P(BulkLane, AResetIsCertainForTheReceiver) {
  EndSeen end;
  auto receiver = BulkReceiver::start(
      std::move(pair_->secondary), options_, [](const wire::Frame&) -> Result<void> { return {}; },
      end.handler());
  const linger at_once{1, 0};
  ::setsockopt(pair_->primary.socket.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  pair_->primary.socket.reset();
  const auto how = end.wait();
  ASSERT_TRUE(how);
  EXPECT_TRUE(how->certain);
  EXPECT_EQ(how->error.word, "lane-reset");
}

TEST_P(BulkLane, APeerThatNeverReadsIsLostAndNotCertain) {
  std::mt19937_64 random(15);
  options_.stream_timeout = std::chrono::milliseconds(200);
  EndSeen end;
  auto sender = BulkSender::start(std::move(pair_->primary), options_, end.handler());
  // pair_->secondary keeps its socket open and reads nothing.
  std::uint64_t number = 0;
  Result<void> pushed;
  while (pushed && ++number < 1000)
    pushed = sender->push(chunk(number, 256U << 10, random), patience);
  ASSERT_FALSE(pushed);
  EXPECT_EQ(pushed.error().word, "lane-ended");
  const auto how = end.wait();
  ASSERT_TRUE(how);
  EXPECT_FALSE(how->certain) << how->error.text();
  EXPECT_EQ(how->error.word, "lane-stalled");
}

TEST_P(BulkLane, AFullQueueMakesThePusherWaitAndThenSaysSo) {
  std::mt19937_64 random(16);
  options_.queue_bytes = 1U << 20;
  auto sender = BulkSender::start(std::move(pair_->primary), options_, [](const LaneEnd&) {});
  std::uint64_t number = 0;
  Result<void> pushed;
  while (pushed && ++number < 1000) {
    pushed = sender->push(chunk(number, 256U << 10, random), std::chrono::milliseconds(20));
  }
  ASSERT_FALSE(pushed);
  EXPECT_EQ(pushed.error().word, "lane-full");
}

TEST_P(BulkLane, EndsAtOnceWhenDestroyedWithASendUnderWay) {
  std::mt19937_64 random(17);
  auto sender = BulkSender::start(std::move(pair_->primary), options_, [](const LaneEnd&) {});
  std::uint64_t number = 0;
  while (sender->push(chunk(++number, 256U << 10, random), std::chrono::milliseconds(20))) {
  }
  sender.reset();  // hangs for `patience` if it waits for the peer
}

TEST_P(BulkLane, BytesFromThePeerThatOnlyReadsEndTheSender) {
  EndSeen end;
  auto sender = BulkSender::start(std::move(pair_->primary), options_, end.handler());
  ASSERT_TRUE(pair_->secondary.tls.write(bytes_of("unasked")));
  Bytes bytes;
  pair_->secondary.tls.take_output(bytes);
  ASSERT_EQ(::send(pair_->secondary.socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(bytes.size()));
  const auto how = end.wait();
  ASSERT_TRUE(how);
  EXPECT_EQ(how->error.word, "unexpected-bytes");
  EXPECT_FALSE(how->certain);
}

TEST_P(BulkLane, AKilledPeerIsCertain) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(120);
    pair_->secondary.socket.reset();
    for (;;) ::pause();  // holds the primary's end open until it is killed
  }
  pair_->primary.socket.reset();
  EndSeen end;
  auto receiver = BulkReceiver::start(
      std::move(pair_->secondary), options_, [](const wire::Frame&) -> Result<void> { return {}; },
      end.handler());
  {
    const std::lock_guard lock(end.mutex);
    EXPECT_FALSE(end.end);
  }
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  const auto how = end.wait();
  ASSERT_TRUE(how);
  EXPECT_TRUE(how->certain);
}

}  // namespace
}  // namespace colo::io::test
