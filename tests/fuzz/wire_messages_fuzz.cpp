// Any bytes as the body of any message. Input: one byte that chooses the message, then the body.
// What a decoder takes must be written again as the very same bytes: then nothing in the body was
// overlooked, and two implementations cannot read it differently.
#include <algorithm>
#include <cstdint>

#include "tests/fuzz/require.h"
#include "wire/messages.h"
#include "wire/packets.h"

namespace {

using namespace colo;
using namespace colo::wire;

template <class Message>
void check(ByteView body, Result<Message> (*decode)(ByteView)) {
  const auto message = decode(body);
  if (!message) {
    FUZZ_REQUIRE(message.error().word == "bad-body");
    FUZZ_REQUIRE(!message.error().reason.empty());
    return;
  }
  const Bytes frame = encode(*message, {{1}, {1}, 1});
  FUZZ_REQUIRE(std::ranges::equal(ByteView(frame).subspan(header_bytes), body));
}

void check_packets(ByteView body) {
  const auto packets = decode_packets(body);
  if (!packets) {
    FUZZ_REQUIRE(packets.error().word == "bad-body");
    return;
  }
  PacketsFrame again;
  for (const PacketView& packet : *packets) FUZZ_REQUIRE(again.add(packet.port, packet.bytes));
  const Bytes frame = again.finish({{1}, {1}, 1});
  FUZZ_REQUIRE(std::ranges::equal(ByteView(frame).subspan(header_bytes), body));
}

// The words of COLO mode.
void colo_message(std::uint8_t kind, ByteView body) {
  switch (kind) {
    case 21:
      check<ReplicaRuns>(body, decode_replica_runs);
      break;
    case 22:
      check<ReplicaLost>(body, decode_replica_lost);
      break;
    case 23:
      check<Ask>(body, decode_ask);
      break;
    case 24:
      check<Mode>(body, decode_mode);
      break;
    case 25:
      check<Flows>(body, decode_flows);
      break;
    default:
      break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const ByteView body = std::as_bytes(std::span(data, size)).subspan(1);
  switch (data[0]) {
    case 1:
      check<Hello>(body, decode_hello);
      break;
    case 2:
      check<Welcome>(body, decode_welcome);
      break;
    case 3:
      check<Refuse>(body, decode_refuse);
      break;
    case 4:
      check<Committed>(body, decode_committed);
      break;
    case 5:
      check<Goodbye>(body, decode_goodbye);
      break;
    case 6:
      check<GuestEnded>(body, decode_guest_ended);
      break;
    case 7:
      check<Alive>(body, decode_alive);
      break;
    case 8:
      check<Progress>(body, decode_progress);
      break;
    case 9:
      check<Handover>(body, decode_handover);
      break;
    case 10:
      check<Loaded>(body, decode_loaded);
      break;
    case 11:
      check<LoadFailed>(body, decode_load_failed);
      break;
    case 12:
      check<Go>(body, decode_go);
      break;
    case 13:
      check<Cancel>(body, decode_cancel);
      break;
    case 14:
      check<TookOver>(body, decode_took_over);
      break;
    case 15:
      check_packets(body);
      break;
    case 16:
      check<Attach>(body, decode_attach);
      break;
    case 18:
      check<DeviceState>(body, decode_device_state);
      break;
    case 20:
      check<Commit>(body, decode_commit);
      break;
    default:
      colo_message(data[0], body);
  }
  return 0;
}
