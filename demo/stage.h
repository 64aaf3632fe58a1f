// The network of the demonstration with a Linux guest: two hosts and a client, each a network
// namespace.
//
//   alpha: br0 = tap0 + lan0        client: switch0 (10.77.0.1/24) = lan-alpha + lan-beta
//   beta:  br0 = tap0 + lan0        client: link0                  = repl-alpha + repl-beta
//   repl0 of alpha (10.77.1.1/24) and of beta (10.77.1.2/24) meet at link0, a switch between the
//   hosts: what is unplugged there is silence for both hosts, not a lost carrier.
//
// Ownership: destroying a stage kills who lives in its namespaces and removes them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "demo/frame_tap.h"

namespace colo::demo {

class Stage {
 public:
  // Errors: "no-permission" where namespaces cannot be made; those of `ip`.
  static Result<std::unique_ptr<Stage>> build();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;
  ~Stage();

  // "alpha", "beta" or "client". The descriptor stays the stage's.
  [[nodiscard]] int namespace_of(const std::string& host) const;
  [[nodiscard]] std::vector<pid_t> processes_of(const std::string& host) const;
  // SIGKILL until none is left. Errors: "still-alive".
  Result<void> kill_processes_of(const std::string& host);
  // The link between the hosts, until it is mended: silent both ways at once; silent towards one
  // host; without a carrier; slow; or resetting what is connected now.
  Result<void> cut();
  Result<void> cut_towards(const std::string& host);
  Result<void> unplug();
  Result<void> throttle(std::uint64_t bytes_per_second);
  Result<void> reset_connections();
  Result<void> mend();
  // Where frames of the guest came from on the client's network.
  [[nodiscard]] const Speakers& speakers() const { return speakers_; }
  // As the destructor, but says what could not be removed.
  Result<void> remove();

 private:
  struct Place {
    std::string host;
    std::string name;  // of the namespace
    UniqueFd fd;
  };
  Stage() = default;
  Result<void> make_places();
  Result<void> make_host(const Place& place, const std::string& replication_address);
  Result<void> make_switch(const std::string& bridge, const std::vector<std::string>& ports);
  [[nodiscard]] const Place& place(const std::string& host) const;
  // Runs `ip -n <namespace of host> words...`; a no-op once a step has failed.
  void in(const std::string& host, const std::string& words);
  // The same for a whole command inside the namespace.
  void execute(const std::string& host, const std::string& words);

  std::vector<Place> places_;
  Speakers speakers_;
  std::unique_ptr<FrameTap> tap_;
  Result<void> outcome_;  // of the steps so far
};

}  // namespace colo::demo
