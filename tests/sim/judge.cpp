#include "tests/sim/judge.h"

#include <algorithm>
#include <utility>

namespace colo::sim {

namespace {

std::string number(std::uint64_t value) { return std::to_string(value); }

}  // namespace

void Judge::broken(const std::string& law, const std::string& what) {
  std::string text = law + ": " + what;
  // A broken law is often broken by every frame that follows: told once.
  if (violations_.size() < 5 &&
      std::find(violations_.begin(), violations_.end(), text) == violations_.end()) {
    violations_.push_back(std::move(text));
  }
}

void Judge::granted(const heartbeat::Ownership& ownership, std::size_t asker, bool has_guest,
                    Instant now) {
  if (ownership.generation != owners_.back().generation.next()) {
    broken("L4", "generation " + number(ownership.generation.value) + " was granted twice");
    return;
  }
  owners_.push_back(ownership);
  owner_ = -1;
  for (std::size_t host = 0; host < 2; ++host) {
    if (ownership.owner == host_names[host]) owner_ = static_cast<int>(host);
  }
  given_ = owner_ != static_cast<int>(asker);
  // Given back: until now its guest stood by right.
  for (HostView& view : hosts_) {
    if (view.stands_since) view.stands_since = now;
  }
  // A claim in flight of a host whose guest has died meanwhile: two faults, and nobody can recall
  // the claim.
  if (ownership.owner.empty()) ordered_end_ = true;
  check_copies(!has_guest);
}

bool Judge::contains(const Past& past, const Words& words) const {
  if (words.client && !past.received[*words.client].contains(words.acknowledged)) return false;
  return story_.is_past_of(words.point, past.point);
}

void Judge::forget_clients() {
  client_saw_ = 0;
  client_told_ = {};
  ++beginnings_;
}

std::optional<Past> Judge::copy_of(std::size_t host) const {
  const HostView& view = hosts_[host];
  if (view.guest != 0 && owns(host)) return view.past;
  if (view.checkpoint == 0) return std::nullopt;
  const Generation current = owners_.back().generation;
  const bool won = owns(host) && current == view.committed_in.next();
  if (view.committed_in != current && !won) return std::nullopt;
  if (view.ran != view.checkpoint) return checkpoints_[view.checkpoint].past;
  if (view.replica != 0) return view.replica_past;
  return std::nullopt;
}

void Judge::booted(std::size_t host, std::uint64_t guest) {
  if (any_copy() && !ordered_end_) {
    broken("L3", std::string(host_names[host]) + " booted anew beside a copy that could go on");
  }
  forget_clients();
  ordered_end_ = false;
  hosts_[host].guest = guest;
  hosts_[host].past = {};
  had_copy_ = true;
}

std::uint64_t Judge::captured(const Versions& versions, const Past& past) {
  checkpoints_.push_back({versions, past});
  return checkpoints_.size() - 1;
}

void Judge::committed(std::size_t host, std::uint64_t checkpoint, Generation generation) {
  if (checkpoint == 0 || checkpoint >= checkpoints_.size()) {
    broken("L2", "a checkpoint was committed that was never captured");
    return;
  }
  HostView& view = hosts_[host];
  view.checkpoint = checkpoint;
  view.committed_in = generation;
  view.newest_committed = checkpoints_[checkpoint].past;
  ++commits_;
}

void Judge::forgotten(std::size_t host) { hosts_[host].checkpoint = 0; }

void Judge::loaded(std::size_t host, std::uint64_t checkpoint, const Versions& memory) {
  const std::string who = std::string(host_names[host]) + " loads ";
  if (checkpoint == 0 || checkpoint >= checkpoints_.size()) {
    broken("L2", who + "a device state that was never captured");
    return;
  }
  // A newer one may be completed while this one loads (a switchover that was called off): that
  // standby must not run then. See runs().
  hosts_[host].loaded = checkpoint;
  const Checkpoint& captured = checkpoints_[checkpoint];
  for (std::size_t page = 0; page < all_pages; ++page) {
    if (memory[page] == captured.versions[page]) continue;
    broken("L2", who + "checkpoint " + number(checkpoint) + " over a page " + number(page) +
                     " that is of another instant");
    return;
  }
}

void Judge::replica_runs(std::size_t host, std::uint64_t guest, const Past& past) {
  HostView& view = hosts_[host];
  if (view.replica == guest) return;  // it was paused
  const std::uint64_t ran = std::exchange(view.loaded, 0);
  if (view.replica != 0) broken("L4", std::string(host_names[host]) + " runs two replicas");
  // A newer one may be complete by now: this one is about to be ended, and is no copy.
  if (ran == 0 || ran == view.ran) {
    broken("L2", std::string(host_names[host]) + " runs a second replica of one checkpoint");
  }
  view.replica = guest;
  view.replica_past = past;
  view.ran = ran;
}

void Judge::runs(std::size_t host, std::uint64_t guest, const Past& past) {
  HostView& view = hosts_[host];
  if (owns(host)) given_ = false;
  if (std::exchange(rollback_, false)) forget_clients();
  if (view.guest != guest) {
    if (view.guest != 0) broken("L4", std::string(host_names[host]) + " runs two guests");
    view.guest = guest;  // loaded and resumed: the checkpoint has become a guest
    const bool replica = view.replica == guest;
    const std::uint64_t ran = replica ? view.ran : std::exchange(view.loaded, 0);
    if (replica) view.replica = 0;
    if (view.checkpoint != 0 && ran != view.checkpoint) {
      broken("L2", std::string(host_names[host]) +
                       " runs another checkpoint than its newest complete one");
    }
    view.checkpoint = 0;
    if (!story_.is_past_of(client_saw_, past.point)) {
      broken("L1", std::string("the client saw a frame that the guest which ") + host_names[host] +
                       " runs now never sent");
    }
    for (std::size_t client = 0; client < clients; ++client) {
      if (past.received[client].contains(client_told_[client])) continue;
      broken("L1", std::string("a client was told that bytes arrived which the guest that ") +
                       host_names[host] + " runs now does not have");
    }
  }
  view.running = true;
  view.past = past;
  view.stands_since.reset();
  had_copy_ = had_copy_ || copy(host);
}

void Judge::stands(std::size_t host, std::uint64_t guest, Instant now) {
  if (hosts_[host].guest != guest) return;
  hosts_[host].running = false;
  if (!hosts_[host].stands_since) hosts_[host].stands_since = now;
}

void Judge::steps(std::size_t host, std::uint64_t guest, const Past& past) {
  if (hosts_[host].guest == guest) hosts_[host].past = past;
  if (hosts_[host].replica == guest) hosts_[host].replica_past = past;
}

void Judge::guest_gone(std::size_t host, std::uint64_t guest) {
  if (hosts_[host].replica == guest) hosts_[host].replica = 0;
  if (hosts_[host].guest != guest) return;
  hosts_[host].guest = 0;
  hosts_[host].running = false;
  hosts_[host].stands_since.reset();
}

void Judge::spoke(std::size_t host, Generation generation, const Words& words, bool held) {
  const std::string who =
      std::string(host_names[host]) + " in generation " + number(generation.value);
  if (speakers_.size() <= generation.value) speakers_.resize(generation.value + 1, -1);
  int& speaker = speakers_[generation.value];
  if (speaker < 0) speaker = static_cast<int>(host);
  if (speaker != static_cast<int>(host)) {
    broken("L4", who + " spoke, and so did " + host_names[other(host)]);
  }
  if (generation.value >= owners_.size() || owners_[generation.value].owner != host_names[host]) {
    broken("L4", who + " spoke without owning it");
  }
  if (!held && !owns(host)) broken("L4", who + " spoke freely after it lost the guest");
  const HostView& peer = hosts_[other(host)];
  if (held && !contains(peer.newest_committed, words) && !contains(peer.replica_past, words)) {
    broken("L1", who + " released what no complete checkpoint or replica contains");
  }
  if (const auto copy = copy_of(other(host)); copy && !contains(*copy, words)) {
    broken("L1", who + " released what is missing in what its peer can go on with");
  }
  if (words.client && words.acknowledged.contains(client_told_[*words.client])) {
    client_told_[*words.client] = words.acknowledged;
  }
  const Point point = words.point;
  if (story_.is_past_of(point, client_saw_)) return;  // late, but of the same story
  if (hosts_[host].guest != 0 && !story_.is_past_of(client_saw_, hosts_[host].past.point)) {
    broken("L1", who + " speaks, and the client saw what is not in its guest's past");
  }
  if (!story_.is_past_of(client_saw_, point)) {
    broken("L1", "the client saw frames of two stories, the last of " + who);
  }
  client_saw_ = point;
}

void Judge::paused_by_core(std::size_t host) {
  if (owns(host) && !given_ && hosts_[host].guest != 0) {
    broken("L6", std::string(host_names[host]) + " paused the guest that it owns");
  }
}

void Judge::check_copies(bool by_fault) {
  const bool any = any_copy();
  if (had_copy_ && !any && !by_fault && !ordered_end_) {
    broken("L3", "a decision cost the last copy that could go on");
  }
  had_copy_ = any;
}

void Judge::check_pauses(Instant now, Duration bound) {
  for (std::size_t host = 0; host < 2; ++host) {
    const HostView& view = hosts_[host];
    if (view.guest == 0 || !view.stands_since || !owns(host)) continue;
    if (now - *view.stands_since > bound) {
      broken("L6", std::string(host_names[host]) + " keeps the guest that it owns standing");
    }
  }
}

void Judge::forgive_pause(std::size_t host, Instant now) {
  if (hosts_[host].stands_since) hosts_[host].stands_since = now;
}

}  // namespace colo::sim
