// The secondary's side of the engine: the primary's words of COLO mode.

#include <spdlog/spdlog.h>

#include <utility>

#include "app/engine_secondary.h"

namespace colo::app {

bool SecondarySide::on_replica_word(secondary::Session number, const wire::Frame& frame) {
  if (!session_->welcomed) return false;
  Result<void> taken;
  switch (frame.header.kind) {
    case wire::Kind::packets:
      taken = on_packets(frame);
      break;
    case wire::Kind::flows:
      taken = on_flows(number, frame);
      break;
    case wire::Kind::mode: {
      const auto mode = wire::decode_mode(frame.body);
      if (mode) {
        mode_told({number, frame.header.epoch, mode->colo});
      } else {
        taken = fail(mode.error());
      }
      break;
    }
    default:
      return false;
  }
  if (!taken) suspect(number, taken.error(), /*lane_closed=*/true);
  return true;
}

Result<void> SecondarySide::on_packets(const wire::Frame& frame) {
  const auto packets = wire::decode_packets(frame.body);
  if (!packets) return fail(packets.error());
  for (const wire::PacketView& packet : *packets) {
    auto taken = host_.gate->deliver(frame.header.epoch, packet.port, packet.bytes);
    if (!taken) return taken;
  }
  return {};
}

// A checkpoint whose connections are rewritten is of no use without the table of them.
Result<void> SecondarySide::on_flows(secondary::Session number, const wire::Frame& frame) {
  const auto flows = wire::decode_flows(frame.body);
  if (!flows) return fail(flows.error());
  const Epoch checkpoint = frame.header.epoch;
  // Of no checkpoint of this session: it says that each of them comes with one.
  if (checkpoint <= session_->base.value_or(Epoch{0})) {
    session_->tables_come = true;
    return {};
  }
  if ((checkpoint <= core_.committed() && committed_flows_)) return {};
  start_standby();  // the checkpoint is cut: a standby that waits is needed soon
  const auto whole = session_->tables.add(checkpoint, *flows);
  if (!whole) return fail(whole.error());
  if (!*whole) return {};
  if (session_->staged == checkpoint) {
    session_->staged.reset();
    feed(secondary::StagedComplete{number, checkpoint});
  } else if (checkpoint == core_.committed()) {
    committed_flows_ = session_->tables.take(checkpoint);
    start_replica();
  }
  return {};
}

bool SecondarySide::table_is_due(Epoch checkpoint) const {
  if (session_->tables_come) return true;
  return session_->run_from && checkpoint >= *session_->run_from;
}

void SecondarySide::mode_told(const secondary::ModeTold& told) {
  if (!session_->detector) {  // the primary has our bulk lane before we hear of it
    session_->early = told;
    return;
  }
  spdlog::info("mode {} from checkpoint {} on", told.colo ? "colo" : "periodic", told.from.value);
  session_->run_from.reset();
  if (told.colo) session_->run_from = told.from;
  feed(told);
  // The checkpoint may be here before the word that its table does not come.
  if (session_ && session_->staged && !table_is_due(*session_->staged)) {
    feed(secondary::StagedComplete{session_->number, *std::exchange(session_->staged, {})});
  }
}

}  // namespace colo::app
