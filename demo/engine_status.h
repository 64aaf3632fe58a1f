// What an engine says about itself on its control socket.
//
// The demonstration looks at an engine as any operator's tool would: it shares no code with it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace colo::demo {

struct CompareFigures {
  std::uint64_t equal = 0;
  std::map<std::string, std::uint64_t> different;  // by reason
  std::uint64_t held_packets = 0;
  std::optional<double> oldest_ms;
};

struct ReplicaFigures {
  bool running = false;
  std::uint64_t epoch = 0, diverged_pages = 0, preimage_bytes = 0, limit_bytes = 0;
};

struct EngineStatus {
  std::string host, role, state, reason, mode;
  pid_t pid = 0;
  std::uint64_t generation = 0, epoch = 0;
  std::string effective_mode;  // empty: none
  double delay_ms = 0;

  std::string guest_kind, guest_version, guest_accelerator;
  std::uint64_t guest_memory_bytes = 0;
  bool guest_running = false;
  std::optional<pid_t> guest_pid;  // none: it has no process of its own

  std::uint64_t copy_sent_pages = 0, copy_remaining_pages = 0;

  std::uint64_t checkpoints_committed = 0;
  std::map<std::string, std::uint64_t> checkpoints_by_reason;
  std::optional<double> pause_p50_ms, pause_p99_ms, pause_max_ms;
  std::optional<std::uint64_t> dirty_p50_pages, dirty_max_pages;

  std::optional<CompareFigures> compare;  // of a primary
  std::optional<ReplicaFigures> replica;  // of a secondary

  std::string takeover_cause;
  std::optional<std::int64_t> detected_unix_ns, claimed_unix_ns, resumed_unix_ns;

  std::vector<std::pair<std::uint64_t, std::string>> owners;  // generation, host; oldest first

  // The owner of the newest generation; empty when there is none.
  [[nodiscard]] std::string owner() const { return owners.empty() ? "" : owners.back().second; }
};

// Errors: "bad-status" names what is wrong with the reply.
[[nodiscard]] Result<EngineStatus> parse_status_reply(const std::string& line);

// Asks the engine behind a control socket; waits a second at most.
// Errors: "no-engine" (nobody answers), "bad-status".
[[nodiscard]] Result<EngineStatus> ask_status(const std::filesystem::path& control_socket);

// Gives the engine a command without arguments, such as "takeover". Errors: "no-engine"; "refused"
// with the engine's reason.
[[nodiscard]] Result<void> tell_engine(const std::filesystem::path& control_socket,
                                       const std::string& command);

// `colo set KEY=VALUE`. Errors: the same.
[[nodiscard]] Result<void> set_engine(const std::filesystem::path& control_socket,
                                      const std::string& key, const std::string& value);

}  // namespace colo::demo
