// The control server with real clients, good and bad ones.
#include "app/control_server.h"

#include <gmock/gmock.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <cstring>
#include <future>
#include <thread>

#include "app/control_client.h"
#include "base/unique_fd.h"
#include "tests/app/scratch.h"

namespace colo::app {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

// A hang of the server must fail the test, not hang it; no test waits for it to pass.
constexpr auto hang_time = 30s;

class ControlServerTest : public testing::Test {
 protected:
  void SetUp() override {
    thread_ = std::thread([this] { loop_.run(); });
    const auto error = on_loop([this] {
      auto server = ControlServer::start(loop_, path(), [this](const Request& request) {
        ++handled;
        Reply reply;
        reply.message = std::string(word(request.command)) + padding;
        return reply;
      });
      if (!server) return server.error().text();
      server_ = std::move(*server);
      return std::string();
    });
    ASSERT_EQ(error, "");
  }
  void TearDown() override {
    on_loop([this] {
      server_.reset();
      return 0;
    });
    work_.reset();
    thread_.join();
  }

  template <class Call>
  auto on_loop(Call call) -> decltype(call()) {
    std::packaged_task<decltype(call())()> task(std::move(call));
    auto done = task.get_future();
    boost::asio::post(loop_, [&task] { task(); });
    return done.get();
  }

  // A client that is under our control to the byte.
  [[nodiscard]] UniqueFd connect() const {
    UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval limit{std::chrono::seconds(hang_time).count(), 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, path().c_str());
    EXPECT_EQ(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return socket;
  }
  static void send(const UniqueFd& socket, const std::string& text) {
    EXPECT_EQ(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  // Empty at the end of the stream.
  static std::string receive_line(const UniqueFd& socket) {
    std::string line;
    for (char c = 0; ::recv(socket.get(), &c, 1, 0) == 1 && c != '\n';) line += c;
    return line;
  }
  static bool at_end(const UniqueFd& socket) {
    char c = 0;
    const ssize_t length = ::recv(socket.get(), &c, 1, 0);
    return length == 0 || (length < 0 && errno == ECONNRESET);
  }
  [[nodiscard]] Result<Reply> ask(Command command) const {
    return ask_engine(path(), Request{command, {}, {}}, hang_time);
  }
  [[nodiscard]] std::filesystem::path path() const { return scratch_.path() / "control.sock"; }

  std::atomic<int> handled = 0;
  std::string padding;

 private:
  Scratch scratch_;
  boost::asio::io_context loop_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      loop_.get_executor()};
  std::thread thread_;

 protected:
  std::unique_ptr<ControlServer> server_;
};

TEST_F(ControlServerTest, AnswersARequest) {
  const auto reply = ask(Command::checkpoint);
  ASSERT_TRUE(reply) << reply.error().text();
  EXPECT_EQ(reply->message, "checkpoint");
}

TEST_F(ControlServerTest, AnswersManyRequestsOfOneClientInOrder) {
  const UniqueFd client = connect();
  send(client, R"({"command":"status"})"
               "\n"
               R"({"command":"takeover"})"
               "\n");
  EXPECT_THAT(receive_line(client), HasSubstr("status"));
  EXPECT_THAT(receive_line(client), HasSubstr("takeover"));
  send(client, R"({"command":"chec)");
  send(client, R"(kpoint"})"
               "\n");
  EXPECT_THAT(receive_line(client), HasSubstr("checkpoint"));
}

TEST_F(ControlServerTest, AnswersAClientThatSendsNothingMore) {
  const UniqueFd client = connect();
  send(client, R"({"command":"status"})"
               "\n");
  ::shutdown(client.get(), SHUT_WR);
  EXPECT_THAT(receive_line(client), HasSubstr("status"));
  EXPECT_TRUE(at_end(client));
}

TEST_F(ControlServerTest, TellsAClientWhatIsWrongAndGoesOnWithIt) {
  const UniqueFd client = connect();
  send(client, "GET / HTTP/1.1\n");
  EXPECT_THAT(receive_line(client), HasSubstr("bad-request"));
  send(client, R"({"command":"explode"})"
               "\n");
  EXPECT_THAT(receive_line(client), HasSubstr("unknown-command"));
  send(client, R"({"command":"status"})"
               "\n");
  EXPECT_THAT(receive_line(client), HasSubstr("\"ok\":true"));
  EXPECT_EQ(handled, 1);
}

TEST_F(ControlServerTest, EndsAClientWithAnOverlongLine) {
  const UniqueFd client = connect();
  const std::string flood(control_line_bytes + 1, 'x');
  send(client, flood);
  EXPECT_THAT(receive_line(client), HasSubstr("longer than 65536 bytes"));
  EXPECT_TRUE(at_end(client));
  EXPECT_EQ(handled, 0);
  EXPECT_TRUE(ask(Command::status));
}

TEST_F(ControlServerTest, AClientThatDoesNotReadHoldsNobodyUp) {
  padding = std::string(32U << 10, 'p');
  const UniqueFd stuck = connect();
  // Far more replies than its socket takes: once it is full the server reads no further request.
  std::string many;
  for (int i = 0; i < 100; ++i)
    many += R"({"command":"status"})"
            "\n";
  send(stuck, many);
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(ask(Command::takeover));
  EXPECT_LT(handled, 150);
  // And it still gets what it asked for, whole, when it reads at last.
  for (int i = 0; i < 100; ++i) ASSERT_THAT(receive_line(stuck), HasSubstr("status")) << i;
}

TEST_F(ControlServerTest, TheLongestIdleClientMakesRoom) {
  std::vector<UniqueFd> clients;
  for (std::size_t i = 0; i < control_clients; ++i) {
    clients.push_back(connect());
    send(clients.back(), R"({"command":"status"})"
                         "\n");
    ASSERT_THAT(receive_line(clients.back()), HasSubstr("status"));
  }
  send(clients[0], R"({"command":"status"})"
                   "\n");  // now the second one is the longest idle
  ASSERT_THAT(receive_line(clients[0]), HasSubstr("status"));
  EXPECT_TRUE(ask(Command::status));
  EXPECT_TRUE(at_end(clients[1]));
  send(clients[0], R"({"command":"status"})"
                   "\n");
  EXPECT_THAT(receive_line(clients[0]), HasSubstr("status"));
}

TEST_F(ControlServerTest, OnlyItsOwnerMayConnect) {
  struct stat facts {};
  ASSERT_EQ(::stat(path().c_str(), &facts), 0);
  EXPECT_EQ(facts.st_mode & 0777, 0600U);
}

TEST_F(ControlServerTest, TakesItsSocketAlongAndEndsItsClients) {
  const UniqueFd client = connect();
  send(client, R"({"command":"status"})"
               "\n");
  ASSERT_THAT(receive_line(client), HasSubstr("status"));
  on_loop([this] {
    server_.reset();
    return 0;
  });
  EXPECT_TRUE(at_end(client));
  EXPECT_FALSE(std::filesystem::exists(path()));
  const auto reply = ask(Command::status);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().word, "not-running");
  EXPECT_THAT(reply.error().remedy, HasSubstr("colo run FILE"));
}

