// Where a round takes place: two hosts, a client, and the faults that can be done to them.
// Processes are killed and frozen by whoever plays; the scene knows which belong to a host, and has
// the link between the hosts in its hands.
//
// Ownership: destroying a scene ends everything in it and removes its files.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "demo/folder.h"
#include "demo/process.h"
#include "demo/setting.h"
#include "demo/speakers.h"
#include "demo/transport.h"

namespace colo::demo {

class Scene {
 public:
  virtual ~Scene() = default;
  [[nodiscard]] virtual const Folder& folder() const = 0;
  // In words, for the story.
  [[nodiscard]] virtual std::string description() const = 0;
  // REQUIRES: called from the main thread (see Child).
  virtual Result<Child> start_engine(const std::string& host) = 0;
  virtual Result<std::unique_ptr<Transport>> make_transport() = 0;
  // For one short visit; null where the guest knows no connections.
  [[nodiscard]] virtual std::unique_ptr<Transport> make_visit() = 0;
  // Everything that runs on a host, its engine first.
  // The network from which the guest's services are reached, and where they are. The descriptor
  // stays the scene's. -1: there is none.
  [[nodiscard]] virtual int outside_namespace() const { return -1; }
  [[nodiscard]] virtual std::string guest_address() const { return ""; }
  [[nodiscard]] virtual std::vector<pid_t> processes_of(const std::string& host,
                                                        const Child& engine) = 0;
  // SIGKILL to everything of a host, as close together as can be.
  virtual Result<void> kill_host(const std::string& host, const Child& engine) = 0;

  // The link between the hosts falls silent, both ways, or what arrives at one host.
  virtual Result<void> cut() = 0;
  virtual Result<void> cut_towards(const std::string& host) = 0;
  // The cable is out: both hosts see it. Errors: "not-here" where there is no cable.
  virtual Result<void> unplug() = 0;
  // Every connection between the hosts is reset, as by something in the middle; those that are made
  // afterwards work.
  virtual Result<void> reset_connections() = 0;
  // Each direction carries so many bytes in a second.
  virtual Result<void> throttle(std::uint64_t bytes_per_second) = 0;
  // As if none of that had been.
  virtual Result<void> mend() = 0;

  // Where the guest was heard from.
  [[nodiscard]] virtual const Speakers& speakers() const = 0;
  // Ends and removes what the destructor would. REQUIRES: the engines have been ended. Errors say
  // what was left behind.
  virtual Result<void> tear_down() = 0;
};

// What both kinds of scenes need first: folder, key. Errors: those of `colo keygen`.
[[nodiscard]] Result<Folder> make_folder_with_key(const Setting& setting);
[[nodiscard]] Command engine_command(const Setting& setting, const Folder& folder,
                                     const std::string& host);

[[nodiscard]] Result<std::unique_ptr<Scene>> make_qemu_scene(const Setting& setting);
[[nodiscard]] Result<std::unique_ptr<Scene>> make_embedded_scene(const Setting& setting);

}  // namespace colo::demo
