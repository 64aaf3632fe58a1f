// The writers against a redis that behaves, forgets, lies, and breaks off.
#include "demo/redis_writers.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <list>
#include <map>
#include <sstream>

namespace colo::demo {
namespace {

// As much of a redis as the writers use, on loopback. What the test changes is atomic.
class SmallRedis {
 public:
  SmallRedis() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_.get(), 8), 0);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~SmallRedis() {
    ending_ = true;
    thread_.join();
  }
  [[nodiscard]] std::uint16_t port() const { return port_; }

  std::atomic<bool> forgetful = false, lying = false;  // once
  std::atomic<bool> breaking = false;

 private:
  struct Talk {
    UniqueFd fd;
    std::string input;
  };

  void serve() {
    while (!ending_) {
      std::vector<pollfd> items{{listener_.get(), POLLIN, 0}};
      for (const Talk& talk : talks_) items.push_back({talk.fd.get(), POLLIN, 0});
      if (::poll(items.data(), items.size(), 5) <= 0) continue;
      auto talk = talks_.begin();
      for (std::size_t i = 1; i < items.size(); ++i) {
        const bool over = (items[i].revents != 0) && !hear(*talk);
        talk = over ? talks_.erase(talk) : std::next(talk);
      }
      if ((items[0].revents & POLLIN) != 0) {
        talks_.push_back({UniqueFd(::accept(listener_.get(), nullptr, nullptr)), ""});
      }
    }
  }
  bool hear(Talk& talk) {
    std::array<char, 4096> piece{};
    const ssize_t n = ::recv(talk.fd.get(), piece.data(), piece.size(), 0);
    if (n <= 0 || breaking) return false;
    talk.input.append(piece.data(), static_cast<std::size_t>(n));
    std::string replies;
    for (std::size_t end; (end = talk.input.find("\r\n")) != std::string::npos;) {
      replies += answer(talk.input.substr(0, end));
      talk.input.erase(0, end + 2);
    }
    return ::send(talk.fd.get(), replies.data(), replies.size(), MSG_NOSIGNAL) >= 0;
  }
  std::string answer(const std::string& line) {
    std::istringstream words(line);
    std::string verb, key, value;
    words >> verb >> key >> value;
    if (verb == "SET") {
      values_[key] = value;
      return "+OK\r\n";
    }
    if (verb != "GET") return "-ERR unknown command\r\n";
    if (values_.count(key) == 0 || forgetful.exchange(false)) return "$-1\r\n";
    const std::string told = lying.exchange(false) ? "another" : values_[key];
    return "$" + std::to_string(told.size()) + "\r\n" + told + "\r\n";
  }

  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::list<Talk> talks_;
  std::map<std::string, std::string> values_;
  std::atomic<bool> ending_ = false;
  std::thread thread_;
};

class RedisWritersTest : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "entering a network namespace needs root";
    own_namespace_.reset(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
    writers_ = std::make_unique<RedisWriters>(own_namespace_.get(), "127.0.0.1", redis_.port(), 2);
    wait_for([&] { return writers_->figures().acknowledged >= 300; });
  }
  template <class Condition>
  void wait_for(Condition condition) {
    while (!condition()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  SmallRedis redis_;
  UniqueFd own_namespace_;
  std::unique_ptr<RedisWriters> writers_;
};

TEST_F(RedisWritersTest, FindEveryAcknowledgedWriteAgain) {
  writers_->stop();
  ASSERT_TRUE(writers_->verify());
  const WriterFigures figures = writers_->figures();
  EXPECT_EQ(figures.connections, 2U);
  EXPECT_EQ(figures.resets + figures.lost + figures.wrong, 0U) << figures.trouble;
  EXPECT_GT(figures.longest_gap_ms, 0);
}

TEST_F(RedisWritersTest, CountAWriteThatIsNotThere) {
  redis_.forgetful = true;
  writers_->stop();
  ASSERT_TRUE(writers_->verify());
  EXPECT_EQ(writers_->figures().lost, 1U);
  EXPECT_THAT(writers_->figures().trouble, testing::HasSubstr("was acknowledged and is not there"));
}

TEST_F(RedisWritersTest, CountAWriteThatIsAnother) {
  redis_.lying = true;
  writers_->stop();
  ASSERT_TRUE(writers_->verify());
  EXPECT_EQ(writers_->figures().wrong, 1U);
  EXPECT_THAT(writers_->figures().trouble, testing::EndsWith(" is another"));
}

TEST_F(RedisWritersTest, CountConnectionsThatBreakAndMakeNoNewOnes) {
  redis_.breaking = true;
  wait_for([&] { return writers_->figures().resets == 2; });
  writers_->stop();
  EXPECT_EQ(writers_->figures().connections, 2U);
  EXPECT_FALSE(writers_->verify()) << "this redis still breaks off";
}

}  // namespace
}  // namespace colo::demo
