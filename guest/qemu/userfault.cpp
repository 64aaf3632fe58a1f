#include "guest/qemu/userfault.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <vector>

#include "guest/kernel_interface.h"
#include "guest/qemu/memory_map.h"
#include "guest/system_error.h"

namespace colo::guest {
namespace {

constexpr const char* tracing_remedy =
    "run as root or with CAP_SYS_PTRACE, or set kernel.yama.ptrace_scope to 0 or 1";

#if defined(__x86_64__)

constexpr std::array<unsigned char, 2> syscall_instruction{0x0f, 0x05};

bool is_syscall_at(pid_t pid, std::uint64_t address) {
  std::array<unsigned char, 2> bytes{};
  iovec local{bytes.data(), bytes.size()};
  iovec remote{reinterpret_cast<void*>(address), bytes.size()};
  return ::process_vm_readv(pid, &local, 1, &remote, 1, 0) == 2 && bytes == syscall_instruction;
}

// Where a thread of `pid` may be sent to enter the kernel.
std::optional<std::uint64_t> find_syscall(pid_t pid, std::uint64_t instruction_pointer) {
  // A thread stopped inside a system call stands right behind its instruction.
  if (is_syscall_at(pid, instruction_pointer - 2)) return instruction_pointer - 2;
  const auto map = read_memory_map(pid);
  if (!map) return std::nullopt;
  std::vector<unsigned char> code;
  for (const MappedRange& range : *map) {
    if (!range.executable || range.path == "[vsyscall]") continue;
    code.resize(std::min<std::uint64_t>(range.end - range.begin, 4U << 20));
    iovec local{code.data(), code.size()};
    iovec remote{reinterpret_cast<void*>(range.begin), code.size()};
    const ssize_t got = ::process_vm_readv(pid, &local, 1, &remote, 1, 0);
    if (got < 2) continue;
    const auto end = code.begin() + got;
    const auto found =
        std::search(code.begin(), end, syscall_instruction.begin(), syscall_instruction.end());
    if (found != end) return range.begin + static_cast<std::uint64_t>(found - code.begin());
  }
  return std::nullopt;
}

// Holds the main thread of a process in a ptrace stop. Detaches at its end.
class StoppedThread {
 public:
  explicit StoppedThread(pid_t pid) : pid_(pid) {}
  StoppedThread(const StoppedThread&) = delete;
  StoppedThread& operator=(const StoppedThread&) = delete;
  ~StoppedThread() {
    if (attached_) ::ptrace(PTRACE_DETACH, pid_, nullptr, nullptr);
  }

  Result<void> stop() {
    if (::ptrace(PTRACE_SEIZE, pid_, nullptr, nullptr) != 0) return failed("PTRACE_SEIZE");
    attached_ = true;
    if (::ptrace(PTRACE_INTERRUPT, pid_, nullptr, nullptr) != 0) return failed("PTRACE_INTERRUPT");
    for (;;) {
      auto status = wait_for_stop();
      if (!status) return fail(status.error());
      if (*status >> 8 == (SIGTRAP | (PTRACE_EVENT_STOP << 8))) return {};
      // A signal of its own came first: deliver it, the interrupt follows.
      const auto signal = static_cast<std::uintptr_t>(*status >> 8 & 0xff);
      if (::ptrace(PTRACE_CONT, pid_, nullptr, signal) != 0) return failed("PTRACE_CONT");
    }
  }

