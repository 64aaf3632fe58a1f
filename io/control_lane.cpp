#include "io/control_lane.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <optional>

#include "io/lane_end.h"
#include "io/last_words.h"

namespace colo::io {
namespace {

using boost::asio::ip::tcp;
using Code = boost::system::error_code;
using Clock = std::chrono::steady_clock;

// What the loop's callbacks keep alive. The lane that its user holds owns it: when the user lets
// go without close(), the connection ends at once.
class LaneCore : public std::enable_shared_from_this<LaneCore> {
 public:
  LaneCore(Opened opened, const LaneOptions& options)
      : socket_(std::move(opened.socket)),
        timer_(socket_.get_executor()),
        tls_(std::move(opened.tls)),
        decoder_(std::move(opened.decoder)),
        peer_(std::move(opened.peer)),
        stream_timeout_(options.stream_timeout) {}

  void start(ControlLane::Handlers handlers) {
    if (over_ && !untold_) return;
    handlers_ = std::make_shared<ControlLane::Handlers>(std::move(handlers));
    // Frames may have arrived with the first one, or the lane has ended meanwhile; all is told
    // from the loop, never from here.
    boost::asio::post(socket_.get_executor(), [self = shared_from_this()] {
      if (self->untold_) return self->tell_end(*std::exchange(self->untold_, std::nullopt));
      if (!self->over_ && self->give_frames()) self->read();
    });
  }

  void send(ByteView frame) {
    ++sent_;
    if (over_) return;
    if (auto written = tls_.write(frame); !written) return end_soon({false, written.error()});
    if (tls_.output().size() > control_queue_bytes_max) {
      return end_soon(
          {false,
           {"lane-full", peer_ + " does not read: " + std::to_string(tls_.output().size()) +
                             " bytes wait to be sent"}});
    }
    flush();
    crowded_ = crowded_ || queued_bytes() >= control_room_bytes;
  }

  [[nodiscard]] std::size_t queued_bytes() const {
    return tls_.output().size() + (writing_ ? sending_.size() - sent_bytes_ : 0);
  }

  void close() {
    handlers_.reset();
    untold_.reset();
    if (!over_) wind_down();
  }

  void abandon() {
    handlers_.reset();
    untold_.reset();
    if (over_) return;
    over_ = true;
    shut();
  }

  [[nodiscard]] const std::string& peer() const { return peer_; }

 private:
  void read() {
    socket_.async_read_some(boost::asio::buffer(arrived_),
                            [self = shared_from_this()](Code error, std::size_t count) {
                              if (!self->over_) self->arrived(error, count);
                            });
  }

  void arrived(Code error, std::size_t count) {
    if (error) return end(socket_ended(error, peer_));
    if (auto fed = tls_.feed({arrived_.data(), count}); !fed) return refuse(fed.error());
    decoder_.feed(tls_.plaintext());
    tls_.drop_plaintext();
    if (!give_frames()) return;
    if (tls_.closed()) return end(closed_by_peer(peer_));
    flush();
    read();
  }

  // False: the lane is over.
  bool give_frames() {
    while (!over_) {
      const auto frame = decoder_.next();
      if (!frame) {
        refuse(frame.error());
        return false;
      }
      if (!*frame) return true;
      const auto handlers = handlers_;  // a handler may close the lane, which lets go of them
      handlers->frame(**frame);
    }
    return false;
  }

  void flush() {
    if (writing_ || tls_.output().empty()) return;
    tls_.take_output(sending_);
    sent_bytes_ = 0;
    writing_ = true;
    write_some();
  }

  void write_some() {
    if (!closing_) arm_timer();
    socket_.async_write_some(
        boost::asio::buffer(sending_.data() + sent_bytes_, sending_.size() - sent_bytes_),
        [self = shared_from_this()](Code error, std::size_t count) { self->wrote(error, count); });
  }

  void wrote(Code error, std::size_t count) {
    if (over_ && !closing_) return;
    if (error) return closing_ ? shut() : end(socket_ended(error, peer_));
    sent_bytes_ += count;
    if (sent_bytes_ < sending_.size()) {
      write_some();
      return tell_room();
    }
    writing_ = false;
    if (closing_) return say_rest();
    deadline_ = Clock::time_point::max();
    timer_.cancel();
    flush();
    tell_room();
  }

