// The link of the embedded scene: carries, ends with its ends, falls silent.
#include "demo/relay.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

namespace colo::demo {
namespace {

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

UniqueFd bound(int type, std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port);
  EXPECT_EQ(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return fd;
}

UniqueFd connected(int type, std::uint16_t port) {
  UniqueFd fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port);
  EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  return fd;
}

bool readable(int fd, int patience_ms) {
  pollfd item{fd, POLLIN, 0};
  return ::poll(&item, 1, patience_ms) > 0;
}

constexpr int long_ms = 10000;  // something that must happen
constexpr int short_ms = 100;   // something that must not

std::string read_exactly(int fd, std::size_t size) {
  std::string text(size, '\0');
  std::size_t got = 0;
  while (got < size && readable(fd, long_ms)) {
    const ssize_t n = ::recv(fd, text.data() + got, size - got, 0);
    if (n <= 0) break;
    got += static_cast<std::size_t>(n);
  }
  text.resize(got);
  return text;
}

class RelayTest : public testing::Test {
 protected:
  void SetUp() override {
    auto started = relay_.start();
    ASSERT_TRUE(started) << started.error().text();
    beta_ = (*started)[1];
    alpha_ = (*started)[0];
    listener_ = bound(SOCK_STREAM, beta_.replication_listen);
    ASSERT_EQ(::listen(listener_.get(), 1), 0);
    alphas_end_ = connected(SOCK_STREAM, beta_.replication);
    ASSERT_TRUE(readable(listener_.get(), long_ms));
    betas_end_.reset(::accept(listener_.get(), nullptr, nullptr));
  }
  Relay relay_;
  RelayedHost alpha_, beta_;
  UniqueFd listener_, alphas_end_, betas_end_;
};

TEST_F(RelayTest, CarriesAConnectionBothWays) {
  const std::string megabyte(1U << 20, 'x');
  std::thread sender([&] { ::send(alphas_end_.get(), megabyte.data(), megabyte.size(), 0); });
  EXPECT_EQ(read_exactly(betas_end_.get(), megabyte.size()), megabyte);
  sender.join();
  ::send(betas_end_.get(), "reply", 5, 0);
  EXPECT_EQ(read_exactly(alphas_end_.get(), 5), "reply");
}

TEST_F(RelayTest, EndsWithAnEnd) {
  ::send(alphas_end_.get(), "last", 4, 0);
  alphas_end_.reset();
  EXPECT_EQ(read_exactly(betas_end_.get(), 4), "last");
  ASSERT_TRUE(readable(betas_end_.get(), long_ms));
  char byte = 0;
  EXPECT_EQ(::recv(betas_end_.get(), &byte, 1, 0), 0);
}

TEST_F(RelayTest, CarriesDatagramsAsIfTheyCameFromTheOtherHost) {
  const UniqueFd alpha = bound(SOCK_DGRAM, alpha_.heartbeat_listen);
  const UniqueFd beta = bound(SOCK_DGRAM, beta_.heartbeat_listen);
  const sockaddr_in to = loopback(beta_.heartbeat);
  ::sendto(alpha.get(), "beat", 4, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  ASSERT_TRUE(readable(beta.get(), long_ms));
  sockaddr_in from{};
  socklen_t length = sizeof from;
  char text[8] = {};
  EXPECT_EQ(
      ::recvfrom(beta.get(), text, sizeof text, 0, reinterpret_cast<sockaddr*>(&from), &length), 4);
  EXPECT_EQ(ntohs(from.sin_port), alpha_.heartbeat);
}

TEST_F(RelayTest, IsSilentOnceItIsCut) {
  relay_.cut();
  ::send(alphas_end_.get(), "lost", 4, 0);
  ::send(betas_end_.get(), "lost", 4, 0);
  // Neither the bytes nor a reset arrive.
  EXPECT_FALSE(readable(betas_end_.get(), short_ms));
  EXPECT_FALSE(readable(alphas_end_.get(), short_ms));
}

TEST_F(RelayTest, GoesOnWithWhatWaitedOnceItIsMended) {
  relay_.cut();
  ::send(alphas_end_.get(), "late", 4, 0);
  relay_.mend();
  EXPECT_EQ(read_exactly(betas_end_.get(), 4), "late");
}

TEST_F(RelayTest, CanBeSilentTowardsOneHostOnly) {
  relay_.cut_towards(1);
  ::send(alphas_end_.get(), "lost", 4, 0);
  ::send(betas_end_.get(), "heard", 5, 0);
  EXPECT_EQ(read_exactly(alphas_end_.get(), 5), "heard");
  EXPECT_FALSE(readable(betas_end_.get(), short_ms));
}

TEST_F(RelayTest, LosesDatagramsWhileItIsSilent) {
  const UniqueFd alpha = bound(SOCK_DGRAM, alpha_.heartbeat_listen);
  const UniqueFd beta = bound(SOCK_DGRAM, beta_.heartbeat_listen);
  const sockaddr_in to = loopback(beta_.heartbeat);
  const auto send = [&](const char* word) {
    ::sendto(alpha.get(), word, 4, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
  };
  relay_.cut();
  send("lost");
  EXPECT_FALSE(readable(beta.get(), short_ms));
  relay_.mend();
  send("beat");
  ASSERT_TRUE(readable(beta.get(), long_ms));
  char text[8] = {};
  EXPECT_EQ(::recv(beta.get(), text, sizeof text, 0), 4);
  EXPECT_STREQ(text, "beat");
}

TEST_F(RelayTest, TellsNobodyOfADeadEndWhileItIsSilent) {
  relay_.cut();
  betas_end_.reset();
  ::send(alphas_end_.get(), "late", 4, 0);
  EXPECT_FALSE(readable(alphas_end_.get(), short_ms));
  relay_.mend();
  ASSERT_TRUE(readable(alphas_end_.get(), long_ms));
}

TEST_F(RelayTest, ResetsWhatIsConnectedAndCarriesWhatComesAfterwards) {
  relay_.reset_connections();
  ASSERT_TRUE(readable(alphas_end_.get(), long_ms));
  char byte = 0;
  EXPECT_EQ(::recv(alphas_end_.get(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
  alphas_end_ = connected(SOCK_STREAM, beta_.replication);
  ASSERT_TRUE(readable(listener_.get(), long_ms));
  betas_end_.reset(::accept(listener_.get(), nullptr, nullptr));
  ::send(alphas_end_.get(), "anew", 4, 0);
  EXPECT_EQ(read_exactly(betas_end_.get(), 4), "anew");
}

TEST_F(RelayTest, CarriesNoMoreThanItsRate) {
  const std::string text(300'000, 'x');
  relay_.throttle(1'000'000);
  const auto start = std::chrono::steady_clock::now();
  std::thread sender([&] { ::send(alphas_end_.get(), text.data(), text.size(), 0); });
  EXPECT_EQ(read_exactly(betas_end_.get(), text.size()), text);
  sender.join();
  // Less a twentieth of a second that it may have saved up.
  EXPECT_GE(std::chrono::steady_clock::now() - start, std::chrono::milliseconds(240));
}

}  // namespace
}  // namespace colo::demo
