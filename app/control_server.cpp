#include "app/control_server.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <string>
#include <vector>

namespace colo::app {
namespace {

namespace asio = boost::asio;
using Protocol = asio::local::stream_protocol;
using boost::system::error_code;

// One client: reads a line, answers it, and only then reads on. What it does not take stays with
// it: one reply and one line at most.
class Client : public std::enable_shared_from_this<Client> {
 public:
  // activity: counts what all clients do; handle and activity are used until close().
  Client(Protocol::socket socket, const ControlServer::Handler& handle, std::uint64_t& activity)
      : socket_(std::move(socket)),
        handle_(handle),
        activity_(activity),
        last_active_(++activity) {}

  // Grows with each request: the client with the least is the longest idle.
  [[nodiscard]] std::uint64_t last_active() const { return last_active_; }

  void start() { next(); }
  [[nodiscard]] bool closed() const { return !socket_.is_open(); }
  // Nothing is called after it.
  void close() {
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  void next() {
    const std::size_t end = received_.find('\n');
    if (end != std::string::npos) {
      const std::string line = received_.substr(0, end);
      received_.erase(0, end + 1);
      return line.size() > control_line_bytes ? refuse_long_line() : answer(line);
    }
    if (received_.size() > control_line_bytes) return refuse_long_line();
    socket_.async_read_some(asio::buffer(chunk_),
                            [self = shared_from_this()](error_code error, std::size_t length) {
                              if (self->closed()) return;
                              if (error) return self->close();
                              self->received_.append(self->chunk_.data(), length);
                              self->next();
                            });
  }

  void answer(const std::string& line) {
    last_active_ = ++activity_;
    const auto request = parse_request(line);
    Reply reply;
    if (request) {
      reply = handle_(*request);
    } else {
      reply.error = request.error();
    }
    send(reply, false);
  }

  void refuse_long_line() {
    Reply reply;
    reply.error = Error{"bad-request",
                        "a line is longer than " + std::to_string(control_line_bytes) + " bytes",
                        "send one JSON object per line"};
    send(reply, true);
  }

  void send(const Reply& reply, bool last) {
    sending_ = render(reply) + "\n";
    asio::async_write(socket_, asio::buffer(sending_),
                      [self = shared_from_this(), last](error_code error, std::size_t) {
                        if (self->closed()) return;
                        if (error || last) return self->close();
                        self->next();
                      });
  }

  Protocol::socket socket_;
  const ControlServer::Handler& handle_;
  std::uint64_t& activity_;
  std::uint64_t last_active_;
  std::array<char, 4096> chunk_{};
  std::string received_;
  std::string sending_;
};

class Server final : public ControlServer {
 public:
  Server(asio::io_context& loop, std::filesystem::path path, Handler handle)
      : acceptor_(loop), retry_(loop), path_(std::move(path)), handle_(std::move(handle)) {}

  ~Server() override {
    for (const auto& client : clients_) client->close();
    error_code ignored;
    acceptor_.close(ignored);
    std::error_code missing;
    std::filesystem::remove(path_, missing);
  }

  Result<void> listen() {
    std::error_code missing;
    std::filesystem::remove(path_, missing);
    error_code error;
    if (path_.string().size() >= sizeof(sockaddr_un::sun_path)) {
      return trouble("its path is longer than Linux allows for a socket");
    }
    acceptor_.open(Protocol(), error);
    // The mode counts from the first instant: the socket is born with what the umask leaves, and
    // nobody can connect before listen().
    if (!error) acceptor_.bind(Protocol::endpoint(path_.string()), error);
    if (!error && ::chmod(path_.c_str(), 0600) != 0) {
      error = error_code(errno, boost::system::system_category());
    }
    if (!error) acceptor_.listen(static_cast<int>(control_clients), error);
    if (error) return trouble(error.message());
    accept();
    return {};
  }

 private:
  [[nodiscard]] tl::unexpected<Error> trouble(const std::string& cause) const {
    return fail("control-socket", path_.string() + ": " + cause,
                "set `run_directory` to a short path that this user may write to");
  }

  void accept() {
    // A client may have been accepted before our end and its handler run after it.
    acceptor_.async_accept(
        [this, alive = std::weak_ptr(alive_)](error_code error, Protocol::socket socket) {
          if (alive.expired() || error == asio::error::operation_aborted) return;
          if (error) return accept_later();
          admit(std::move(socket));
          accept();
        });
  }

  // Out of descriptors, for instance: clients that end give them back.
  void accept_later() {
    retry_.expires_after(std::chrono::milliseconds(100));
    retry_.async_wait([this, alive = std::weak_ptr(alive_)](error_code error) {
      if (!alive.expired() && !error) accept();
    });
  }

  void admit(Protocol::socket socket) {
    std::erase_if(clients_, [](const auto& client) { return client->closed(); });
    if (clients_.size() >= control_clients) {
      const auto idle = std::min_element(
          clients_.begin(), clients_.end(),
          [](const auto& a, const auto& b) { return a->last_active() < b->last_active(); });
      (*idle)->close();
      clients_.erase(idle);
    }
    clients_.push_back(std::make_shared<Client>(std::move(socket), handle_, activity_));
    clients_.back()->start();
  }

  Protocol::acceptor acceptor_;
  asio::steady_timer retry_;
  std::filesystem::path path_;
  Handler handle_;
  std::vector<std::shared_ptr<Client>> clients_;
  std::uint64_t activity_ = 0;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

Result<std::unique_ptr<ControlServer>> ControlServer::start(asio::io_context& loop,
                                                            const std::filesystem::path& path,
                                                            Handler handle) {
  auto server = std::make_unique<Server>(loop, path, std::move(handle));
  if (const auto listening = server->listen(); !listening) return fail(listening.error());
  return server;
}

}  // namespace colo::app
