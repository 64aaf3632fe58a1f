#include "app/config.h"

#include <xxhash.h>

#include <algorithm>
#include <sstream>

#include "app/config_arbiter.h"
#include "app/units.h"
#include "base/check.h"

namespace colo::app {
namespace {

template <class Items, class Render>
std::string counted_list(const Items& items, Render render) {
  std::string all = "[" + std::to_string(items.size()) + "]";
  for (const auto& item : items) all += " " + counted(render(item));
  return all;
}

void render_host(std::ostream& out, const HostConfig& host) {
  const std::string prefix = "hosts." + counted(host.name) + ".";
  out << prefix << "heartbeat links = " << host.heartbeat.size() << '\n'
      << prefix << "outside = "
      << counted_list(host.outside,
                      [](const OutsideConfig& o) { return counted(o.nic) + counted(o.spec); })
      << '\n';
}

void render_colo(std::ostream& out, const ColoSettings& colo) {
  out << "colo.max_interval = " << duration_text(colo.max_interval) << '\n'
      << "colo.min_interval = " << duration_text(colo.min_interval) << '\n'
      << "colo.silence = " << duration_text(colo.silence) << '\n'
      << "colo.behind = " << duration_text(colo.behind) << '\n'
      << "colo.cache = " << (colo.mirror ? "mirror" : "bounded") << '\n';
  if (!colo.mirror) {
    out << "colo.diverged_limit = " << size_text(colo.diverged_bytes) << '\n';
  }
}

}  // namespace

std::uint64_t ColoSettings::diverged_limit(std::uint64_t guest_memory_bytes) const {
  return mirror ? guest_memory_bytes : std::min(diverged_bytes, guest_memory_bytes);
}

std::string Address::text() const {
  const bool version6 = ip.find(':') != std::string::npos;
  return (version6 ? "[" + ip + "]" : ip) + ":" + std::to_string(port);
}

const HostConfig* Config::find_host(std::string_view host) const {
  const auto found =
      std::find_if(hosts.begin(), hosts.end(), [&](const HostConfig& h) { return h.name == host; });
  return found == hosts.end() ? nullptr : &*found;
}

const HostConfig& Config::own(std::string_view host) const {
  const HostConfig* found = find_host(host);
  COLO_CHECK(found != nullptr);
  return *found;
}

const HostConfig& Config::peer_of(std::string_view host) const {
  return &own(host) == &hosts[0] ? hosts[1] : hosts[0];
}

std::filesystem::path Config::engine_directory(std::string_view host) const {
  return run_directory / (name + "." + std::string(host));
}

std::filesystem::path Config::control_socket(std::string_view host) const {
  return engine_directory(host) / "control.sock";
}

arbiter::Asker Config::asker(std::string_view host) const {
  return {name, own(host).name, peer_of(host).name, own(host).name == first_primary,
          heartbeat.head_start};
}

std::string Config::canonical() const {
  std::ostringstream out;
  out << "name = " << counted(name) << '\n'
      << "first_primary = " << counted(first_primary) << '\n'
      << "delay = " << duration_text(delay) << '\n'
      << "mode = " << counted(word(mode)) << '\n'
      << "tls = " << (tls ? "true" : "false") << '\n'
      << "guest.kind = " << counted(guest.kind) << '\n';
  if (guest.kind == "qemu") {
    out << "guest.accelerator = " << counted(guest.accelerator) << '\n'
        << "guest.command = "
        << counted_list(guest.command, [](const std::string& word) { return word; }) << '\n';
  } else {
    out << "guest.memory = " << size_text(guest.memory_bytes) << '\n'
        << "guest.dirty_pages_per_second = " << guest.dirty_pages_per_second << '\n';
  }
  out << "nic = " << counted_list(nics, [](const guest::NicConfig& nic) { return nic.id; }) << '\n';
  for (const HookConfig& hook : hooks) {
    out << "hook." << counted(hook.name) << " = " << duration_text(hook.timeout) << ' '
        << counted_list(hook.command, [](const std::string& word) { return word; }) << '\n';
  }
  for (const HostConfig& host : hosts) render_host(out, host);
  out << "heartbeat.interval = " << duration_text(heartbeat.interval) << '\n'
      << "heartbeat.lost_after = " << duration_text(heartbeat.lost_after) << '\n'
      << "heartbeat.head_start = " << duration_text(heartbeat.head_start) << '\n'
      << "heartbeat.grace = " << duration_text(heartbeat.grace) << '\n';
  render_arbiter(out, *this);
  render_colo(out, colo);
  out << "limits.hold_packets = " << limits.hold_packets << '\n'
      << "limits.hold_bytes = " << size_text(limits.hold_bytes) << '\n'
      << "limits.staged = " << size_text(limits.staged_bytes) << '\n'
      << "limits.pause_max = " << duration_text(limits.pause_max) << '\n'
      << "limits.stream_timeout = " << duration_text(limits.stream_timeout) << '\n';
  return out.str();
}

std::uint64_t Config::hash64() const {
  const std::string text = canonical();
  return XXH3_64bits(text.data(), text.size());
}

std::string ConfigProblem::text(const std::filesystem::path& file) const {
  std::string where = file.string();
  if (line != 0) where += ":" + std::to_string(line);
  return where + ": " + error.text();
}

guest::GuestConfig to_guest_config(const Config& config, std::string_view host) {
  guest::GuestConfig out;
  out.name = config.name;
  out.kind = config.guest.kind;
  out.qemu.command = config.guest.command;
  out.qemu.accelerator = config.guest.accelerator;
  out.embedded.memory_bytes = config.guest.memory_bytes;
  out.embedded.dirty_pages_per_second = config.guest.dirty_pages_per_second;
  out.nics = config.nics;
  out.run_directory = config.engine_directory(host);
  return out;
}

}  // namespace colo::app
