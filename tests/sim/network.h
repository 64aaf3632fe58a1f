// The simulated network: paths between the two hosts, datagrams on them, and lanes, which are
// streams like TCP: in order, delayed by outages, and then going on or timing out.
//
// A path carries each direction on its own; a direction that is down drops silently. A datagram
// may be lost, delayed, doubled or overtaken. A lane's bytes wait for the path; who sent them sees
// no progress meanwhile and gives up by its own time-out. The kernel of a frozen engine still takes
// bytes; a host without power takes nothing, and once it is back it answers with a reset.
//
// Threads: none.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/types.h"
#include "tests/sim/random.h"
#include "tests/sim/settings.h"
#include "wire/header.h"
#include "wire/messages.h"

namespace colo::sim {

class World;

// Hello, welcome or attach.
struct Greeting {
  std::string run;
  wire::Token session{};           // welcome, attach
  bool resumes = false;            // welcome; its epoch is the base then
  std::optional<wire::Held> held;  // hello
};

struct Message {
  wire::Kind kind = wire::Kind::invalid;
  Generation generation;
  Epoch epoch;
  bool flag = false;  // goodbye: the guest ends; guest_ended: by itself; mode: colo
  wire::GuestHere guest = wire::GuestHere::none;  // alive
  std::shared_ptr<const Greeting> greeting;
  Bytes frame;  // on a bulk lane, instead of all these; packets, flows: what they carry
};

class Lane : public std::enable_shared_from_this<Lane> {
 public:
  Lane(World& world, std::size_t path) : world_(world), path_(path) {}

  struct Handlers {
    std::function<void(Message&)> frame;
    std::function<void(bool certain)> ended;  // once; nothing is called after it
  };
  // What arrived before waits for it.
  void start(std::size_t side, Handlers handlers);
  void send(std::size_t side, Message message);
  // Sends what was queued, then the end.
  void close(std::size_t side);
  // The process died: a tail of what it queued is lost with it.
  void abort(std::size_t side);
  void vanish(std::size_t side);  // the host lost power: nothing more is said
  void reset();                   // something in between ended it for both
  // Nothing that this side sent was taken for this long.
  [[nodiscard]] bool stuck(std::size_t side, Duration limit) const;
  [[nodiscard]] bool open(std::size_t side) const { return ends_[side].open; }
  void retry();  // a path is back, or a reader

 private:
  struct Queued {
    Instant at;
    Message message;
    bool end = false;
  };
  struct End {
    bool open = true;
    bool gone = false;  // without a word
    bool started = false;
    Handlers handlers;
    std::deque<Queued> sent;  // not taken by the other side yet
    bool delivering = false;
    Instant last{};
    std::optional<Instant> waiting_since;
  };
  void schedule(std::size_t side);
  void deliver(std::size_t side);
  void finish(std::size_t side, bool certain);

  World& world_;
  const std::size_t path_;
  End ends_[2];
};

class Network {
 public:
  explicit Network(World& world) : world_(world) {}

  // From this host towards the other.
  [[nodiscard]] bool up(std::size_t path, std::size_t from) const { return down_[path][from] == 0; }
  void take_down(std::size_t path, std::size_t from) { ++down_[path][from]; }
  void bring_up(std::size_t path, std::size_t from);
  [[nodiscard]] Duration delay(std::size_t path);
  [[nodiscard]] std::size_t heartbeat_path(std::size_t link) const;
  [[nodiscard]] std::size_t paths() const;
  void make_lossy(unsigned per_mille) { extra_loss_ = per_mille; }
  void make_slow(Duration extra) { extra_delay_ = extra; }
  void heal();

  void beat(std::size_t from);  // a heartbeat on every link
  // Dials from this host: `done` with a lane or without. The listener hears of it first.
  void dial(std::size_t from, Message opening, std::function<void(std::shared_ptr<Lane>)> done);
  void retry_lanes();
  void reset_lanes();
  void vanish(std::size_t host);  // lanes of a host that lost power

 private:
  void try_dial(std::size_t from, Instant until, std::shared_ptr<Message> opening,
                std::function<void(std::shared_ptr<Lane>)> done);
  void remember(const std::shared_ptr<Lane>& lane);

  World& world_;
  int down_[4][2] = {};
  unsigned extra_loss_ = 0;
  Duration extra_delay_{};
  std::vector<std::weak_ptr<Lane>> lanes_;
};

}  // namespace colo::sim
