#include "tests/pair/judge.h"

#include <algorithm>

namespace colo::pair {

void Judge::broken(const std::string& law, const std::string& what) {
  const std::string text = law + ": " + what;
  // A broken law is often broken by every frame that follows: told once.
  if (std::find(violations_.begin(), violations_.end(), text) == violations_.end() &&
      violations_.size() < 5) {
    violations_.push_back(text);
  }
}

void Judge::captured(std::uint64_t session, Epoch epoch, const Memory& memory, Point point) {
  captured_[{session, epoch.value}] = {memory, point};
}

void Judge::committed(std::uint64_t session, Epoch epoch, Generation generation) {
  const auto at = captured_.find({session, epoch.value});
  if (at == captured_.end()) {
    broken("L2", "checkpoint " + std::to_string(epoch.value) + " was committed, never captured");
    return;
  }
  committed_ = at->second.point;
  committed_in_ = generation;
  takeable_ = ever_committed_ = true;
  replica_.reset();
}

void Judge::spoke(const Speech& speech, const std::vector<heartbeat::Ownership>& history) {
  const std::string who = speech.host + " in generation " + std::to_string(speech.generation.value);
  auto& speaker = speakers_[speech.generation.value];
  if (speaker.empty()) speaker = speech.host;
  if (speaker != speech.host) broken("L4", who + " spoke, and so did " + speaker);
  bool owner = false;
  for (const auto& one : history) {
    if (one.generation == speech.generation) owner = one.owner == speech.host;
  }
  if (!owner) broken("L4", who + " spoke without owning it");
  const bool current = !history.empty() && history.back().generation == speech.generation;
  // Between a won claim and its answer the generation here is the one before; nobody else's.
  const bool still = !history.empty() && history.back().owner == speech.host;
  if (!still && !speech.held) broken("L4", who + " spoke freely after it lost the guest");
  // What somebody could still take over from, or did, must contain the frame.
  const bool takeable = takeable_ && current && committed_in_ == speech.generation;
  const bool contained = story_.is_past_of(speech.point, committed_) ||
                         (replica_ && story_.is_past_of(speech.point, *replica_));
  if ((speech.held || takeable) && !contained) {
    broken("L1", who + " released a frame that no complete checkpoint or replica contains");
  }
  if (story_.is_past_of(speech.point, client_saw_)) return;  // late, but of the same story
  if (!story_.is_past_of(client_saw_, speech.point)) {
    broken("L1", "the client saw a frame that is not in the past of what " + speech.host + " runs");
  }
  client_saw_ = speech.point;
}

void Judge::loaded(std::uint64_t session, Epoch epoch, const Memory& memory,
                   ByteView device_state) {
  const auto at = captured_.find({session, epoch.value});
  if (at == captured_.end()) {
    broken("L2", "a checkpoint was loaded that was never captured");
    return;
  }
  if (decode_point(device_state) != at->second.point) {
    broken("L2", "the device state is of another checkpoint than the memory");
  }
  for (const auto& [page, bytes] : at->second.memory) {
    if (memory.at(page) != bytes) {
      broken("L2", "page " + std::to_string(page.page) + " of region " +
                       std::to_string(page.region) + " differs from the captured one");
    }
  }
}

void Judge::replica_is_at(Point point) { replica_ = point; }

void Judge::replica_ended() { takeable_ = false; }

void Judge::resumed(Point point) {
  takeable_ = false;
  if (!story_.is_past_of(client_saw_, point)) {
    broken("L1", "the client saw a frame that the guest taken over from never sent");
  }
}

void Judge::paused_by_core(const std::string& host, const heartbeat::Ownership& current) {
  if (current.owner == host) broken("L6", host + " paused the guest that it owns");
}

void Judge::copies(bool any) {
  if (ever_committed_ && !any) broken("L3", "neither a guest nor a complete checkpoint is left");
}

}  // namespace colo::pair