// What a killed engine leaves behind: a socket that nobody serves.
void leave_dead_socket(const std::filesystem::path& path) {
  const UniqueFd dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, path.c_str());
  ASSERT_EQ(::bind(dead.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
}

TEST(ControlSocket, OfADeadEngineIsReplaced) {
  const Scratch scratch;
  const auto path = scratch.path() / "control.sock";
  leave_dead_socket(path);
  EXPECT_EQ(ask_engine(path, Request{}, hang_time).error().word, "not-running");
  boost::asio::io_context loop;
  EXPECT_TRUE(ControlServer::start(loop, path, [](const Request&) { return Reply{}; }));
}

TEST(ControlSocket, ThatCannotBeMadeIsNamed) {
  boost::asio::io_context loop;
  for (const std::string& path :
       {std::string("/nonexistent/control.sock"), "/tmp/" + std::string(120, 'x')}) {
    const auto server = ControlServer::start(loop, path, [](const Request&) { return Reply{}; });
    ASSERT_FALSE(server);
    EXPECT_EQ(server.error().word, "control-socket");
    EXPECT_THAT(server.error().reason, HasSubstr(path));
  }
}

TEST(ControlClient, GivesUpOnAnEngineThatDoesNotAnswer) {
  const Scratch scratch;
  const auto path = scratch.path() / "control.sock";
  boost::asio::io_context never_run;
  const auto server = ControlServer::start(never_run, path, [](const Request&) { return Reply{}; });
  ASSERT_TRUE(server);
  const auto reply = ask_engine(path, Request{}, 50ms);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().word, "no-answer");
}

}  // namespace
}  // namespace colo::app