  void tell_room() {
    if (over_ || !crowded_ || queued_bytes() >= control_room_bytes) return;
    crowded_ = false;
    const auto handlers = handlers_;  // it may close the lane, which lets go of them
    if (handlers && handlers->room) handlers->room();
  }

  void arm_timer() {
    deadline_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(stream_timeout_);
    timer_.expires_at(deadline_);
    timer_.async_wait([self = shared_from_this()](Code error) {
      if (error || self->over_ || Clock::now() < self->deadline_) return;
      self->end(stalled(self->stream_timeout_, self->peer_));
    });
  }

  void say_rest() {
    timer_.cancel();
    Bytes rest;
    tls_.take_output(rest);
    say_last_words(std::move(socket_), std::move(rest));
  }

  // The peer sent what it must not; it is told so, since a mere end would look like our death.
  void refuse(const Error& error) {
    (void)tls_.write(wire::encode(wire::Refuse{error}, {{}, {}, ++sent_}));
    wind_down();
    tell_end({false, error});
  }

  // Sends what is queued, then closes; bounded by a second for the write that is under way and
  // a second for the rest.
  void wind_down() {
    over_ = true;
    timer_.cancel();
    tls_.finish();
    if (!writing_) return say_rest();
    closing_ = true;
    timer_.expires_after(std::chrono::seconds(1));
    timer_.async_wait([self = shared_from_this()](Code error) {
      if (!error) self->shut();
    });
  }

  void end_soon(LaneEnd end_of_lane) {
    boost::asio::post(socket_.get_executor(), [self = shared_from_this(), end_of_lane] {
      if (!self->over_) self->end(end_of_lane);
    });
  }

  void end(const LaneEnd& end_of_lane) {
    over_ = true;
    shut();
    tell_end(end_of_lane);
  }

  void tell_end(const LaneEnd& end_of_lane) {
    const auto handlers = std::exchange(handlers_, nullptr);
    if (!handlers) {
      untold_ = end_of_lane;  // not started yet
    } else {
      handlers->ended(end_of_lane);
    }
  }

  void shut() {
    closing_ = false;
    timer_.cancel();
    Code ignored;
    socket_.close(ignored);
  }

  tcp::socket socket_;
  boost::asio::steady_timer timer_;
  TlsSession tls_;
  wire::FrameDecoder decoder_;
  std::string peer_;
  Duration stream_timeout_;
  std::shared_ptr<ControlLane::Handlers> handlers_;
  std::optional<LaneEnd> untold_;  // ended before start()
  std::array<std::byte, 16384> arrived_{};
  Bytes sending_;
  std::size_t sent_bytes_ = 0;  // of sending_
  std::uint64_t sent_ = 0;      // frames
  Clock::time_point deadline_ = Clock::time_point::max();
  bool writing_ = false;
  bool crowded_ = false;  // since `room` was called last
  bool closing_ = false;
  bool over_ = false;  // ended or closed: no handler is called any more
};

class AsioControlLane : public ControlLane {
 public:
  explicit AsioControlLane(std::shared_ptr<LaneCore> core) : core_(std::move(core)) {}
  ~AsioControlLane() override { core_->abandon(); }
  void start(Handlers handlers) override { core_->start(std::move(handlers)); }
  [[nodiscard]] std::string peer_address() const override { return core_->peer(); }
  [[nodiscard]] std::size_t queued_bytes() const override { return core_->queued_bytes(); }
  void close() override { core_->close(); }

 protected:
  void send_frame(Bytes frame) override { core_->send(frame); }

 private:
  std::shared_ptr<LaneCore> core_;
};

}  // namespace

std::shared_ptr<ControlLane> make_control_lane(Opened opened, const LaneOptions& options) {
  return std::make_shared<AsioControlLane>(std::make_shared<LaneCore>(std::move(opened), options));
}

}  // namespace colo::io
