// Network namespaces, as `ip netns` names them, and who lives in them.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace colo::demo {

[[nodiscard]] Result<UniqueFd> open_namespace(const std::string& name);

// Processes whose network namespace this is. Zombies have none.
[[nodiscard]] std::vector<pid_t> members(const std::string& name);

// SIGKILL to all members, again until there are none. Errors: "still-alive" after 5 s.
Result<void> kill_members(const std::string& name);

// Runs `work` inside the namespace, on a thread of its own: a socket made there stays there.
Result<void> inside(int namespace_fd, const std::function<void()>& work);

// "colo-<pid>-": of the demonstration that runs as this process.
[[nodiscard]] std::string namespace_prefix(pid_t pid);

// Removes namespaces of demonstrations that died without cleaning up, and kills who lives there.
void remove_stale_namespaces();

}  // namespace colo::demo
