// From the operator's settings to an arbiter.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "arbiter/settings.h"
#include "heartbeat/arbiter.h"

namespace colo::arbiter {

[[nodiscard]] std::unique_ptr<heartbeat::Arbiter> make_arbiter(const Settings& settings,
                                                               const Asker& asker);

// One thing that is wrong with this host's way to its arbiter. fatal: no claim could be won.
struct Finding {
  bool fatal = true;
  Error error;
};

// Tries everything that a claim needs, and changes nothing. The directory is looked at by app.
// Blocks for the settings' timeout at most, once for each endpoint.
[[nodiscard]] std::vector<Finding> check_arbiter(const Settings& settings, const Asker& asker);

// What an operator does where the arbiter does not answer: "ls -l DIRECTORY".
[[nodiscard]] std::string look_command(const Settings& settings, const Asker& asker);

// What to add where an operator is told that a command boots the guest anew; mostly nothing.
[[nodiscard]] std::string boot_advice(const Settings& settings, const Asker& asker);

}  // namespace colo::arbiter
