// Opens the network's end of a port: a TAP interface or a pair of datagram sockets.
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "io/packet_gate.h"

namespace colo::io {
namespace {

Result<OutsidePort> open_tap(const std::string& port, const std::string& name) {
  if (name.empty() || name.size() >= IFNAMSIZ || name.find('%') != std::string::npos) {
    return fail("bad-address", "\"" + name + "\" cannot be the name of a network interface",
                "write tap:NAME with the name of a TAP interface, at most 15 characters");
  }
  // Without this look the kernel would make a new interface that no bridge knows.
  if (::if_nametoindex(name.c_str()) == 0) {
    return fail("outside-missing", "there is no network interface " + name + " for " + port,
                "ip tuntap add dev " + name + " mode tap; ip link set " + name + " up");
  }
  UniqueFd tun(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!tun) {
    const int error = errno;
    const std::string reason = std::string("/dev/net/tun: ") + std::strerror(error);
    if (error == ENOENT || error == ENODEV || error == ENXIO) {
      return fail("outside-missing", reason, "modprobe tun");
    }
    return fail("no-permission", reason, "run as root or give access to /dev/net/tun");
  }
  ifreq request{};
  name.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (::ioctl(tun.get(), TUNSETIFF, &request) == 0) {
    return OutsidePort{port, std::move(tun), name, {}};
  }
  const int error = errno;
  const std::string reason = "interface " + name + ": " + std::strerror(error);
  if (error == EBUSY) {
    return fail("outside-busy", reason, "end the other program that uses " + name);
  }
  if (error == EPERM || error == EACCES) {
    return fail("no-permission", reason,
                "run as root, or make the interface for this user: ip tuntap add dev " + name +
                    " mode tap user NAME");
  }
  return fail("bad-address", reason + "; it is no TAP interface with one queue",
              "ip tuntap add dev NAME mode tap, and use that one");
}

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return fail("bad-address", "\"" + path + "\" cannot be a socket's path",
                "use a path of 1 to " + std::to_string(sizeof address.sun_path - 1) + " bytes");
  }
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

Result<OutsidePort> open_unix(const std::string& port, std::string_view paths) {
  const std::size_t comma = paths.find(',');
  if (comma == std::string_view::npos) {
    return fail("bad-address", "\"unix:" + std::string(paths) + "\" names one path only",
                "write unix:OWN,OTHER");
  }
  const std::string own(paths.substr(0, comma));
  const std::string other(paths.substr(comma + 1));
  const auto address = unix_address(own);
  if (!address) return fail(address.error());
  if (auto checked = unix_address(other); !checked) return fail(checked.error());

  // A socket that an earlier run left behind; anything else there is not ours to remove.
  struct stat status {};
  if (::lstat(own.c_str(), &status) == 0 && S_ISSOCK(status.st_mode)) ::unlink(own.c_str());
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
    const int error = errno;
    const std::string reason = own + ": " + std::strerror(error);
    if (error == EACCES || error == EPERM || error == EROFS) {
      return fail("no-permission", reason, "choose a directory that this user can write");
    }
    if (error == ENOENT || error == ENOTDIR) {
      return fail("outside-missing", reason, "make the directory first");
    }
    return fail("bad-address", reason, "choose a path where nothing else is");
  }
  return OutsidePort{port, std::move(fd), own, other};
}

}  // namespace

Result<OutsidePort> open_outside(const std::string& port, const std::string& spec) {
  constexpr std::string_view tap = "tap:";
  constexpr std::string_view datagrams = "unix:";
  if (spec.starts_with(tap)) return open_tap(port, spec.substr(tap.size()));
  if (spec.starts_with(datagrams)) {
    return open_unix(port, std::string_view(spec).substr(datagrams.size()));
  }
  return fail("bad-address", "\"" + spec + "\" is no outside port of " + port,
              "write tap:NAME or unix:OWN,OTHER");
}

}  // namespace colo::io
