// Starts one QEMU process from the user's command, with what the engine needs added to it:
// memory, accelerator, control connection, network cards' sockets. Everything is passed as
// inherited descriptors, so there is no path that could be left over, taken or opened by another.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "guest/config.h"
#include "guest/qemu/guest_memory.h"
#include "guest/qemu/process.h"
#include "guest/qemu/qmp.h"

namespace colo::guest {

// REQUIRES: command_findings() of the configured command has no fatal one.
struct StartedQemu {
  std::unique_ptr<Process> process;
  std::unique_ptr<Qmp> qmp;
  nlohmann::json greeting;
  std::vector<PacketPort> ports;
  std::vector<UniqueFd> port_sockets;  // what ports name
  UniqueFd state_file;                 // QEMU saves its device state into it
  std::string state_path;              // the same file as QEMU opens it
  UniqueFd incoming;                   // a standby: where its device state is fed in
  std::string incoming_uri;
};

// How a QEMU begins: with its guest's beginning, or as a standby on memory of this kind.
using StandbyKind = std::optional<StandbyMemory>;

[[nodiscard]] Result<StartedQemu> start_qemu(const GuestConfig& config, const GuestMemory& memory,
                                             StandbyKind standby);

// "kvm" or "tcg". The device node alone says nothing: it may open on machines whose processor
// cannot run a guest, so the processor's flags are asked too.
[[nodiscard]] std::string choose_accelerator(const std::string& configured);

// "QEMU (pid 812) was killed by signal 9: its last words". REQUIRES: it has ended.
[[nodiscard]] std::string describe_end(Process& process);

}  // namespace colo::guest
