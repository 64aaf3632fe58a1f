#include "io/heartbeat_links.h"

#include <openssl/rand.h>

#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cerrno>
#include <chrono>
#include <sstream>

#include "base/check.h"
#include "io/heartbeat_datagram.h"
#include "io/key_file.h"

namespace colo::io {
namespace {

using boost::asio::ip::udp;
using Code = boost::system::error_code;
using Clock = std::chrono::steady_clock;

std::uint64_t random_challenge() {
  std::uint64_t number = 0;
  while (number == 0) {  // 0 says that nothing was heard
    COLO_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(&number), sizeof number) == 1);
  }
  return number;
}

struct Link {
  Link(boost::asio::io_context& loop, udp::endpoint other) : socket(loop), peer(std::move(other)) {}
  udp::socket socket;
  udp::endpoint peer;
  udp::endpoint sender;
  // One byte more than any heartbeat, to see that a datagram is longer.
  std::array<std::byte, heartbeat_bytes_max + 1> arrived{};
  bool receiving = false;
};

class LinksCore : public std::enable_shared_from_this<LinksCore> {
 public:
  LinksCore(boost::asio::io_context& loop, HeartbeatOptions options, HeartbeatLinks::Heard heard)
      : loop_(loop),
        timer_(loop),
        options_(std::move(options)),
        key_(derive_key(options_.key, "colo heartbeat: HMAC key")),
        filter_(options_.host, options_.links.size(), random_challenge),
        heard_(std::make_shared<HeartbeatLinks::Heard>(std::move(heard))) {
    own_.host = options_.host;
    own_.run = options_.run;
  }

  Result<void> open() {
    for (const HeartbeatLink& wanted : options_.links) {
      auto link = std::make_unique<Link>(loop_, wanted.peer);
      Code error;
      link->socket.open(wanted.listen.protocol(), error);
      if (!error) link->socket.bind(wanted.listen, error);
      if (!error) link->socket.non_blocking(true, error);
      if (error) {
        std::ostringstream address;
        address << wanted.listen;
        return fail(error.value() == EADDRINUSE ? "address-in-use" : "address-unavailable",
                    "cannot send heartbeats from " + address.str() + ": " + error.message(),
                    "set `heartbeat` (or `heartbeat_listen`) to a free address of this host");
      }
      links_.push_back(std::move(link));
    }
    return {};
  }

  void start() {
    next_ = Clock::now();
    tick();
  }

  void set_state(Generation generation, wire::GuestHere guest) {
    COLO_CHECK(guest != wire::GuestHere::runs || generation > Generation{});
    own_.generation = generation;
    own_.guest = guest;
  }

  Result<void> set_peer(std::size_t link, const udp::endpoint& peer) {
    if (link >= links_.size()) {
      return fail("no-such-link",
                  "there is no heartbeat link " + std::to_string(link + 1) + ", only " +
                      std::to_string(links_.size()),
                  "give as many addresses as the configuration has links");
    }
    const udp::endpoint& own = options_.links[link].listen;
    if (peer.protocol() != own.protocol()) {
      std::ostringstream reason;
      reason << "heartbeat link " << link + 1 << " is at " << own << " and cannot reach " << peer;
      return fail("other-address-family", reason.str(),
                  "give an address of the same family, IPv4 or IPv6");
    }
    links_[link]->peer = peer;
    return {};
  }

  void stop() {
    heard_.reset();
    timer_.cancel();
    for (const auto& link : links_) {
      Code ignored;
      link->socket.close(ignored);
    }
  }

 private:
  void tick() {
    ++own_.count;
    for (std::size_t i = 0; i < links_.size(); ++i) {
      own_.link = static_cast<std::uint16_t>(i);
      own_.challenge = filter_.challenge(i);
      own_.answer = filter_.answer(i);
      const Bytes datagram = encode_heartbeat(own_, key_);
      // A link that is down refuses; the next heartbeat tries again.
      Code ignored;
      links_[i]->socket.send_to(boost::asio::buffer(datagram), links_[i]->peer, 0, ignored);
      if (!links_[i]->receiving) receive(i);
    }
    const auto now = Clock::now();
    next_ = std::max(next_ + std::chrono::duration_cast<Clock::duration>(options_.interval), now);
    timer_.expires_at(next_);
    timer_.async_wait([self = shared_from_this()](Code error) {
      if (!error && self->heard_) self->tick();
    });
  }

  void receive(std::size_t index) {
    Link& link = *links_[index];
    link.receiving = true;
    link.socket.async_receive_from(
        boost::asio::buffer(link.arrived), link.sender,
        [self = shared_from_this(), index](Code error, std::size_t count) {
          if (!self->heard_) return;
          if (error) {
            // Received again from the next tick on: a broken link must not spin the loop.
            self->links_[index]->receiving = false;
            return;
          }
          self->arrived(index, count);
        });
  }

  void arrived(std::size_t index, std::size_t count) {
    const auto heartbeat = decode_heartbeat({links_[index]->arrived.data(), count}, key_);
    const bool news = heartbeat && filter_.accept(*heartbeat, index);
    receive(index);
    const auto heard = heard_;  // the callback may stop us
    if (news) (*heard)(index, {heartbeat->generation, heartbeat->guest, heartbeat->run});
  }

  boost::asio::io_context& loop_;
  boost::asio::steady_timer timer_;
  HeartbeatOptions options_;
  Key key_;
  HeartbeatFilter filter_;
  std::shared_ptr<HeartbeatLinks::Heard> heard_;
  std::vector<std::unique_ptr<Link>> links_;
  Heartbeat own_;
  Clock::time_point next_;
};

class UdpHeartbeatLinks : public HeartbeatLinks {
 public:
  explicit UdpHeartbeatLinks(std::shared_ptr<LinksCore> core) : core_(std::move(core)) {}
  ~UdpHeartbeatLinks() override { core_->stop(); }

  void set_state(Generation generation, wire::GuestHere guest) override {
    core_->set_state(generation, guest);
  }
  Result<void> set_peer(std::size_t link, const udp::endpoint& peer) override {
    return core_->set_peer(link, peer);
  }

 private:
  std::shared_ptr<LinksCore> core_;
};

}  // namespace

Result<std::unique_ptr<HeartbeatLinks>> HeartbeatLinks::start(boost::asio::io_context& loop,
                                                              HeartbeatOptions options,
                                                              Heard heard) {
  auto core = std::make_shared<LinksCore>(loop, std::move(options), std::move(heard));
  if (auto opened = core->open(); !opened) return fail(opened.error());
  core->start();
  return std::make_unique<UdpHeartbeatLinks>(std::move(core));
}

}  // namespace colo::io
