#include "app/status_json.h"

#include <algorithm>
#include <array>

namespace colo::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<State, 14> all_states{
    State::starting,     State::waiting,      State::solo,    State::syncing, State::protected_,
    State::reconnecting, State::handing_over, State::joining, State::standby, State::claiming,
    State::taking_over,  State::lost,         State::failed,  State::ended};

// The keys of each part, once, for both directions: `visit` is called with each key and member.
template <class T, class Visit>
void fields(T& guest, Visit&& visit) requires std::is_same_v<std::remove_const_t<T>, GuestStatus> {
  visit("kind", guest.kind);
  visit("version", guest.version);
  visit("machine", guest.machine);
  visit("accelerator", guest.accelerator);
  visit("memory_bytes", guest.memory_bytes);
  visit("running", guest.running);
  visit("pid", guest.pid);
}
template <class T, class Visit>
void fields(T& link, Visit&& visit) requires std::is_same_v<std::remove_const_t<T>, LinkStatus> {
  visit("name", link.name);
  visit("state", link.state);
  visit("silence_ms", link.silence_ms);
}
template <class T, class Visit>
void fields(T& peer, Visit&& visit) requires std::is_same_v<std::remove_const_t<T>, PeerStatus> {
  visit("host", peer.host);
  visit("connected", peer.connected);
  visit("links", peer.links);
}
template <class T, class Visit>
void fields(T& session,
            Visit&& visit) requires std::is_same_v<std::remove_const_t<T>, SessionStatus> {
  visit("resumed", session.resumed);
  visit("base_epoch", session.base_epoch);
  visit("difference_pages", session.difference_pages);
}
template <class T, class Visit>
void fields(T& copy, Visit&& visit) requires std::is_same_v<std::remove_const_t<T>, InitialCopy> {
  visit("sent_pages", copy.sent_pages);
  visit("remaining_pages", copy.remaining_pages);
  visit("total_pages", copy.total_pages);
}
template <class T, class Visit>
void fields(T& pause, Visit&& visit) requires std::is_same_v<std::remove_const_t<T>, PauseFigures> {
  visit("p50", pause.p50);
  visit("p99", pause.p99);
  visit("max", pause.max);
}
template <class T, class Visit>
void fields(T& pages,
            Visit&& visit) requires std::is_same_v<std::remove_const_t<T>, DirtyPageFigures> {
  visit("p50", pages.p50);
  visit("max", pages.max);
}
template <class T, class Visit>
void fields(T& checkpoints,
            Visit&& visit) requires std::is_same_v<std::remove_const_t<T>, CheckpointStatus> {
  visit("committed", checkpoints.committed);
  visit("by_reason", checkpoints.by_reason);
  visit("pause_ms", checkpoints.pause_ms);
  visit("dirty_pages", checkpoints.dirty_pages);
  visit("sent_bytes", checkpoints.sent_bytes);
}
template <class T, class Visit>
void fields(T& hold, Visit&& visit) requires std::is_same_v<std::remove_const_t<T>, HoldStatus> {
  visit("packets", hold.packets);
  visit("bytes", hold.bytes);
  visit("oldest_ms", hold.oldest_ms);
}
template <class T, class Visit>
void fields(T& compare,
            Visit&& visit) requires std::is_same_v<std::remove_const_t<T>, CompareStatus> {
  visit("equal", compare.equal);
  visit("different", compare.different);
  visit("held_packets", compare.held_packets);
  visit("oldest_ms", compare.oldest_ms);
}
template <class T, class Visit>
void fields(T& replica,
            Visit&& visit) requires std::is_same_v<std::remove_const_t<T>, ReplicaStatus> {
  visit("running", replica.running);
  visit("epoch", replica.epoch);
  visit("diverged_pages", replica.diverged_pages);
  visit("preimage_bytes", replica.preimage_bytes);
  visit("limit_bytes", replica.limit_bytes);
}
template <class T, class Visit>
void fields(T& now, Visit&& visit) requires std::is_same_v<std::remove_const_t<T>, EffectiveMode> {
  visit("mode", now.mode);
  visit("reason", now.reason);
  visit("since_unix_ns", now.since_unix_ns);
  visit("left_ms", now.left_ms);
}
template <class T, class Visit>
void fields(T& cache, Visit&& visit) requires std::is_same_v<std::remove_const_t<T>, CacheStatus> {
  visit("staged_pages", cache.staged_pages);
  visit("received_pages", cache.received_pages);
  visit("diverged_pages", cache.diverged_pages);
  visit("bytes", cache.bytes);
}
template <class T, class Visit>
void fields(T& takeover,
            Visit&& visit) requires std::is_same_v<std::remove_const_t<T>, TakeoverStatus> {
  visit("cause", takeover.cause);
  visit("detected_unix_ns", takeover.detected_unix_ns);
  visit("claimed_unix_ns", takeover.claimed_unix_ns);
  visit("resumed_unix_ns", takeover.resumed_unix_ns);
}
template <class T, class Visit>
void fields(T& owner, Visit&& visit) requires std::is_same_v<std::remove_const_t<T>, OwnerStatus> {
  visit("generation", owner.generation);
  visit("owner", owner.owner);
}
template <class T, class Visit>
void fields(T& status, Visit&& visit) requires std::is_same_v<std::remove_const_t<T>, Status> {
  visit("name", status.name);
  visit("host", status.host);
  visit("pid", status.pid);
  visit("version", status.version);
  visit("role", status.role);
  visit("state", status.state);
  visit("step", status.step);
  visit("reason", status.reason);
  visit("next", status.next);
  visit("mode", status.mode);
  visit("effective_mode", status.effective_mode);
  visit("delay_ms", status.delay_ms);
  visit("tls", status.tls);
  visit("unsafe", status.unsafe);
  visit("generation", status.generation);
  visit("epoch", status.epoch);
  visit("guest", status.guest);
  visit("peer", status.peer);
  visit("session", status.session);
  visit("initial_copy", status.initial_copy);
  visit("checkpoints", status.checkpoints);
  visit("hold", status.hold);
  visit("compare", status.compare);
  visit("cache", status.cache);
  visit("replica", status.replica);
  visit("takeover", status.takeover);
  visit("owners", status.owners);
}

