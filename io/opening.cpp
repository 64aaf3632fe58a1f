#include "io/opening.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>

#include "io/lane_end.h"
#include "io/last_words.h"

namespace colo::io {

Bytes refusal(TlsSession& tls, const Error& error, std::uint64_t sequence) {
  Bytes words;
  if (tls.established()) {
    // A session that broke says only what it has left to say: its alert.
    (void)tls.write(wire::encode(wire::Refuse{error}, {{}, {}, sequence}));
    tls.finish();
  }
  tls.take_output(words);
  return words;
}

Opening::Opening(boost::asio::ip::tcp::socket socket, TlsSide side, const LaneOptions& options,
                 std::string peer, std::shared_ptr<void> kept, Done done)
    : socket_(std::move(socket)),
      timer_(socket_.get_executor()),
      side_(side),
      options_(options),
      peer_(std::move(peer)),
      kept_(std::move(kept)),
      done_(std::move(done)) {}

void Opening::start() {
  set_lane_options(socket_.native_handle(), options_.stream_timeout);
  timer_.expires_after(options_.handshake_timeout);
  timer_.async_wait([self = shared_from_this()](Code error) {
    if (error || !self->done_) return;
    self->give_up({"handshake-timeout",
                   self->peer_ + " did not finish the handshake within " +
                       duration_text(self->options_.handshake_timeout),
                   "is the peer a colo engine, and is `tls` the same on both hosts?"});
  });
  if (options_.tls) {
    auto session = TlsSession::start(side_, options_.key);
    if (!session) return give_up(session.error());
    tls_ = std::move(*session);
  }
  flush();
}

void Opening::abandon() {
  done_ = nullptr;
  Code ignored;
  socket_.close(ignored);
  timer_.cancel();
}

void Opening::read() {
  socket_.async_read_some(
      boost::asio::buffer(arrived_),
      [self = shared_from_this()](Code error, std::size_t count) { self->arrived(error, count); });
}

void Opening::arrived(Code error, std::size_t count) {
  if (!done_) return;
  if (error) {
    return give_up({"handshake-ended",
                    peer_ + " ended the connection during the handshake: " + error.message(),
                    "the peer's log says why"});
  }
  if (auto fed = tls_.feed({arrived_.data(), count}); !fed) return give_up(fed.error());
  flush();
}

void Opening::flush() {
  if (tls_.output().empty()) return go_on();
  tls_.take_output(sending_);
  boost::asio::async_write(socket_, boost::asio::buffer(sending_),
                           [self = shared_from_this()](Code error, std::size_t) {
                             if (!self->done_) return;
                             if (error) return self->arrived(error, 0);
                             self->go_on();
                           });
}

void Opening::go_on() {
  if (!tls_.established()) return read();
  decoder_.feed(tls_.plaintext());
  tls_.drop_plaintext();
  if (side_ == TlsSide::client) return give({}, {});
  take_first_frame();
}

void Opening::take_first_frame() {
  const auto taken = decoder_.next();
  if (!taken) return give_up(taken.error());
  if (!*taken) {
    if (!tls_.closed()) return read();
    return give_up({"handshake-ended", peer_ + " closed before its first frame"});
  }
  const wire::Frame& frame = **taken;
  if (frame.header.kind != wire::Kind::hello && frame.header.kind != wire::Kind::attach) {
    return give_up(
        {"unexpected-frame", "the first frame is of kind " +
                                 std::to_string(static_cast<unsigned>(frame.header.kind)) +
                                 ", not hello or attach"});
  }
  give(frame.header, Bytes(frame.body.begin(), frame.body.end()));
}

void Opening::give(wire::Header header, Bytes body) {
  timer_.cancel();
  const Done done = std::exchange(done_, nullptr);
  kept_.reset();
  done(Opened{std::move(socket_), std::move(tls_), std::move(decoder_), header, std::move(body),
              peer_});
}

void Opening::give_up(Error error) {
  timer_.cancel();
  const Done done = std::exchange(done_, nullptr);
  say_last_words(std::move(socket_), refusal(tls_, error, 1), std::move(kept_));
  done(fail(std::move(error)));
}

}  // namespace colo::io
