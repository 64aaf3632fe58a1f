// Dials the peer, once.
#include <boost/asio/buffer.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <sstream>

#include "io/control_lane.h"
#include "io/lane_end.h"
#include "io/opening.h"

namespace colo::io {
namespace {

using boost::asio::ip::tcp;
using Code = boost::system::error_code;

class DialCore : public std::enable_shared_from_this<DialCore> {
 public:
  using Done = std::function<void(Result<Opened>)>;

  DialCore(boost::asio::io_context& loop, const tcp::endpoint& peer, LaneOptions options, Done done)
      : socket_(loop), timer_(loop), peer_(peer), options_(options), done_(std::move(done)) {
    std::ostringstream text;
    text << peer;
    name_ = text.str();
  }

  void start() {
    timer_.expires_after(options_.handshake_timeout);
    timer_.async_wait([self = shared_from_this()](Code error) {
      if (error || !self->done_ || self->opening_) return;
      self->finish(fail("unreachable", self->name_ + " did not answer within " +
                                           duration_text(self->options_.handshake_timeout)));
    });
    socket_.async_connect(peer_, [self = shared_from_this()](Code error) {
      if (!self->done_) return;
      if (error) {
        return self->finish(fail("unreachable", self->name_ + ": " + error.message(),
                                 "is colo running there, and is the address right?"));
      }
      self->open();
    });
  }

  void stop() {
    done_ = nullptr;
    Code ignored;
    socket_.close(ignored);
    timer_.cancel();
    if (opening_) opening_->abandon();
  }

  // The last frame of a dial: everything that TLS has to say is sent, then `then` is called.
  void send_last(std::shared_ptr<Opened> opened, std::function<void(Code)> then) {
    auto words = std::make_shared<Bytes>();
    opened->tls.take_output(*words);
    boost::asio::async_write(
        opened->socket, boost::asio::buffer(*words),
        [self = shared_from_this(), opened, words, then](Code error, std::size_t) {
          if (!self->over_) then(error);
        });
  }

  bool over_ = false;  // the user gave up

 private:
  void open() {
    opening_ = std::make_shared<Opening>(std::move(socket_), TlsSide::client, options_, name_,
                                         nullptr, [weak = weak_from_this()](Result<Opened> opened) {
                                           if (const auto self = weak.lock()) {
                                             self->finish(std::move(opened));
                                           }
                                         });
    opening_->start();
  }

  void finish(Result<Opened> opened) {
    Code ignored;
    if (socket_.is_open()) socket_.close(ignored);
    timer_.cancel();
    if (const Done done = std::exchange(done_, nullptr)) done(std::move(opened));
  }

  tcp::socket socket_;
  boost::asio::steady_timer timer_;
  tcp::endpoint peer_;
  std::string name_;
  LaneOptions options_;
  Done done_;
  std::shared_ptr<Opening> opening_;
};

class AsioDialer : public Dialer {
 public:
  explicit AsioDialer(std::shared_ptr<DialCore> core) : core_(std::move(core)) {}
  ~AsioDialer() override {
    core_->over_ = true;
    core_->stop();
  }

 private:
  std::shared_ptr<DialCore> core_;
};

}  // namespace

std::unique_ptr<Dialer> Dialer::control(
    boost::asio::io_context& loop, const tcp::endpoint& peer, LaneOptions options,
    wire::Hello hello, std::function<void(Result<std::shared_ptr<ControlLane>>)> done,
    Generation generation, Epoch epoch) {
  auto core = std::make_shared<DialCore>(loop, peer, options, [=](Result<Opened> opened) {
    if (!opened) return done(fail(opened.error()));
    auto lane = make_control_lane(std::move(*opened), options);
    lane->send(hello, generation, epoch);
    done(std::move(lane));
  });
  core->start();
  return std::make_unique<AsioDialer>(std::move(core));
}

std::unique_ptr<Dialer> Dialer::bulk(boost::asio::io_context& loop, const tcp::endpoint& peer,
                                     LaneOptions options, wire::Attach attach,
                                     std::function<void(Result<BulkConnection>)> done,
                                     Generation generation, Epoch epoch) {
  // The core outlives this callback: it is what calls it.
  auto weak = std::make_shared<std::weak_ptr<DialCore>>();
  auto core = std::make_shared<DialCore>(loop, peer, options, [=](Result<Opened> result) {
    if (!result) return done(fail(result.error()));
    const auto self = weak->lock();
    if (!self) return;
    auto opened = std::make_shared<Opened>(std::move(*result));
    const Bytes frame = wire::encode(attach, {generation, epoch, 1});
    if (auto written = opened->tls.write(frame); !written) return done(fail(written.error()));
    self->send_last(opened, [opened, done](Code error) {
      BulkConnection connection;
      if (!error) connection.socket.reset(opened->socket.release(error));
      if (error) return done(fail(socket_ended(error, opened->peer).error));
      connection.tls = std::move(opened->tls);
      const ByteView early = opened->decoder.rest();
      connection.early.assign(early.begin(), early.end());
      connection.peer_address = opened->peer;
      done(std::move(connection));
    });
  });
  *weak = core;
  core->start();
  return std::make_unique<AsioDialer>(std::move(core));
}

}  // namespace colo::io
