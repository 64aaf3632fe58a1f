// What the operator chose to decide between the two hosts: the table [arbiter] as plain values.
//
// Role: app fills and bounds it, this room makes an arbiter of it. Threads: none.
#pragma once

#include <array>
#include <chrono>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/types.h"

namespace colo::arbiter {

enum class Kind { directory, etcd, fence, none };  // none: with unsafe = true only

struct EtcdSettings {
  std::vector<std::string> endpoints;  // "https://10.0.0.1:2379", tried in turn
  std::string prefix = "/colo";        // keys are <prefix>/<guest>/...
  // Empty where not used. Read at each call, so that renewed ones need no restart.
  std::filesystem::path ca, cert, key;
  std::string username;
  std::filesystem::path password_file;
  Duration timeout = std::chrono::seconds(2);  // for a whole call, all endpoints together
};

// Lines "key=value" of a fence agent's standard input.
using AgentOptions = std::vector<std::pair<std::string, std::string>>;

// The options that name one host to the agent: whom it powers off.
struct FenceTarget {
  std::string host;
  AgentOptions options;
};

struct FenceSettings {
  std::string agent;     // "fence_ipmilan", looked for in PATH and /usr/sbin, or an absolute path
  AgentOptions options;  // for both hosts
  std::array<FenceTarget, 2> targets;
  std::filesystem::path secrets_file;           // more such lines; mode 0600; empty: none
  Duration timeout = std::chrono::seconds(60);  // of "off" and its verification together
  std::filesystem::path state_directory;        // where this host's record is
};

struct Settings {
  Kind kind = Kind::directory;
  std::filesystem::path directory;
  EtcdSettings etcd;
  FenceSettings fence;
};

// Who asks, and about which guest.
struct Asker {
  std::string guest;
  std::string host, peer;
  bool first_primary = false;  // this host boots the guest when nobody ever owned it
  Duration head_start{};       // of the primary; to compare with what a claim takes
};

}  // namespace colo::arbiter
