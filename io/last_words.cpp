#include "io/last_words.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

namespace colo::io {
namespace {

using boost::asio::ip::tcp;
using Code = boost::system::error_code;

class LastWords : public std::enable_shared_from_this<LastWords> {
 public:
  LastWords(tcp::socket socket, Bytes words, std::shared_ptr<void> kept)
      : socket_(std::move(socket)),
        timer_(socket_.get_executor()),
        words_(std::move(words)),
        kept_(std::move(kept)) {}

  void start() {
    timer_.expires_after(std::chrono::seconds(1));
    timer_.async_wait([self = shared_from_this()](Code) { self->end(); });
    boost::asio::async_write(socket_, boost::asio::buffer(words_),
                             [self = shared_from_this()](Code error, std::size_t) {
                               if (error) return self->end();
                               self->socket_.shutdown(tcp::socket::shutdown_send, error);
                               self->discard();
                             });
  }

 private:
  void discard() {
    socket_.async_read_some(boost::asio::buffer(discarded_),
                            [self = shared_from_this()](Code error, std::size_t) {
                              if (error) return self->end();
                              self->discard();
                            });
  }
  void end() {
    Code ignored;
    socket_.close(ignored);
    timer_.cancel();
    kept_.reset();
  }

  tcp::socket socket_;
  boost::asio::steady_timer timer_;
  Bytes words_;
  std::array<std::byte, 4096> discarded_{};
  std::shared_ptr<void> kept_;
};

}  // namespace

void say_last_words(tcp::socket socket, Bytes words, std::shared_ptr<void> kept) {
  if (!socket.is_open()) return;
  std::make_shared<LastWords>(std::move(socket), std::move(words), std::move(kept))->start();
}

}  // namespace colo::io