template <class T>
Json tree_of(const T& value);
Json tree_of(State state) { return word(state); }
Json tree_of(const Counts& counts) {
  Json out = Json::object();
  for (const auto& [reason, count] : counts) out[reason] = count;
  return out;
}
template <class T>
Json tree_of(const std::optional<T>& value) {
  return value ? tree_of(*value) : Json(nullptr);
}
template <class T>
Json tree_of(const std::vector<T>& items) {
  Json out = Json::array();
  for (const T& item : items) out.push_back(tree_of(item));
  return out;
}
template <class T>
Json tree_of(const T& value) {
  if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    return value;
  } else {
    Json out = Json::object();
    fields(value, [&](const char* key, const auto& member) { out[key] = tree_of(member); });
    return out;
  }
}

template <class T>
void read(const Json& tree, T& value);
void read(const Json& tree, State& state) {
  const auto text = tree.get<std::string>();
  const auto* found =
      std::find_if(all_states.begin(), all_states.end(), [&](State s) { return text == word(s); });
  if (found == all_states.end()) {
    throw Json::other_error::create(501, "unknown state " + text, &tree);
  }
  state = *found;
}
void read(const Json& tree, Counts& counts) {
  counts.clear();
  for (const auto& [reason, count] : tree.get_ref<const Json::object_t&>()) {
    counts.emplace_back(reason, count.get<std::uint64_t>());
  }
}
template <class T>
void read(const Json& tree, std::optional<T>& value) {
  value.reset();
  if (!tree.is_null()) read(tree, value.emplace());
}
template <class T>
void read(const Json& tree, std::vector<T>& items) {
  items.clear();
  for (const Json& item : tree.get_ref<const Json::array_t&>()) read(item, items.emplace_back());
}
template <class T>
void read(const Json& tree, T& value) {
  if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    value = tree.get<T>();
  } else {
    fields(value, [&](const char* key, auto& member) { read(tree.at(key), member); });
  }
}

}  // namespace

const char* word(State state) {
  switch (state) {
    case State::starting:
      return "STARTING";
    case State::waiting:
      return "WAITING";
    case State::solo:
      return "SOLO";
    case State::syncing:
      return "SYNCING";
    case State::protected_:
      return "PROTECTED";
    case State::reconnecting:
      return "RECONNECTING";
    case State::handing_over:
      return "HANDING-OVER";
    case State::joining:
      return "JOINING";
    case State::standby:
      return "STANDBY";
    case State::claiming:
      return "CLAIMING";
    case State::taking_over:
      return "TAKING-OVER";
    case State::lost:
      return "LOST";
    case State::failed:
      return "FAILED";
    case State::ended:
      return "ENDED";
  }
  return "FAILED";
}

Json to_tree(const Status& status) { return tree_of(status); }

Status status_from_tree(const Json& tree) {
  Status status;
  read(tree, status);
  return status;
}

std::string to_json(const Status& status) {
  // Reasons quote file names and peers, which need not be UTF-8.
  return to_tree(status).dump(-1, ' ', false, Json::error_handler_t::replace);
}

Result<Status> status_from_json(const std::string& json) {
  try {
    return status_from_tree(Json::parse(json));
  } catch (const Json::exception& error) {
    return fail("bad-status", error.what(), "use the same version of colo on both ends");
  }
}

}  // namespace colo::app