  // Runs one system call in the stopped thread and returns its result (negative errno on error).
  Result<long> call(long number, unsigned long argument) {
    user_regs_struct saved{};
    std::uint64_t saved_signals = 0;
    if (::ptrace(PTRACE_GETREGS, pid_, nullptr, &saved) != 0) return failed("PTRACE_GETREGS");
    if (::ptrace(PTRACE_GETSIGMASK, pid_, sizeof saved_signals, &saved_signals) != 0) {
      return failed("PTRACE_GETSIGMASK");
    }
    const auto address = find_syscall(pid_, saved.rip);
    if (!address) {
      return fail("guest-not-traceable", "no system call instruction found in QEMU's code");
    }
    user_regs_struct regs = saved;
    regs.rip = *address;
    regs.rax = static_cast<unsigned long long>(number);
    regs.rdi = argument;
    // Not inside a system call, so that the kernel does not try to restart the interrupted one.
    regs.orig_rax = ~0ULL;
    const std::uint64_t all_signals = ~std::uint64_t{0};
    Result<long> result = 0;
    if (::ptrace(PTRACE_SETSIGMASK, pid_, sizeof all_signals, &all_signals) != 0 ||
        ::ptrace(PTRACE_SETREGS, pid_, nullptr, &regs) != 0 ||
        ::ptrace(PTRACE_SINGLESTEP, pid_, nullptr, nullptr) != 0) {
      result = failed("injecting userfaultfd");
    } else if (auto status = wait_for_stop(); !status) {
      result = fail(status.error());
    } else if (::ptrace(PTRACE_GETREGS, pid_, nullptr, &regs) != 0) {
      result = failed("PTRACE_GETREGS");
    } else {
      result = static_cast<long>(regs.rax);
    }
    // Everything is put back, orig_rax included: the interrupted system call restarts.
    if (::ptrace(PTRACE_SETREGS, pid_, nullptr, &saved) != 0 ||
        ::ptrace(PTRACE_SETSIGMASK, pid_, sizeof saved_signals, &saved_signals) != 0) {
      return failed("restoring QEMU's registers");
    }
    return result;
  }

 private:
  tl::unexpected<Error> failed(const char* doing) const {
    return fail(
        "guest-not-traceable",
        errno_text(std::string(doing) + " of QEMU (pid " + std::to_string(pid_) + ")", errno),
        tracing_remedy);
  }

  Result<int> wait_for_stop() {
    // WNOWAIT first: if the process has ended, its status is left for the one who owns it.
    siginfo_t info{};
    while (::waitid(P_PID, static_cast<id_t>(pid_), &info, WSTOPPED | WEXITED | WNOWAIT | __WALL) !=
           0) {
      if (errno != EINTR) return failed("waiting for the stop");
    }
    if (info.si_code == CLD_EXITED || info.si_code == CLD_KILLED || info.si_code == CLD_DUMPED) {
      attached_ = false;
      return fail("guest-ended", "QEMU (pid " + std::to_string(pid_) + ") ended meanwhile");
    }
    int status = 0;
    if (::waitpid(pid_, &status, __WALL) != pid_) return failed("waiting for the stop");
    return status;
  }

  pid_t pid_;
  bool attached_ = false;
};

Result<int> make_userfaultfd_in(pid_t pid) {
  StoppedThread thread(pid);
  if (auto stopped = thread.stop(); !stopped) return fail(stopped.error());
  const auto number = thread.call(
      SYS_userfaultfd, static_cast<unsigned long>(O_CLOEXEC) | O_NONBLOCK | uffd_user_mode_only);
  if (!number) return fail(number.error());
  if (*number < 0) {
    return fail("kernel-too-old", errno_text("userfaultfd inside QEMU", static_cast<int>(-*number)),
                "use a kernel of version 6.7 or newer with CONFIG_USERFAULTFD");
  }
  return static_cast<int>(*number);
}

#else

Result<int> make_userfaultfd_in(pid_t) {
  return fail("architecture-unsupported",
              "tracking of the guest's writes is made for x86_64 hosts only",
              "run this guest on an x86_64 host");
}

#endif

}  // namespace

Result<void> agree_on_userfault_features(int uffd) {
  uffdio_api api{};
  api.api = UFFD_API;
  api.features = uffd_features_needed;
  if (::ioctl(uffd, UFFDIO_API, &api) != 0) {
    return fail("kernel-too-old",
                errno_text("userfaultfd lacks asynchronous write protection", errno),
                "use a kernel of version 6.7 or newer");
  }
  return {};
}

Result<UniqueFd> userfaultfd_of(pid_t pid, int pidfd) {
  const auto number = make_userfaultfd_in(pid);
  if (!number) return fail(number.error());
  UniqueFd uffd(static_cast<int>(::syscall(SYS_pidfd_getfd, pidfd, *number, 0)));
  if (!uffd) {
    return fail("guest-not-traceable", errno_text("pidfd_getfd of QEMU's userfaultfd", errno),
                tracing_remedy);
  }
  if (auto agreed = agree_on_userfault_features(uffd.get()); !agreed) return fail(agreed.error());
  return uffd;
}

}  // namespace colo::guest
