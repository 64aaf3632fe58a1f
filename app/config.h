// The configuration of one guest: one TOML file, the same on both hosts.
//
// A Config that load_config() gave is complete and within bounds; nobody checks it again.
// Errors: every problem of the file at once, each with its line and a remedy. Threads: none.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "app/mode.h"
#include "arbiter/settings.h"
#include "base/result.h"
#include "base/types.h"
#include "guest/config.h"

namespace colo::app {

// An IP address (never a name: a takeover must not wait for a name server) and a port.
struct Address {
  std::string ip;
  std::uint16_t port = 0;
  [[nodiscard]] std::string text() const;  // "10.77.1.1:7700", "[fd00::1]:7700"
  friend bool operator==(const Address&, const Address&) = default;
};

// Where a network card of the guest meets the network of this host.
struct OutsideConfig {
  std::string nic;   // the id of a [[nic]]
  std::string spec;  // "tap:NAME" or "unix:OWN,OTHER", as io::open_outside() takes it
};

struct HostConfig {
  std::string name;
  Address replication;             // where the peer reaches this host (TCP)
  Address listen;                  // where this host listens; the same unless configured
  std::vector<Address> heartbeat;  // UDP, one per link, paired by position with the peer's
  std::vector<Address> heartbeat_listen;
  std::vector<OutsideConfig> outside;  // one for each nic, in the order of Config::nics
};

struct GuestSettings {
  std::string kind;                             // "qemu" or "embedded"
  std::string accelerator = "auto";             // "auto", "kvm", "tcg"
  std::vector<std::string> command;             // qemu only
  std::uint64_t memory_bytes = 64ULL << 20;     // embedded only
  std::uint32_t dirty_pages_per_second = 2000;  // embedded only
};

struct HeartbeatSettings {
  Duration interval = std::chrono::milliseconds(100);
  Duration lost_after = std::chrono::seconds(1);
  Duration head_start = std::chrono::milliseconds(300);
  Duration grace{0};  // for a peer that may only be cut off to come back, before anybody claims
};

// A program of the operator that acquires what the guest needs on a host: app/hooks.h.
struct HookConfig {
  std::string name;
  std::vector<std::string> command;  // an absolute path, and arguments
  Duration timeout = std::chrono::seconds(10);
};

struct Limits {
  std::uint64_t hold_packets = 16384;
  std::uint64_t hold_bytes = 64ULL << 20;
  std::uint64_t staged_bytes = 1ULL << 30;
  Duration pause_max = std::chrono::seconds(2);
  Duration stream_timeout = std::chrono::seconds(5);
};

// Of the modes "colo" and "auto"; also where the file says "periodic", for `colo set mode=`.
struct ColoSettings {
  Duration max_interval = std::chrono::seconds(10);  // between checkpoints, where all is equal
  Duration min_interval = std::chrono::milliseconds(20);
  Duration silence = std::chrono::seconds(1);  // before it counts as a difference
  Duration behind = std::chrono::seconds(2);   // before the replica counts as lost
  // Of the guest's memory, how much the replica may overwrite between two checkpoints.
  std::uint64_t diverged_bytes = 256ULL << 20;
  bool mirror = false;  // all of it
  // Never more than there is.
  [[nodiscard]] std::uint64_t diverged_limit(std::uint64_t guest_memory_bytes) const;
};

struct Config {
  std::string name;
  std::string first_primary;
  Duration delay = std::chrono::milliseconds(100);
  Mode mode = Mode::periodic;
  std::filesystem::path key_file;
  bool tls = true;
  std::filesystem::path run_directory = "/run/colo";
  // Of a secondary: what outlives its engine goes to <this>/<name>.<host>. Empty: nothing does.
  std::filesystem::path checkpoint_directory = "/dev/shm/colo";
  GuestSettings guest;
  std::vector<guest::NicConfig> nics;
  std::vector<HookConfig> hooks;
  std::array<HostConfig, 2> hosts;  // by name, ascending
  HeartbeatSettings heartbeat;
  arbiter::Settings arbiter;
  Limits limits;
  ColoSettings colo;

  // Null when the name is neither of the two.
  [[nodiscard]] const HostConfig* find_host(std::string_view host) const;
  // REQUIRES: `host` is one of the two.
  [[nodiscard]] const HostConfig& own(std::string_view host) const;
  [[nodiscard]] const HostConfig& peer_of(std::string_view host) const;

  // <run_directory>/<name>.<host>: sockets, lock and logs of that host's engine.
  [[nodiscard]] std::filesystem::path engine_directory(std::string_view host) const;
  [[nodiscard]] std::filesystem::path control_socket(std::string_view host) const;

  // Who asks the arbiter. REQUIRES: `host` is one of the two.
  [[nodiscard]] arbiter::Asker asker(std::string_view host) const;

  // Every value that both hosts must agree on, one per line, in a fixed order: not key_file, not
  // run_directory or checkpoint_directory, of the arbiter not where its secrets are and how long
  // one waits, and not the hosts' addresses. A host that moved to another address joins a running
  // one that was told of it (`colo set peer=`) and whose file still has the old one.
  [[nodiscard]] std::string canonical() const;
  // XXH3 of canonical(). Both hosts compare it when they meet.
  [[nodiscard]] std::uint64_t hash64() const;
};

// One thing that is wrong with the file. line: counted from 1; 0: the file as a whole.
struct ConfigProblem {
  std::uint32_t line = 0;
  Error error;
  // "ledger.toml:7: unknown-key: ... (did you mean ...?)"
  [[nodiscard]] std::string text(const std::filesystem::path& file) const;
};

template <class T>
using ConfigResult = tl::expected<T, std::vector<ConfigProblem>>;

[[nodiscard]] ConfigResult<Config> load_config(const std::filesystem::path& file);
[[nodiscard]] ConfigResult<Config> parse_config(std::string_view text);

// "50ms" within the bounds of `delay`; also for `colo set delay=50ms`.
// Errors: "bad-duration", "out-of-bounds".
[[nodiscard]] Result<Duration> parse_delay(std::string_view text);

// What the guest room needs to make this host's guest. REQUIRES: `host` is one of the two.
[[nodiscard]] guest::GuestConfig to_guest_config(const Config& config, std::string_view host);

}  // namespace colo::app
