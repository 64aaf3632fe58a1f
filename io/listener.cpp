// Accepts connections and hands each over once its first frame has said what it is.
#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <sstream>
#include <vector>

#include "io/control_lane.h"
#include "io/last_words.h"
#include "io/opening.h"

namespace colo::io {
namespace {

using boost::asio::ip::tcp;
using Code = boost::system::error_code;

// Peers that have not proven the key cost us at most this many sockets.
constexpr std::size_t handshakes_max = 16;

std::string text_of(const tcp::endpoint& address) {
  std::ostringstream text;
  text << address;
  return text.str();
}

class ListenCore : public std::enable_shared_from_this<ListenCore> {
 public:
  ListenCore(boost::asio::io_context& loop, LaneOptions options, Listener::Handlers handlers)
      : acceptor_(loop),
        timer_(loop),
        options_(options),
        handlers_(std::make_shared<Listener::Handlers>(std::move(handlers))) {}

  Result<void> open(const tcp::endpoint& address) {
    Code error;
    acceptor_.open(address.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(address, error);
    if (!error) acceptor_.listen(boost::asio::socket_base::max_listen_connections, error);
    if (!error) return {};
    if (error.value() == EADDRINUSE) {
      return fail("address-in-use", "cannot listen at " + text_of(address) + ": " + error.message(),
                  "end the other program, or set another `replication` or `listen` address");
    }
    return fail("address-unavailable",
                "cannot listen at " + text_of(address) + ": " + error.message(),
                "set `replication` (or `listen`) to an address of this host");
  }

  void accept() {
    acceptor_.async_accept([self = shared_from_this()](Code error, tcp::socket socket) {
      if (!self->handlers_ || error == boost::asio::error::operation_aborted) return;
      if (error) return self->accept_later();
      self->accepted(std::move(socket));
      self->accept();
    });
  }

  void stop() {
    handlers_.reset();
    Code ignored;
    acceptor_.close(ignored);
    timer_.cancel();
    for (const auto& weak : openings_) {
      if (const auto opening = weak.lock()) opening->abandon();
    }
    openings_.clear();
  }

 private:
  // Out of file descriptors or memory: accepting again at once would only spin.
  void accept_later() {
    timer_.expires_after(std::chrono::milliseconds(100));
    timer_.async_wait([self = shared_from_this()](Code error) {
      if (!error && self->handlers_) self->accept();
    });
  }

  void accepted(tcp::socket socket) {
    Code error;
    const tcp::endpoint remote = socket.remote_endpoint(error);
    const std::string peer = error ? "a peer that is gone" : text_of(remote);
    if (open_count_.use_count() > static_cast<long>(handshakes_max)) {
      return refused(peer, {"too-many-handshakes", std::to_string(handshakes_max) +
                                                       " connections have not finished " +
                                                       "their handshake; this one was closed"});
    }
    std::erase_if(openings_, [](const auto& weak) { return weak.expired(); });
    auto opening =
        std::make_shared<Opening>(std::move(socket), TlsSide::server, options_, peer, open_count_,
                                  [weak = weak_from_this(), peer](Result<Opened> opened) {
                                    const auto self = weak.lock();
                                    if (!self || !self->handlers_) return;
                                    if (!opened) return self->refused(peer, opened.error());
                                    self->give(std::move(*opened));
                                  });
    openings_.push_back(opening);
    opening->start();
  }

  void give(Opened opened) {
    const auto handlers = handlers_;  // a handler may destroy the listener
    if (opened.header.kind == wire::Kind::hello) {
      auto hello = wire::decode_hello(opened.body);
      if (!hello) return refuse(std::move(opened), hello.error());
      const wire::Header header = opened.header;
      return handlers->hello(make_control_lane(std::move(opened), options_), std::move(*hello),
                             header);
    }
    const auto attach = wire::decode_attach(opened.body);
    if (!attach) return refuse(std::move(opened), attach.error());
    Code error;
    BulkConnection connection;
    connection.socket.reset(opened.socket.release(error));
    if (error) return refused(opened.peer, {"handshake-ended", error.message()});
    connection.tls = std::move(opened.tls);
    const ByteView early = opened.decoder.rest();
    connection.early.assign(early.begin(), early.end());
    connection.received_frames = opened.decoder.frames_taken();
    connection.peer_address = opened.peer;
    handlers->attach(std::move(connection), *attach);
  }

  void refuse(Opened opened, const Error& error) {
    Bytes words = refusal(opened.tls, error, 1);
    say_last_words(std::move(opened.socket), std::move(words), open_count_);
    refused(opened.peer, error);
  }

  void refused(const std::string& peer, const Error& error) {
    const auto handlers = handlers_;
    handlers->refused(peer, error);
  }

  tcp::acceptor acceptor_;
  boost::asio::steady_timer timer_;
  LaneOptions options_;
  std::shared_ptr<Listener::Handlers> handlers_;
  // Held once by us and once by each connection in handshake.
  std::shared_ptr<int> open_count_ = std::make_shared<int>();
  std::vector<std::weak_ptr<Opening>> openings_;
};

class AsioListener : public Listener {
 public:
  explicit AsioListener(std::shared_ptr<ListenCore> core) : core_(std::move(core)) {}
  ~AsioListener() override { core_->stop(); }

 private:
  std::shared_ptr<ListenCore> core_;
};

}  // namespace

Result<std::unique_ptr<Listener>> Listener::open(boost::asio::io_context& loop,
                                                 const tcp::endpoint& address, LaneOptions options,
                                                 Handlers handlers) {
  auto core = std::make_shared<ListenCore>(loop, options, std::move(handlers));
  if (auto opened = core->open(address); !opened) return fail(opened.error());
  core->accept();
  return std::make_unique<AsioListener>(std::move(core));
}

}  // namespace colo::io
