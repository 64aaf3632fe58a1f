#include "demo/engine_status.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/unique_fd.h"

namespace colo::demo {
namespace {

using Json = nlohmann::json;

constexpr std::size_t longest_reply = 64UL << 10;
constexpr timeval patience{1, 0};

// A part of the status that may be null while the engine has nothing to say there.
Json part(const Json& from, const char* key) {
  const auto found = from.find(key);
  return found != from.end() && found->is_object() ? *found : Json::object();
}

template <class T>
std::optional<T> maybe(const Json& from, const char* key) {
  const auto found = from.find(key);
  if (found == from.end() || found->is_null()) return std::nullopt;
  return found->get<T>();
}

template <class T>
T value(const Json& from, const char* key) {
  return maybe<T>(from, key).value_or(T{});
}

using Counts = std::map<std::string, std::uint64_t>;

std::optional<CompareFigures> compare_of(const Json& part) {
  if (part.empty()) return std::nullopt;
  return CompareFigures{value<std::uint64_t>(part, "equal"), value<Counts>(part, "different"),
                        value<std::uint64_t>(part, "held_packets"),
                        maybe<double>(part, "oldest_ms")};
}

std::optional<ReplicaFigures> replica_of(const Json& part) {
  if (part.empty()) return std::nullopt;
  return ReplicaFigures{value<bool>(part, "running"), value<std::uint64_t>(part, "epoch"),
                        value<std::uint64_t>(part, "diverged_pages"),
                        value<std::uint64_t>(part, "preimage_bytes"),
                        value<std::uint64_t>(part, "limit_bytes")};
}

EngineStatus from_tree(const Json& tree) {
  EngineStatus status;
  status.host = tree.at("host").get<std::string>();
  status.state = tree.at("state").get<std::string>();
  status.pid = value<pid_t>(tree, "pid");
  status.generation = value<std::uint64_t>(tree, "generation");
  status.epoch = value<std::uint64_t>(tree, "epoch");
  status.role = value<std::string>(tree, "role");
  status.reason = value<std::string>(tree, "reason");
  status.mode = value<std::string>(tree, "mode");
  status.effective_mode = value<std::string>(part(tree, "effective_mode"), "mode");
  status.delay_ms = value<double>(tree, "delay_ms");

  const Json guest = part(tree, "guest");
  status.guest_kind = value<std::string>(guest, "kind");
  status.guest_version = value<std::string>(guest, "version");
  status.guest_accelerator = value<std::string>(guest, "accelerator");
  status.guest_memory_bytes = value<std::uint64_t>(guest, "memory_bytes");
  status.guest_running = value<bool>(guest, "running");
  status.guest_pid = maybe<pid_t>(guest, "pid");

  const Json copy = part(tree, "initial_copy");
  status.copy_sent_pages = value<std::uint64_t>(copy, "sent_pages");
  status.copy_remaining_pages = value<std::uint64_t>(copy, "remaining_pages");

  const Json checkpoints = part(tree, "checkpoints");
  status.checkpoints_committed = value<std::uint64_t>(checkpoints, "committed");
  status.checkpoints_by_reason = value<Counts>(checkpoints, "by_reason");
  status.compare = compare_of(part(tree, "compare"));
  status.replica = replica_of(part(tree, "replica"));
  const Json pause = part(checkpoints, "pause_ms");
  status.pause_p50_ms = maybe<double>(pause, "p50");
  status.pause_p99_ms = maybe<double>(pause, "p99");
  status.pause_max_ms = maybe<double>(pause, "max");
  const Json dirty = part(checkpoints, "dirty_pages");
  status.dirty_p50_pages = maybe<std::uint64_t>(dirty, "p50");
  status.dirty_max_pages = maybe<std::uint64_t>(dirty, "max");

  const Json takeover = part(tree, "takeover");
  status.takeover_cause = value<std::string>(takeover, "cause");
  status.detected_unix_ns = maybe<std::int64_t>(takeover, "detected_unix_ns");
  status.claimed_unix_ns = maybe<std::int64_t>(takeover, "claimed_unix_ns");
  status.resumed_unix_ns = maybe<std::int64_t>(takeover, "resumed_unix_ns");

  for (const Json& owner : tree.at("owners")) {
    status.owners.emplace_back(owner.at("generation").get<std::uint64_t>(),
                               owner.at("owner").get<std::string>());
  }
  return status;
}

Result<std::string> converse(const std::filesystem::path& control_socket,
                             const std::string& request) {
  const auto failed = [&](const std::string& what) {
    return fail("no-engine", control_socket.string() + ": " + what);
  };
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = control_socket.string();
  if (path.size() >= sizeof address.sun_path) return failed("the path is too long for a socket");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return failed(std::strerror(errno));
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return failed(std::strerror(errno));
  if (::send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(request.size()))
    return failed(std::strerror(errno));
  std::string reply;
  std::array<char, 4096> piece{};
  while (reply.find('\n') == std::string::npos) {
    const ssize_t n = ::recv(fd.get(), piece.data(), piece.size(), 0);
    if (n <= 0) return failed(n == 0 ? "closed without a reply" : std::strerror(errno));
    reply.append(piece.data(), static_cast<std::size_t>(n));
    if (reply.size() > longest_reply) return failed("the reply has no end");
  }
  return reply.substr(0, reply.find('\n'));
}

}  // namespace

Result<EngineStatus> parse_status_reply(const std::string& line) {
  try {
    const Json reply = Json::parse(line);
    if (!reply.at("ok").get<bool>()) {
      return fail("bad-status", "the engine refused: " + value<std::string>(reply, "reason"));
    }
    return from_tree(reply.at("status"));
  } catch (const Json::exception& error) {
    return fail("bad-status", error.what());
  }
}

Result<EngineStatus> ask_status(const std::filesystem::path& control_socket) {
  auto reply = converse(control_socket, "{\"command\":\"status\"}\n");
  if (!reply) return fail(reply.error());
  return parse_status_reply(*reply);
}

static Result<void> tell(const std::filesystem::path& control_socket, const Json& request) {
  auto line = converse(control_socket, request.dump() + "\n");
  if (!line) return fail(line.error());
  try {
    const Json reply = Json::parse(*line);
    if (reply.at("ok").get<bool>()) return {};
    return fail("refused", value<std::string>(reply, "reason"));
  } catch (const Json::exception& error) {
    return fail("refused", error.what());
  }
}

Result<void> tell_engine(const std::filesystem::path& control_socket, const std::string& command) {
  return tell(control_socket, {{"command", command}});
}

Result<void> set_engine(const std::filesystem::path& control_socket, const std::string& key,
                        const std::string& value) {
  return tell(control_socket, {{"command", "set"}, {"key", key}, {"value", value}});
}

}  // namespace colo::demo
