// The clients of the simulated guest: one that sends and wants no answer, and TCP connections, one
// after the other, on which each request is answered before the next. A client reads what reaches
// it as a client does, and complains of what cannot be: an answer that does not follow from the one
// before, numbers of another connection, an acknowledgement of what it never sent.
//
// Threads: none.
#pragma once

#include <array>
#include <string>

#include "tests/sim/frames.h"

namespace colo::sim {

class World;

class Clients {
 public:
  explicit Clients(World& world) : world_(world) {}

  void start();
  void receive(const Bytes& frame);
  // The guest began anew, or went back by order: what was is no more.
  void begin_anew();
  // Answers so far, of each client.
  [[nodiscard]] std::array<std::uint64_t, clients> answers() const;

 private:
  struct Client {
    Connection connection;
    bool begun = false;
    bool open = false;
    std::uint32_t sent = 0;      // bytes of requests
    std::uint32_t next = 0;      // the number that the guest's next byte has
    std::uint32_t answered = 0;  // requests
    std::uint32_t seen = 0;      // the guest's newest timestamp
    std::string part;            // of an answer
    std::uint64_t answers = 0;   // of all connections
    Instant asked{};
  };
  void tick();
  void turn(std::size_t index);
  void act(Client& client);
  void begin(Client& client);
  void say(Client& client, std::uint8_t flags, std::string payload = {});
  void request(Client& client, std::uint32_t number);
  void opened(Client& client, const Segment& segment);
  void read(Client& client, const Segment& segment);
  void answered(Client& client);

  World& world_;
  std::array<Client, clients> clients_;
  std::uint64_t ticks_ = 0;
};

// A request and the answer to it, as bytes.
[[nodiscard]] std::string request_text(const Connection& connection, std::uint32_t number);
[[nodiscard]] std::string answer_text(const Connection& connection, std::uint32_t number,
                                      Point point);
inline constexpr std::uint32_t request_bytes = 8;
inline constexpr std::uint32_t answer_bytes = 16;

}  // namespace colo::sim
