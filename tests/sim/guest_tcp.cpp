#include "tests/sim/guest_tcp.h"

namespace colo::sim {

namespace {

namespace net = compare::frames;

}  // namespace

// From a place in what is not acknowledged yet.
Bytes GuestTcp::say(const Flow& flow, std::uint8_t flags, std::uint32_t from, std::uint32_t size,
                    std::uint32_t clock) {
  Segment segment;
  const bool syn = (flags & net::syn) != 0;
  segment.seq = flow.isn + (syn ? 0 : 1 + flow.acknowledged + from);
  segment.ack = first_number(flow.connection) + 1 + flow.received;
  segment.flags = flags;
  segment.payload = flow.unacknowledged.substr(from, size);
  segment.timestamps = {clock + flow.clock, flow.stamp};
  return segment_of_guest(flow.connection, segment, size > 0 ? flow.point : 0);
}

std::string GuestTcp::take(const Bytes& frame, std::uint32_t clock, Random& random,
                           std::deque<Bytes>& outbox) {
  const auto segment = net::read_tcp(frame);
  if (!segment || !segment->timestamps) return {};
  const Connection connection = connection_of(frame, false);
  Flow& flow = flows_[connection.client];
  if ((segment->flags & net::syn) != 0) {
    if (flow.connection.serial > connection.serial) return {};
    if (flow.connection.serial != connection.serial) {
      flow = Flow{};
      flow.connection = connection;
      flow.isn = static_cast<std::uint32_t>(random.next());
      flow.clock = static_cast<std::uint32_t>(random.next());
    }
    flow.stamp = segment->timestamps->first;
    flow.open = true;
    outbox.push_back(say(flow, net::syn | net::ack, 0, 0, clock));
    return {};
  }
  if (!flow.open || flow.connection.serial != connection.serial) return {};
  if ((segment->flags & net::rst) != 0) {
    flow.open = false;
    return {};
  }
  flow.stamp = segment->timestamps->first;
  const std::uint32_t acknowledged = segment->ack - (flow.isn + 1) - flow.acknowledged;
  if (acknowledged <= flow.unacknowledged.size()) {
    flow.unacknowledged.erase(0, acknowledged);
    flow.acknowledged += acknowledged;
  }
  if (segment->payload.empty()) return {};
  const std::uint32_t at = segment->seq - (first_number(connection) + 1);
  if (at != flow.received) {  // said again: it may have missed the answer
    const auto size = static_cast<std::uint32_t>(flow.unacknowledged.size());
    outbox.push_back(say(flow, net::ack, 0, size, clock));
    return {};
  }
  flow.received += static_cast<std::uint32_t>(segment->payload.size());
  return segment->payload;
}

// Now and then the acknowledgement goes out first, and the answer in two pieces.
void GuestTcp::answer(const Connection& connection, Point point, std::uint32_t clock,
                      Random& random, std::deque<Bytes>& outbox) {
  Flow& flow = flows_[connection.client];
  if (random.chance(300)) outbox.push_back(say(flow, net::ack, 0, 0, clock));
  const auto from = static_cast<std::uint32_t>(flow.unacknowledged.size());
  flow.unacknowledged += answer_text(connection, flow.received / request_bytes - 1, point);
  flow.point = point;
  const std::uint32_t first = random.chance(300) ? answer_bytes / 3 : answer_bytes;
  outbox.push_back(say(flow, net::ack, from, first, clock));
  if (first == answer_bytes) return;
  outbox.push_back(say(flow, net::ack, from + first, answer_bytes - first, clock));
}

AllReceived GuestTcp::received() const {
  AllReceived all{};
  for (std::size_t i = 0; i < clients; ++i) {
    all[i] = {flows_[i].connection.serial, flows_[i].received};
  }
  return all;
}

}  // namespace colo::sim
