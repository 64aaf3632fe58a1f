// The primary's side of the engine: COLO mode.

#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>

#include "app/engine_primary.h"
#include "io/clock.h"

namespace colo::app {

namespace {

// What lies behind a survivor's own pages is looked for again this long after nothing was found.
constexpr auto between_searches = std::chrono::seconds(5);

primary::CheckpointReason reason_of(compare::Reason reason) {
  switch (reason) {
    case compare::Reason::differ_payload:
    case compare::Reason::differ_event:
      return primary::CheckpointReason::different;
    case compare::Reason::silence:
    case compare::Reason::fragments:
      return primary::CheckpointReason::silence;
    case compare::Reason::surplus:
    case compare::Reason::held:
    case compare::Reason::flows:
      break;
  }
  return primary::CheckpointReason::full;
}

}  // namespace

primary::Mode core_mode(Mode mode) {
  switch (mode) {
    case Mode::periodic:
      return primary::Mode::periodic;
    case Mode::colo:
      return primary::Mode::colo;
    case Mode::automatic:
      break;
  }
  return primary::Mode::automatic;
}

// --- actions -------------------------------------------------------------------------------------

void PrimarySide::execute(const primary::StartComparing& action) {
  if (session(action.session) == nullptr) return;
  session_->compares = true;
  host_.guest_worker.post([gate = host_.gate.get(), session = session_] {
    session->exact_cuts = true;
    gate->compare();
  });
}

void PrimarySide::execute(const primary::StopComparing& action) {
  if (session(action.session) == nullptr) return;
  session_->compares = false;
  host_.guest_worker.post([gate = host_.gate.get(), session = session_] {
    session->exact_cuts = false;
    gate->compare_not();
  });
}

void PrimarySide::execute(const primary::TellMode& action) {
  spdlog::info("mode {} from checkpoint {} on: {}", action.colo ? "colo" : "periodic",
               action.from.value, action.reason);
  mode_since_unix_ns_ = unix_now_ns();
  if (session(action.session) == nullptr) return;
  session_->lane->send(wire::Mode{action.colo}, core_.generation(), action.from);
}

// --- the gate's words ----------------------------------------------------------------------------

void PrimarySide::lane_queue() {
  host_.lane_room.queued(session_ && session_->lane ? session_->lane->queued_bytes() : 0);
}

void PrimarySide::epoch_began(Epoch tag, const Bytes& flows) {
  if (!session_ || !session_->bulk || tag == Epoch{0}) return;
  const Epoch checkpoint{tag.value - 1};
  std::size_t at = 0;
  do {
    const std::size_t size = std::min(flows.size() - at, wire::flows_part_bytes_max);
    const auto part = ByteView(flows).subspan(at, size);
    at += size;
    session_->lane->send(wire::Flows{at == flows.size(), Bytes(part.begin(), part.end())},
                         core_.generation(), checkpoint);
  } while (at < flows.size());
  lane_queue();
}

void PrimarySide::inbound(Epoch tag, const std::vector<io::PortFrame>& frames) {
  if (!session_ || !session_->compares) return;
  send_packets(*session_->lane, frames, core_.generation(), tag);
  lane_queue();
}

void PrimarySide::checkpoint_wanted(Epoch tag, const compare::Ask& ask) {
  if (!session_ || !session_->compares) return;
  const char* word = compare::word(ask.reason);
  // A storm of differences is one line a second.
  const Instant now = io::steady_now();
  ++asks_since_told_;
  if (now - asks_told_ >= std::chrono::seconds(1)) {
    spdlog::info("a checkpoint is asked for: {}{} ({} times)", word,
                 Words::behind(" of ", ask.flow), asks_since_told_);
    asks_told_ = now;
    asks_since_told_ = 0;
  }
  feed(primary::CompareAsked{session_->number, tag, reason_of(ask.reason)});
}

// --- the secondary's words -----------------------------------------------------------------------

// This process stood still, and the peer may have taken over since: what it acknowledged or
// compared before must not leave now, behind what the other host's guest says.
bool PrimarySide::stood_still(primary::Session number) {
  if (io::steady_now() - last_beat_ <= host_.config.heartbeat.lost_after) return false;
  lose(number, {"stood-still", "this engine stood still for longer than lost_after", ""}, false);
  return true;
}

void PrimarySide::on_packets(primary::Session number, const wire::Frame& frame) {
  if (stood_still(number)) return;
  if (!session_->compares) return;  // of an incarnation that nobody compares with any more
  const auto packets = wire::decode_packets(frame.body);
  if (!packets) return lose(number, packets.error(), false);
  for (const wire::PacketView& packet : *packets) {
    const auto taken = host_.gate->replica_frame(frame.header.epoch, packet.port, packet.bytes);
    if (!taken) return lose(number, taken.error(), false);
  }
}

bool PrimarySide::on_replica_word(primary::Session number, const wire::Frame& frame) {
  switch (frame.header.kind) {
    case wire::Kind::packets:
      on_packets(number, frame);
      return true;
    case wire::Kind::replica_runs:
      spdlog::debug("the replica of checkpoint {} runs", frame.header.epoch.value);
      if (session_->compares) host_.gate->replica_runs(frame.header.epoch.next());
      feed(primary::ReplicaRuns{number, frame.header.epoch});
      return true;
    case wire::Kind::replica_lost: {
      const auto lost = wire::decode_replica_lost(frame.body);
      const Error error = lost ? lost->error : lost.error();
      spdlog::warn("{} has no replica any more: {}", session_->host, error.text());
      takeover_ = TakeoverStatus{error.text(), unix_now_ns(), std::nullopt, std::nullopt};
      feed(primary::ReplicaLost{number, error});
      return true;
    }
    case wire::Kind::ask: {
      const auto ask = wire::decode_ask(frame.body);
      if (!ask) {
        lose(number, ask.error(), false);
        return true;
      }
      spdlog::info("{} asks for a checkpoint: {}", session_->host, ask->reason);
      feed(primary::PeerAsksCheckpoint{number, frame.header.epoch, ask->reason});
      return true;
    }
    default:
      return false;
  }
}

// --- a survivor's memory -------------------------------------------------------------------------

// A guest that ran as a replica has copies of its own of what it wrote; the checkpoint's pages
// behind them are of no use any more.
void PrimarySide::release_hidden(Instant now) {
  if (!moved_ || !guest_ || !guest_runs_ || releasing_ || now < release_at_) return;
  releasing_ = true;
  host_.guest_worker.post([weak = weak_from_this(), guest = guest_, &loop = host_.loop] {
    auto pages = guest->release_hidden();
    boost::asio::post(loop, [weak, pages = std::move(pages)] {
      const auto self = weak.lock();
      if (!self) return;
      self->releasing_ = false;
      if (!pages) spdlog::debug("memory is not given back: {}", pages.error().text());
      if (!pages || *pages == 0) self->release_at_ = io::steady_now() + between_searches;
    });
  });
}

}  // namespace colo::app
