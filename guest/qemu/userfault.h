// Gives us a userfaultfd that belongs to another process. Write protection is a property of one
// process's page tables, so the descriptor must be born in the process whose writes are wanted:
// its main thread is stopped for about 0.1 ms and made to call userfaultfd(2) itself; then the
// descriptor is fetched over. An interrupted system call of that thread restarts unharmed.
// REQUIRES: permission to ptrace the process. x86_64 only; a clear error elsewhere.
// Threads: any one thread, for the whole call.
#pragma once

#include <sys/types.h>

#include "base/result.h"
#include "base/unique_fd.h"

namespace colo::guest {

// pidfd names the same process as pid. Features are agreed on (UFFDIO_API) before it returns.
[[nodiscard]] Result<UniqueFd> userfaultfd_of(pid_t pid, int pidfd);

// The same agreement on a descriptor of our own; used to ask what this kernel can do.
[[nodiscard]] Result<void> agree_on_userfault_features(int uffd);

}  // namespace colo::guest
