// The messages of COLO mode.

#include "base/check.h"
#include "wire/codec.h"
#include "wire/decoder.h"

namespace colo::wire {

static_assert(1 + sizeof(std::uint32_t) + flows_part_bytes_max <= control_body_bytes_max);

Bytes encode(const ReplicaRuns&, FrameNumbers numbers) {
  return bare_frame(Kind::replica_runs, numbers);
}
Result<ReplicaRuns> decode_replica_runs(ByteView body) {
  return bare_message<ReplicaRuns>(Kind::replica_runs, body);
}

Bytes encode(const ReplicaLost& lost, FrameNumbers numbers) {
  return error_frame(Kind::replica_lost, lost.error, numbers);
}
Result<ReplicaLost> decode_replica_lost(ByteView body) {
  return error_message<ReplicaLost>(Kind::replica_lost, body);
}

Bytes encode(const Ask& ask, FrameNumbers numbers) {
  return frame_of(Kind::ask, numbers,
                  [&](ByteWriter& out) { out.text(ask.reason, text_bytes_max); });
}
Result<Ask> decode_ask(ByteView body) {
  return message_of<Ask>(Kind::ask, body, [](ByteReader& in, Ask& ask) {
    ask.reason = in.text("reason", text_bytes_max);
  });
}

Bytes encode(const Mode& mode, FrameNumbers numbers) {
  return frame_of(Kind::mode, numbers, [&](ByteWriter& out) { out.flag(mode.colo); });
}
Result<Mode> decode_mode(ByteView body) {
  return message_of<Mode>(Kind::mode, body,
                          [](ByteReader& in, Mode& mode) { mode.colo = in.flag("colo"); });
}

Bytes encode(const Flows& flows, FrameNumbers numbers) {
  COLO_CHECK(flows.part.size() <= flows_part_bytes_max);
  return frame_of(Kind::flows, numbers, [&](ByteWriter& out) {
    out.flag(flows.last);
    out.integer(static_cast<std::uint32_t>(flows.part.size()));
    out.raw(flows.part);
  });
}
Result<Flows> decode_flows(ByteView body) {
  return message_of<Flows>(Kind::flows, body, [](ByteReader& in, Flows& flows) {
    flows.last = in.flag("last");
    const auto length = in.integer<std::uint32_t>("length");
    if (length > flows_part_bytes_max) {
      in.refuse("length",
                std::to_string(length) + ", at most " + std::to_string(flows_part_bytes_max));
      return;
    }
    const ByteView part = in.take(length, "part");
    flows.part.assign(part.begin(), part.end());
  });
}

}  // namespace colo::wire
