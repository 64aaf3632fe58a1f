// Where a round takes place: two hosts, a client, and the faults that can be done to them.
//
// Ownership: destroying a scene ends everything in it and removes its files.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "demo/folder.h"
#include "demo/options.h"
#include "demo/process.h"
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
  // SIGKILL to everything of a host, as close together as can be.
  virtual Result<void> kill_host(const std::string& host, const Child& engine) = 0;
  // The link between the hosts falls silent, both ways.
  virtual Result<void> cut() = 0;
  // Ends and removes what the destructor would. REQUIRES: the engines have been ended. Errors say
  // what was left behind.
  virtual Result<void> tear_down() = 0;
};

// What both kinds of scenes need first: folder, key. Errors: those of `colo keygen`.
[[nodiscard]] Result<Folder> make_folder_with_key(const Options& options);
[[nodiscard]] Command engine_command(const Options& options, const Folder& folder,
                                     const std::string& host);

[[nodiscard]] Result<std::unique_ptr<Scene>> make_qemu_scene(const Options& options);
[[nodiscard]] Result<std::unique_ptr<Scene>> make_embedded_scene(const Options& options);

}  // namespace colo::demo
