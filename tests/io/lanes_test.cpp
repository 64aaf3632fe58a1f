// Listener, dialer and control lane over loopback.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/control_lane.h"
#include "tests/io/support.h"

namespace colo::io::test {
namespace {

// One end of a control lane and what it was told.
struct End {
  std::shared_ptr<ControlLane> lane;
  std::vector<wire::Kind> kinds;
  std::vector<std::string> reasons;
  std::vector<LaneEnd> ends;

  void start() {
    lane->start({[this](const wire::Frame& frame) {
                   kinds.push_back(frame.header.kind);
                   if (frame.header.kind == wire::Kind::goodbye) {
                     reasons.push_back(wire::decode_goodbye(frame.body)->reason);
                   }
                   if (frame.header.kind == wire::Kind::refuse) {
                     reasons.push_back(wire::decode_refuse(frame.body)->error.word);
                   }
                 },
                 [this](const LaneEnd& end) { ends.push_back(end); }});
  }
};

class Lanes : public testing::TestWithParam<bool> {
 protected:
  LaneOptions options_ = options_of(GetParam());
  boost::asio::io_context loop_;

  // Dials `server` and gives both ends, not started.
  bool connect(Server& server, End& primary, End& secondary) {
    std::optional<Result<std::shared_ptr<ControlLane>>> dialed;
    const auto dialer = Dialer::control(
        loop_, server.address, options_, hello_of("beta"),
        [&](Result<std::shared_ptr<ControlLane>> result) { dialed = result; }, Generation{3},
        Epoch{812});
    if (!run_until(loop_, [&] { return dialed && server.control; })) return false;
    if (!*dialed) return false;
    secondary.lane = **dialed;
    primary.lane = std::exchange(server.control, nullptr);
    return true;
  }
};

INSTANTIATE_TEST_SUITE_P(, Lanes, testing::Values(true, false),
                         [](const auto& flavour) { return flavour.param ? "Tls" : "Plain"; });

TEST_P(Lanes, AHelloArrivesWithItsNumbersAndFramesGoBothWays) {
  Server server(loop_, options_);
  End primary, secondary;
  ASSERT_TRUE(connect(server, primary, secondary));
  EXPECT_EQ(server.hello_host, "beta");
  EXPECT_EQ(server.hello_header.generation, Generation{3});
  EXPECT_EQ(server.hello_header.epoch, Epoch{812});
  primary.start();
  secondary.start();
  for (int i = 0; i < 100; ++i) {
    primary.lane->send(wire::Goodbye{"p" + std::to_string(i)}, {}, {});
    secondary.lane->send(wire::Goodbye{"s" + std::to_string(i)}, {}, {});
  }
  ASSERT_TRUE(run_until(
      loop_, [&] { return primary.reasons.size() == 100 && secondary.reasons.size() == 100; }));
  EXPECT_EQ(primary.reasons.back(), "s99");
  EXPECT_EQ(secondary.reasons.back(), "p99");
  EXPECT_TRUE(primary.ends.empty() && secondary.ends.empty());
}

TEST_P(Lanes, FramesThatCameBeforeStartAreNotLost) {
  Server server(loop_, options_);
  End primary, secondary;
  ASSERT_TRUE(connect(server, primary, secondary));
  secondary.lane->send(wire::Goodbye{"early"}, {}, {});
  // Both are on their way before the other side starts.
  primary.lane->send(wire::Goodbye{"answer"}, {}, {});
  secondary.start();
  ASSERT_TRUE(run_until(loop_, [&] { return !secondary.reasons.empty(); }));
  primary.start();
  ASSERT_TRUE(run_until(loop_, [&] { return !primary.reasons.empty(); }));
  EXPECT_EQ(primary.reasons, std::vector<std::string>{"early"});
}

TEST_P(Lanes, CloseSendsWhatWasQueuedAndTheOtherSideIsCertain) {
  Server server(loop_, options_);
  End primary, secondary;
  ASSERT_TRUE(connect(server, primary, secondary));
  primary.start();
  secondary.start();
  for (int i = 0; i < 500; ++i) primary.lane->send(wire::Goodbye{std::string(1000, 'x')}, {}, {});
  primary.lane->close();
  primary.lane.reset();
  ASSERT_TRUE(run_until(loop_, [&] { return !secondary.ends.empty(); }));
  EXPECT_EQ(secondary.kinds.size(), 500U);
  EXPECT_TRUE(secondary.ends[0].certain);
  EXPECT_EQ(secondary.ends[0].error.word, "lane-closed");
  EXPECT_TRUE(primary.ends.empty());
}

TEST_P(Lanes, LettingGoOfALaneEndsIt) {
  Server server(loop_, options_);
  End primary, secondary;
  ASSERT_TRUE(connect(server, primary, secondary));
  secondary.start();
  primary.lane.reset();
  ASSERT_TRUE(run_until(loop_, [&] { return !secondary.ends.empty(); }));
  EXPECT_TRUE(secondary.ends[0].certain);
}

TEST_P(Lanes, AHandlerMayCloseItsOwnLane) {
  Server server(loop_, options_);
  End primary, secondary;
  ASSERT_TRUE(connect(server, primary, secondary));
  int frames = 0;
  bool ended = false;
  primary.lane->start({[&](const wire::Frame&) {
                         ++frames;
                         primary.lane->close();
                         primary.lane.reset();
                       },
                       [&](const LaneEnd&) { ended = true; }});
  secondary.start();
  secondary.lane->send(wire::Goodbye{"one"}, {}, {});
  secondary.lane->send(wire::Goodbye{"two"}, {}, {});
  ASSERT_TRUE(run_until(loop_, [&] { return !secondary.ends.empty(); }));
  EXPECT_EQ(frames, 1);
  EXPECT_FALSE(ended);
}

TEST_P(Lanes, APeerThatDoesNotReadIsLostAndNotCertain) {
  options_.stream_timeout = std::chrono::milliseconds(200);
  Server server(loop_, options_);
  End primary, secondary;
  ASSERT_TRUE(connect(server, primary, secondary));
  primary.start();  // the secondary is never started: it reads nothing
  // A little at a time: below the queue's bound, so that time and not fullness ends the lane.
  std::size_t unread = 0;
  ASSERT_TRUE(run_until(loop_, [&] {
    if (primary.ends.empty() && ++unread % 8 == 0) {
      primary.lane->send(wire::Goodbye{std::string(1000, 'x')}, {}, {});
    }
    for (int i = 0; i < 40 && unread < 8000; ++i, ++unread) {
      primary.lane->send(wire::Goodbye{std::string(1000, 'x')}, {}, {});
    }
    return !primary.ends.empty();
  }));
  EXPECT_EQ(primary.ends[0].error.word, "lane-stalled");
  EXPECT_FALSE(primary.ends[0].certain);
}

TEST_P(Lanes, AQueueWithoutBoundIsRefused) {
  Server server(loop_, options_);
  End primary, secondary;
  ASSERT_TRUE(connect(server, primary, secondary));
  primary.start();
  // The loop does not run meanwhile, so nothing leaves the queue.
  for (int i = 0; i < 20'000; ++i)
    primary.lane->send(wire::Goodbye{std::string(1000, 'x')}, {}, {});
  ASSERT_TRUE(run_until(loop_, [&] { return !primary.ends.empty(); }));
  EXPECT_EQ(primary.ends[0].error.word, "lane-full");
  EXPECT_FALSE(primary.ends[0].certain);
}

TEST_P(Lanes, SaysWhatIsQueuedAndWhenThereIsRoomAgain) {
  Server server(loop_, options_);
  End primary, secondary;
  ASSERT_TRUE(connect(server, primary, secondary));
  int room = 0;
  primary.lane->start({[](auto&&) {}, [](auto&&) {},
                       [&] {
                         ++room;
                         EXPECT_LT(primary.lane->queued_bytes(), control_room_bytes);
                       }});
  EXPECT_EQ(primary.lane->queued_bytes(), 0U);
  int sent = 0;
  // The loop does not run meanwhile, so nothing leaves the queue.
  while (primary.lane->queued_bytes() < control_room_bytes) {
    primary.lane->send(wire::Goodbye{std::string(1000, 'x')}, {}, {});
    ++sent;
  }
  EXPECT_GT(sent, 256);
  secondary.start();
  ASSERT_TRUE(run_until(loop_, [&] { return room == 1 && primary.lane->queued_bytes() == 0; }));
  // Less than that is nobody's concern.
  primary.lane->send(wire::Goodbye{"last"}, {}, {});
  ASSERT_TRUE(run_until(
      loop_, [&] { return !secondary.reasons.empty() && secondary.reasons.back() == "last"; }));
  EXPECT_EQ(room, 1);
  EXPECT_TRUE(primary.ends.empty());
}

TEST_P(Lanes, ALaneThatEndedBeforeItWasStartedSaysSoWhenItIs) {
  Server server(loop_, options_);
  End primary, secondary;
  ASSERT_TRUE(connect(server, primary, secondary));
  for (int i = 0; i < 20'000; ++i)
    primary.lane->send(wire::Goodbye{std::string(1000, 'x')}, {}, {});
  loop_.restart();
  loop_.poll();
  primary.start();
  ASSERT_TRUE(run_until(loop_, [&] { return !primary.ends.empty(); }));
  EXPECT_EQ(primary.ends[0].error.word, "lane-full");
}

TEST_P(Lanes, AKilledPeerIsCertain) {
  const tcp::endpoint address = free_address(loop_);
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(120);
    boost::asio::io_context loop;
    std::shared_ptr<ControlLane> kept;
    auto listener = Listener::open(loop, address, options_,
                                   {[&](std::shared_ptr<ControlLane> lane, auto&&, auto&&) {
                                      kept = std::move(lane);
                                      kept->start({[](auto&&) {}, [](auto&&) {}});
                                      kept->send(wire::Goodbye{"here"}, {}, {});
                                    },
                                    [](auto&&, auto&&) {}, [](auto&&, auto&&) {}});
    loop.run();
    ::_exit(0);
  }
  End secondary;
  std::unique_ptr<Dialer> dialer;
  bool dialing = false;
  ASSERT_TRUE(run_until(loop_, [&] {
    if (!dialing && !secondary.lane) {
      dialing = true;
      dialer = Dialer::control(loop_, address, options_, hello_of("beta"), [&](auto result) {
        dialing = false;
        if (result) secondary.lane = *result;
      });
    }
    return secondary.lane != nullptr;
  }));
  secondary.start();
  EXPECT_TRUE(run_until(loop_, [&] { return !secondary.reasons.empty(); }));
  ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(run_until(loop_, [&] { return !secondary.ends.empty(); }));
  EXPECT_TRUE(secondary.ends[0].certain) << secondary.ends[0].error.text();
}

TEST(Listening, AtAnAddressInUseNamesItAndTheRemedy) {
  boost::asio::io_context loop;
  Server server(loop, options_of(true));
  const auto again = Listener::open(loop, server.address, options_of(true), {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().word, "address-in-use");
  EXPECT_NE(again.error().reason.find(std::to_string(server.address.port())), std::string::npos);
  EXPECT_FALSE(again.error().remedy.empty());
}

TEST(Listening, AtAnAddressOfNobodyIsUnavailable) {
  boost::asio::io_context loop;
  // TEST-NET-1: belongs to no host.
  const tcp::endpoint nowhere(boost::asio::ip::make_address("192.0.2.1"), 7700);
  const auto opened = Listener::open(loop, nowhere, options_of(true), {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().word, "address-unavailable");
}

TEST(Dialing, WhereNobodyListensIsUnreachable) {
  boost::asio::io_context loop;
  std::optional<Error> error;
  const auto dialer = Dialer::control(loop, free_address(loop), options_of(true), hello_of("beta"),
                                      [&](auto result) { error = result.error(); });
  ASSERT_TRUE(run_until(loop, [&] { return error.has_value(); }));
  EXPECT_EQ(error->word, "unreachable");
}

TEST(Dialing, IsGivenUpByDestroyingTheDialer) {
  boost::asio::io_context loop;
  tcp::acceptor silent(loop, {boost::asio::ip::address_v4::loopback(), 0});
  bool called = false;
  auto dialer = Dialer::control(loop, silent.local_endpoint(), options_of(true), hello_of("beta"),
                                [&](auto) { called = true; });
  loop.run_one_for(std::chrono::milliseconds(20));
  dialer.reset();
  loop.restart();
  loop.run();  // ends, since nothing is left to do
  EXPECT_FALSE(called);
}

}  // namespace
}  // namespace colo::io::test
