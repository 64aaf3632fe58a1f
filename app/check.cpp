#include "app/check.h"

#include <linux/magic.h>
#include <net/if.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <cerrno>
#include <cstring>

#include "arbiter/make.h"
#include "io/key_file.h"
#include "io/packet_gate.h"

namespace colo::app {
namespace {

namespace asio = boost::asio;
using Findings = std::vector<guest::Finding>;
using Path = std::filesystem::path;

guest::Finding fatal(const Error& error) { return {true, error.word, error.reason, error.remedy}; }

bool may_make_files_in(const Path& directory) {
  return ::access(directory.c_str(), W_OK | X_OK) == 0;
}

bool a_directory(const Path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

void check_key(const Config& config, Findings& out) {
  if (const auto key = io::read_key_file(config.key_file); !key) out.push_back(fatal(key.error()));
}

void check_run_directory(const Config& config, const std::string& host, Findings& out) {
  const Path own = config.engine_directory(host);
  // The nearest directory that exists: the rest is made at the start.
  Path existing = own;
  struct stat facts {};
  while (::lstat(existing.c_str(), &facts) != 0 && existing.has_relative_path()) {
    existing = existing.parent_path();
  }
  if (!a_directory(existing) || !may_make_files_in(existing)) {
    out.push_back({true, "run-directory",
                   existing.string() + " is not a directory that this user may write to",
                   "set `run_directory` to one, or run as root"});
  } else if (existing == own && (facts.st_uid != ::geteuid() || (facts.st_mode & 0077) != 0)) {
    out.push_back({true, "run-directory", own.string() + " is open to other users",
                   "remove it; the engine makes it again with mode 0700"});
  }
}

// Binds and lets go. The address is ours and free, or it says why not.
template <class Socket>
void try_address(const char* use, const Address& address, Findings& out) {
  asio::io_context loop;
  boost::system::error_code error;
  const auto ip = asio::ip::make_address(address.ip, error);
  const typename Socket::endpoint_type endpoint(ip, address.port);
  Socket socket(loop);
  if (!error) socket.open(endpoint.protocol(), error);
  if constexpr (std::is_same_v<Socket, asio::ip::tcp::acceptor>) {
    // As the engine does: connections of an engine that just ended do not count.
    if (!error) socket.set_option(asio::socket_base::reuse_address(true), error);
  }
  if (!error) socket.bind(endpoint, error);
  if (!error) return;
  const std::string what = std::string(use) + " address " + address.text();
  if (error == asio::error::address_in_use) {
    out.push_back({true, "port-taken", what + " is used by another process",
                   "end it (`ss -lntup` names it) or configure another port"});
  } else if (error == boost::system::errc::address_not_available) {
    out.push_back({true, "address-not-local", what + " is not an address of this host",
                   "configure an address that `ip address` shows, or set `listen` beside it"});
  } else {
    out.push_back({true, "address-unusable", what + ": " + error.message(),
                   "configure another address or port"});
  }
}

void check_addresses(const HostConfig& host, Findings& out) {
  try_address<asio::ip::tcp::acceptor>("replication", host.listen, out);
  for (const Address& address : host.heartbeat_listen) {
    try_address<asio::ip::udp::socket>("heartbeat", address, out);
  }
}

void check_tap(const OutsideConfig& outside, const std::string& name, Findings& out) {
  // Asked of the kernel, not of /sys: that shows the interfaces of the namespace it was mounted in.
  if (::if_nametoindex(name.c_str()) == 0) {
    out.push_back({true, "outside-missing",
                   "there is no interface " + name + " for network card " + outside.nic,
                   "ip tuntap add dev " + name + " mode tap; ip link set " + name +
                       " up; then put it in the bridge of the guest's network"});
    return;
  }
  // Opened as the engine will, which also tells a tap from other interfaces; let go at once.
  if (const auto port = io::open_outside(outside.nic, outside.spec); !port) {
    out.push_back(fatal(port.error()));
  }
}

void check_outside(const HostConfig& host, Findings& out) {
  for (const OutsideConfig& outside : host.outside) {
    if (outside.spec.starts_with("tap:")) {
      check_tap(outside, outside.spec.substr(4), out);
      continue;
    }
    const std::string own = outside.spec.substr(5, outside.spec.find(',') - 5);  // "unix:OWN,OTHER"
    const Path directory = Path(own).parent_path();
    if (a_directory(directory) && may_make_files_in(directory)) continue;
    out.push_back(
        {true, "outside-missing",
         "no socket can be made in " + directory.string() + " for network card " + outside.nic,
         "make the directory, writable for this user"});
  }
}

// File systems that two hosts can share. Others may be shared in ways that we cannot see (a block
// device mounted by one host at a time), so they give a warning only.
bool looks_shared(const Path& directory) {
  constexpr std::array<std::uint32_t, 11> shared{
      NFS_SUPER_MAGIC,  SMB_SUPER_MAGIC,       CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC,
      CEPH_SUPER_MAGIC, OCFS2_SUPER_MAGIC,     FUSE_SUPER_MAGIC, V9FS_MAGIC,
      AFS_FS_MAGIC,     0x01161970 /* GFS2 */, 0x0bd00bd0 /* Lustre */};
  struct statfs facts {};
  if (::statfs(directory.c_str(), &facts) != 0) return false;
  return std::find(shared.begin(), shared.end(), static_cast<std::uint32_t>(facts.f_type)) !=
         shared.end();
}

void check_directory(const Path& directory, Findings& out) {
  if (!a_directory(directory)) {
    out.push_back({true, "arbiter-missing", directory.string() + " is not a directory",
                   "mount the storage that both hosts share and make the directory on it"});
  } else if (!may_make_files_in(directory)) {
    out.push_back({true, "arbiter-read-only", directory.string() + " cannot be written to",
                   "check its permissions and whether it is mounted read-only"});
  } else if (!looks_shared(directory)) {
    out.push_back({false, "arbiter-not-shared",
                   directory.string() + " is on a file system of this host alone, it seems",
                   "put it on storage that both hosts share (NFS, CephFS, GFS2, OCFS2): on two "
                   "separate disks both hosts would win the guest"});
  }
}

// Found missing now, not at the takeover that needs it.
void check_hooks(const Config& config, Findings& out) {
  for (const HookConfig& hook : config.hooks) {
    const std::string& program = hook.command.front();
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(program, ignored)) {
      out.push_back({true, "hook-missing", "hook " + hook.name + ": " + program + " is not a file",
                     "install it; hooks are the same on both hosts"});
    } else if (::access(program.c_str(), X_OK) != 0) {
      out.push_back({true, "hook-missing",
                     "hook " + hook.name + ": " + program + " may not be run by this user",
                     "chmod a+x " + program});
    }
  }
}

void check_arbiter(const Config& config, const std::string& host, Findings& out) {
  if (config.arbiter.kind == arbiter::Kind::directory) {
    check_directory(config.arbiter.directory, out);
    return;
  }
  for (const auto& [is_fatal, error] : arbiter::check_arbiter(config.arbiter, config.asker(host))) {
    out.push_back({is_fatal, error.word, error.reason, error.remedy});
  }
}

void check_transport(const Config& config, Findings& out) {
  if (config.tls) return;
  out.push_back({false, "unencrypted", "tls = false: guest memory crosses the link in the clear",
                 "remove `tls = false` unless the link is trusted"});
}

}  // namespace

std::vector<guest::Finding> check_host(const Config& config, const std::string& host,
                                       bool engine_runs) {
  Findings out;
  check_key(config, out);
  check_run_directory(config, host, out);
  check_arbiter(config, host, out);
  check_transport(config, out);
  check_hooks(config, out);
  if (!engine_runs) {
    check_addresses(config.own(host), out);
    check_outside(config.own(host), out);
  }
  const bool replicas = config.mode != Mode::periodic;
  for (guest::Finding& finding : guest::check_guest(to_guest_config(config, host), replicas)) {
    out.push_back(std::move(finding));
  }
  return out;
}

std::string finding_text(const guest::Finding& finding) {
  std::string text = finding.fatal ? "missing  " : "warning  ";
  text += finding.word + ": " + finding.reason;
  if (!finding.remedy.empty()) text += " -> " + finding.remedy;
  return text;
}

bool any_fatal(const std::vector<guest::Finding>& findings) {
  return std::any_of(findings.begin(), findings.end(),
                     [](const guest::Finding& finding) { return finding.fatal; });
}

}  // namespace colo::app
