#include "guest/qemu/host_check.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "guest/qemu/guest_memory.h"
#include "guest/qemu/launch.h"
#include "guest/qemu/process.h"
#include "guest/qemu/tracker.h"
#include "guest/qemu/userfault.h"
#include "guest/system_error.h"

namespace colo::guest {
namespace {

constexpr int version_timeout_ms = 10000;

std::string kernel_version() {
  utsname name{};
  ::uname(&name);
  return name.release;
}

// Does with a page of our own what will be done with the guest's.
Result<void> try_tracking() {
  auto mapping = Mapping::make(page_bytes, -1);
  if (!mapping) return fail(mapping.error());
  const int flags = O_CLOEXEC | O_NONBLOCK | static_cast<int>(uffd_user_mode_only);
  UniqueFd uffd(static_cast<int>(::syscall(SYS_userfaultfd, flags)));
  if (!uffd) return fail("kernel-too-old", errno_text("userfaultfd", errno));
  if (auto agreed = agree_on_userfault_features(uffd.get()); !agreed) return agreed;
  auto tracker = Tracker::start(::getpid(), std::move(uffd));
  if (!tracker) return fail(tracker.error());
  const MutableBytes page = mapping->bytes();
  const TrackedRange range{reinterpret_cast<std::uint64_t>(page.data()), page.size()};
  if (auto added = tracker->add(range); !added) return added;
  Bitmap before(1), quiet(1), written(1);
  if (auto scanned = tracker->scan(range, before); !scanned) return scanned;
  if (auto scanned = tracker->scan(range, quiet); !scanned) return scanned;
  *static_cast<volatile std::byte*>(page.data()) = std::byte{1};
  if (auto scanned = tracker->scan(range, written); !scanned) return scanned;
  if (quiet.any() || !written.test(0)) {
    return fail("tracking-failed", "the kernel does not tell written pages from others");
  }
  return {};
}

void check_kernel(std::vector<Finding>& findings) {
#if !defined(__x86_64__)
  findings.push_back({true, "architecture-unsupported", "QEMU guests need an x86_64 host here",
                      "run the engine on an x86_64 host"});
#else
  if (const auto tried = try_tracking(); !tried) {
    findings.push_back(
        {true, "kernel-too-old",
         "kernel " + kernel_version() + " cannot report written pages: " + tried.error().reason,
         "boot a kernel of version 6.7 or newer"});
  }
#endif
}

// As Yama says it: 0 and 1 let a parent trace its child, 2 wants a capability, 3 forbids it to all.
void check_tracing(std::vector<Finding>& findings) {
  std::ifstream file("/proc/sys/kernel/yama/ptrace_scope");
  int scope = 0;
  if (!(file >> scope)) return;  // no Yama, no limit
  if (scope >= 3 || (scope == 2 && ::geteuid() != 0)) {
    findings.push_back({true, "tracing-forbidden",
                        "kernel.yama.ptrace_scope is " + std::to_string(scope),
                        "run the engine as root, or set kernel.yama.ptrace_scope to 1"});
  }
}

void check_accelerator(const GuestConfig& config, std::vector<Finding>& findings) {
  if (config.qemu.accelerator == "kvm" && choose_accelerator("auto") != "kvm") {
    findings.push_back({true, "kvm-unavailable",
                        "the processor has neither vmx nor svm, or /dev/kvm cannot be opened",
                        "turn virtualization on in the firmware, or set the accelerator to tcg"});
  } else if (choose_accelerator(config.qemu.accelerator) == "tcg") {
    findings.push_back({false, "kvm-unavailable", "the guest will run emulated, which is slow",
                        "use a host with KVM"});
  }
}

void check_qemu(const GuestConfig& config, std::vector<Finding>& findings) {
  if (config.qemu.command.empty()) return;
  const std::string& program = config.qemu.command[0];
  char path[] = "/tmp/colo-check-XXXXXX";
  const UniqueFd file(::mkostemp(path, O_CLOEXEC));
  if (!file) {
    findings.push_back({true, "temporary-file-unusable", errno_text("/tmp", errno), "free /tmp"});
    return;
  }
  std::string reason;
  {
    auto process = Process::start({{program, "--version"}, {}, path});
    if (!process) {
      reason = process.error().reason;
    } else if (!(*process)->wait_end(version_timeout_ms)) {
      reason = program + " --version does not end";
    }
  }
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  ::unlink(path);
  const auto version = parse_version(text.str());
  if (!version) {
    findings.push_back({true, "qemu-not-found", reason.empty() ? program + " is no QEMU" : reason,
                        "install qemu-system-x86 or correct the command in the configuration"});
  } else if (version->major < 7 || (version->major == 7 && version->minor < 2)) {
    findings.push_back({true, "qemu-too-old",
                        program + " is version " + std::to_string(version->major) + "." +
                            std::to_string(version->minor) + ", without -netdev stream",
                        "install QEMU 7.2 or newer"});
  }
}

}  // namespace

std::optional<QemuVersion> parse_version(std::string_view text) {
  constexpr std::string_view before = "QEMU emulator version ";
  const std::size_t at = text.find(before);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string number(text.substr(at + before.size(), 16));
  QemuVersion version;
  if (std::sscanf(number.c_str(), "%d.%d", &version.major, &version.minor) != 2) {
    return std::nullopt;
  }
  return version;
}

std::vector<Finding> host_findings(const GuestConfig& config) {
  std::vector<Finding> findings;
  check_kernel(findings);
  check_tracing(findings);
  check_qemu(config, findings);
  check_accelerator(config, findings);
  return findings;
}

}  // namespace colo::guest
