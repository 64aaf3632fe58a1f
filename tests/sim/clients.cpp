#include "tests/sim/clients.h"

#include <cstring>

#include "tests/sim/world.h"

namespace colo::sim {

namespace {

namespace net = compare::frames;

constexpr std::uint32_t requests_max = 12;  // of one connection
constexpr Duration patience = std::chrono::milliseconds(150);
constexpr std::uint32_t window = 65'536;

std::string text_of(std::initializer_list<std::uint32_t> numbers) {
  std::string text;
  for (const std::uint32_t number : numbers) {
    text.append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  return text;
}

std::uint32_t name_of(const Connection& connection) {
  return connection.serial << 8U | static_cast<std::uint32_t>(connection.client);
}

}  // namespace

std::string request_text(const Connection& connection, std::uint32_t number) {
  return text_of({name_of(connection), number});
}

std::string answer_text(const Connection& connection, std::uint32_t number, Point point) {
  return text_of({point, name_of(connection), number, 0});
}

void Clients::start() {
  tick();
  for (std::size_t i = 0; i < clients; ++i) {
    clients_[i].connection.client = i;
    turn(i);
  }
}

// What a client sends reaches every host, as on one Ethernet; who has the guest takes it.
void Clients::tick() {
  world_.queue.after(world_.settings.guest_step, no_process, [this] { tick(); });
  world_.to_hosts(tick_frame(++ticks_));
}

void Clients::turn(std::size_t index) {
  world_.queue.after(world_.settings.client_step, no_process, [this, index] { turn(index); });
  act(clients_[index]);
}

void Clients::begin_anew() {
  for (Client& client : clients_) client.begun = false;
}

std::array<std::uint64_t, clients> Clients::answers() const {
  std::array<std::uint64_t, clients> all{};
  for (std::size_t i = 0; i < clients; ++i) all[i] = clients_[i].answers;
  return all;
}

// --- what a client says --------------------------------------------------------------------------

void Clients::act(Client& client) {
  if (!client.begun) return begin(client);
  const bool waits = !client.open || client.sent > client.answered * request_bytes;
  if (waits) {
    if (world_.queue.now() - client.asked < patience) return;
    client.asked = world_.queue.now();
    if (!client.open) return say(client, net::syn);
    return request(client, client.answered);
  }
  if (client.answered >= requests_max) {
    say(client, net::rst | net::ack);
    return begin(client);
  }
  client.asked = world_.queue.now();
  request(client, client.answered);
}

void Clients::begin(Client& client) {
  const std::uint64_t answers = client.answers;
  const Connection next{client.connection.client, client.connection.serial + 1};
  client = Client{};
  client.connection = next;
  client.answers = answers;
  client.begun = true;
  client.asked = world_.queue.now();
  say(client, net::syn);
}

void Clients::request(Client& client, std::uint32_t number) {
  client.sent = number * request_bytes;  // again, where it was said before
  say(client, net::ack, request_text(client.connection, number));
  client.sent += request_bytes;
}

void Clients::say(Client& client, std::uint8_t flags, std::string payload) {
  Segment segment;
  segment.seq = first_number(client.connection) + ((flags & net::syn) != 0 ? 0 : 1 + client.sent);
  segment.ack = (flags & net::syn) != 0 ? 0 : client.next;
  segment.flags = flags;
  segment.payload = std::move(payload);
  const auto now =
      std::chrono::duration_cast<std::chrono::milliseconds>(world_.queue.now().time_since_epoch());
  segment.timestamps = {static_cast<std::uint32_t>(now.count()), client.seen};
  world_.to_hosts(segment_of_client(client.connection, segment));
}

// --- what it hears -------------------------------------------------------------------------------

void Clients::receive(const Bytes& frame) {
  if (!is_tcp(frame)) return;
  const Connection connection = connection_of(frame, true);
  Client& client = clients_[connection.client];
  if (!client.begun || client.connection.serial != connection.serial) return;
  const auto segment = net::read_tcp(frame);
  if (!segment || !segment->timestamps) {
    world_.judge.broken("L1", "a client received a damaged segment");
    return;
  }
  const std::uint32_t acknowledged = segment->ack - first_number(connection) - 1;
  if (acknowledged > client.sent) {
    world_.judge.broken("L1", "a client was told that bytes arrived which it never sent");
    return;
  }
  if ((segment->flags & net::syn) != 0) return opened(client, *segment);
  if (!client.open) return;
  const std::uint32_t stamp = segment->timestamps->first;
  if (stamp - client.seen > 0x80000000U) {  // PAWS (RFC 7323)
    world_.reach.mark(Mark::segment_too_old);
    return;
  }
  client.seen = stamp;
  if (!segment->payload.empty()) read(client, *segment);
}

void Clients::opened(Client& client, const Segment& segment) {
  // Perhaps with another first number: of a survivor that has not heard this client's answer to the
  // first. A client that is connected answers with what it has (RFC 5961), which tells the
  // survivor.
  if (client.open) return say(client, net::ack);
  client.open = true;
  client.next = segment.seq + 1;
  client.seen = segment.timestamps->first;
  say(client, net::ack);
}

void Clients::read(Client& client, const Segment& segment) {
  const std::uint32_t ahead = segment.seq - client.next;
  const std::uint32_t behind = client.next - segment.seq;
  if (ahead > window && behind > window) {
    world_.judge.broken("L1", "a client received numbers of another connection");
    return;
  }
  if (ahead != 0 && ahead <= window) return;  // what is in front of it was lost; said again
  if (behind >= segment.payload.size()) return say(client, net::ack);
  client.part += segment.payload.substr(behind);
  client.next += static_cast<std::uint32_t>(segment.payload.size()) - behind;
  while (client.part.size() >= answer_bytes) answered(client);
  say(client, net::ack);
}

void Clients::answered(Client& client) {
  const std::string expected = answer_text(client.connection, client.answered, 0);
  constexpr std::size_t behind_point = 4;
  if (client.part.compare(behind_point, 8, expected, behind_point, 8) != 0) {
    world_.judge.broken("L1", "a client read an answer that is not to its request");
  }
  client.part.erase(0, answer_bytes);
  ++client.answered;
  ++client.answers;
}

}  // namespace colo::sim
