// What the gate says: from its thread to the loop, where the side of this moment hears it.

#include <spdlog/spdlog.h>

#include <boost/asio/post.hpp>

#include "app/engine_core.h"

namespace colo::app {

namespace {

std::size_t bytes_of(const std::vector<io::PortFrame>& frames) {
  std::size_t bytes = 0;
  for (const io::PortFrame& frame : frames) bytes += frame.bytes.size();
  return bytes;
}

}  // namespace

void send_packets(io::ControlLane& lane, const std::vector<io::PortFrame>& frames,
                  Generation generation, Epoch tag) {
  wire::PacketsFrame packets;
  for (const io::PortFrame& frame : frames) {
    const auto port = static_cast<std::uint8_t>(frame.port);
    if (packets.add(port, frame.bytes)) continue;
    lane.send_packets(packets, generation, tag);
    (void)packets.add(port, frame.bytes);  // a whole body has room for any frame
  }
  if (!packets.empty()) lane.send_packets(packets, generation, tag);
}

template <class Tell>
void Engine::from_gate(Tell tell) {
  boost::asio::post(loop_, [this, tell = std::move(tell)]() mutable {
    if (const auto side = side_) tell(*side);
  });
}

// Frames count against the lane's room until the side has given them to it.
template <class Tell>
void Engine::frames_from_gate(std::vector<io::PortFrame> frames, Tell tell) {
  const std::size_t bytes = bytes_of(frames);
  host_.lane_room.given(bytes);
  boost::asio::post(loop_,
                    [this, bytes, frames = std::move(frames), tell = std::move(tell)]() mutable {
                      if (const auto side = side_) tell(*side, frames);
                      host_.lane_room.taken(bytes);
                      if (host_.lane_room.again()) host_.gate->room_again();
                    });
}

io::PacketGate::Handlers Engine::gate_handlers() {
  io::PacketGate::Handlers handlers;
  handlers.full = [this] { from_gate([](Side& side) { side.output_full(); }); };
  handlers.trouble = [](const Error& error) { spdlog::error("network: {}", error.text()); };
  handlers.began = [this](Epoch tag, Bytes flows) {
    from_gate([tag, flows = std::move(flows)](Side& side) { side.epoch_began(tag, flows); });
  };
  handlers.inbound = [this](Epoch tag, std::vector<io::PortFrame> frames) {
    frames_from_gate(std::move(frames),
                     [tag](Side& side, const auto& all) { side.inbound(tag, all); });
  };
  handlers.replica_sent = [this](Epoch tag, std::vector<io::PortFrame> frames) {
    frames_from_gate(std::move(frames),
                     [tag](Side& side, const auto& all) { side.replica_sent(tag, all); });
  };
  handlers.asked = [this](Epoch tag, const compare::Ask& ask) {
    from_gate([tag, ask](Side& side) { side.checkpoint_wanted(tag, ask); });
  };
  handlers.behind = [this] { from_gate([](Side& side) { side.replica_behind(); }); };
  handlers.room = [this] { return host_.lane_room.left(); };
  return handlers;
}

}  // namespace colo::app
