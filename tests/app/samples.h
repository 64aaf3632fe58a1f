// Configurations to start from.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace colo::app {

// Every key is there, each with a value of its own; the tests change one at a time.
inline constexpr const char* sample_config = R"(name = "ledger"
first_primary = "alpha"
delay = "100ms"
mode = "periodic"
key_file = "/etc/colo/ledger.key"
tls = true
run_directory = "/run/colo"

[guest]
kind = "qemu"
accelerator = "tcg"
command = ["qemu-system-x86_64", "-m", "512M"]

[[nic]]
id = "net0"

[hosts.alpha]
replication = "10.77.1.1:7700"
heartbeat = ["10.77.1.1:7701", "10.78.1.1:7702"]
outside = { net0 = "tap:tap0" }
listen = "0.0.0.0:7710"
heartbeat_listen = ["0.0.0.0:7711", "0.0.0.0:7712"]
[hosts.beta]
replication = "10.77.1.2:7720"
heartbeat = ["10.77.1.2:7721", "10.78.1.2:7722"]
outside = { net0 = "unix:/run/own.sock,/run/other.sock" }

[heartbeat]
interval = "90ms"
lost_after = "1s"
head_start = "300ms"
grace = "2s"
[arbiter]
kind = "directory"
directory = "/srv/shared/ledger"

[limits]
hold_packets = 16000
hold_bytes = "63MiB"
staged = "2GiB"
pause_max = "3s"
stream_timeout = "6s"

[colo]
max_interval = "8s"
min_interval = "25ms"
silence = "150ms"
behind = "1500ms"
cache = "bounded"
diverged_limit = "96MiB"
)";

// `text` with its only `from` replaced.
inline std::string changed(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  if (at == std::string::npos || text.find(from, at + 1) != std::string::npos) {
    ADD_FAILURE() << "not exactly once in the sample: " << from;
    return text;
  }
  return text.replace(at, from.size(), to);
}

}  // namespace colo::app
