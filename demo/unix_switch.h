// A network switch with one port per host, each a datagram socket: where the engines of embedded
// guests send and get Ethernet frames. The client sits inside the switch.
//
// Like any switch it learns from which port a station speaks, sends to that port, and to all ports
// while it does not know.
//
// Threads: one at a time. Ownership: owns its sockets and their files.
#pragma once

#include <sys/un.h>

#include <chrono>
#include <filesystem>
#include <optional>
#include <vector>

#include "base/result.h"
#include "base/types.h"
#include "base/unique_fd.h"
#include "demo/speakers.h"

namespace colo::demo {

struct SwitchPort {
  std::filesystem::path ours;    // bound by the switch
  std::filesystem::path theirs;  // bound by the host's engine, while there is one
};

class UnixSwitch {
 public:
  // Each frame of a host is noted in `speakers`, if there is one, which then outlives the switch.
  static Result<UnixSwitch> open(const std::vector<SwitchPort>& ports,
                                 Speakers* speakers = nullptr);

  // Sends towards the station that was heard last; what a host does not take is lost, as on any
  // network.
  void send(ByteView frame);
  // The next frame; empty when none came in time. Its sender is where send() goes from now on.
  std::optional<Bytes> receive(std::chrono::milliseconds patience);

 private:
  struct Port {
    UniqueFd socket;
    sockaddr_un theirs{};
  };
  std::vector<Port> ports_;
  std::optional<std::size_t> learned_;
  Speakers* speakers_ = nullptr;
};

}  // namespace colo::demo
