#include "guest/qemu/launch.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "guest/qemu/command_line.h"
#include "guest/qemu/ram_blocks.h"
#include "guest/system_error.h"

namespace colo::guest {
namespace {

// A QEMU that has loaded its libraries on a busy host; usually 0.1 s.
constexpr std::chrono::seconds start_timeout{20};
// From the end of its control connection to the end of the process.

struct SocketPair {
  UniqueFd ours;    // non-blocking
  UniqueFd theirs;  // closed in the engine once QEMU has it
};

Result<SocketPair> make_socket_pair() {
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail("guest-not-started", errno_text("socketpair", errno),
                "raise the limit of open files");
  }
  SocketPair pair{UniqueFd(ends[0]), UniqueFd(ends[1])};
  if (::fcntl(pair.ours.get(), F_SETFL, O_NONBLOCK) != 0) {
    return fail("guest-not-started", errno_text("fcntl", errno));
  }
  return pair;
}

std::string own_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

// A comma in a value of a QEMU option is written twice.
std::string quote(std::string_view value) {
  std::string quoted;
  for (const char c : value) quoted.append(c == ',' ? 2 : 1, c);
  return quoted;
}

// What a command gets behind the user's own words.
class Addition {
 public:
  explicit Addition(ProcessPlan& plan) : plan_(plan) {}
  void option(std::string name, std::string value) {
    plan_.command.push_back(std::move(name));
    plan_.command.push_back(std::move(value));
  }
  void flag(std::string name) { plan_.command.push_back(std::move(name)); }
  // The child keeps it under the same number, which is returned.
  std::string inherit(int fd) {
    plan_.inherited.push_back(fd);
    return std::to_string(fd);
  }

 private:
  ProcessPlan& plan_;
};

void add_machine(Addition& addition, const GuestConfig& config, const GuestMemory& memory,
                 bool own_copies) {
  const std::string name(main_memory_name);
  addition.inherit(memory.fd());
  addition.option("-object", "memory-backend-file,id=" + name +
                                 ",size=" + std::to_string(memory.main().size()) + ",mem-path=" +
                                 own_path(memory.fd()) + (own_copies ? ",share=off" : ",share=on"));
  addition.option("-machine", "memory-backend=" + name);
  addition.option("-accel", choose_accelerator(config.qemu.accelerator));
  addition.flag("-S");
}

Result<std::vector<UniqueFd>> add_nics(Addition& addition, const GuestConfig& config,
                                       StartedQemu& started) {
  std::vector<UniqueFd> theirs;
  for (const NicConfig& nic : config.nics) {
    auto pair = make_socket_pair();
    if (!pair) return fail(pair.error());
    addition.option("-netdev", "stream,id=" + quote(nic.id) + ",server=off,addr.type=fd,addr.str=" +
                                   addition.inherit(pair->theirs.get()));
    started.ports.push_back({nic.id, pair->ours.get()});
    started.port_sockets.push_back(std::move(pair->ours));
    theirs.push_back(std::move(pair->theirs));
  }
  // Without it QEMU makes a card of its own whose output nobody would hold.
  if (config.nics.empty()) addition.option("-nic", "none");
  return theirs;
}

Result<void> add_state_file(Addition& addition, StartedQemu& started) {
  started.state_file.reset(::memfd_create("colo-device-state", MFD_CLOEXEC));
  if (!started.state_file) {
    return fail("memory-unavailable", errno_text("making a memory file", errno));
  }
  addition.inherit(started.state_file.get());
  started.state_path = own_path(started.state_file.get());
  return {};
}

}  // namespace

std::string choose_accelerator(const std::string& configured) {
  if (configured != "auto") return configured;
  const UniqueFd kvm(::open("/dev/kvm", O_RDWR | O_CLOEXEC));
  if (!kvm) return "tcg";
  std::ifstream processors("/proc/cpuinfo");
  for (std::string line; std::getline(processors, line);) {
    if (!line.starts_with("flags")) continue;
    line += ' ';
    const bool able =
        line.find(" vmx ") != std::string::npos || line.find(" svm ") != std::string::npos;
    return able ? "kvm" : "tcg";
  }
  return "tcg";
}

std::string describe_end(Process& process) {
  std::string text = "QEMU (pid " + std::to_string(process.pid()) + ") " +
                     process.how_it_ended().value_or("still runs");
  const std::string words = process.last_words();
  return words.empty() ? text : text + ": " + words;
}

Result<StartedQemu> start_qemu(const GuestConfig& config, const GuestMemory& memory,
                               StandbyKind standby) {
  StartedQemu started;
  ProcessPlan plan;
  plan.command = config.qemu.command;
  plan.log = config.run_directory / "qemu.log";
  Addition addition(plan);
  add_machine(addition, config, memory, standby == StandbyMemory::own_copies);
  if (!config.name.empty() && !names_itself(config.qemu.command)) {
    addition.option("-name", "guest=" + quote(config.name));
  }
  auto control = make_socket_pair();
  if (!control) return fail(control.error());
  addition.option("-chardev", "socket,id=colo.qmp,fd=" + addition.inherit(control->theirs.get()));
  addition.option("-mon", "chardev=colo.qmp,mode=control");
  auto nic_ends = add_nics(addition, config, started);
  if (!nic_ends) return fail(nic_ends.error());
  if (auto added = add_state_file(addition, started); !added) return fail(added.error());
  SocketPair incoming;
  if (standby) {
    auto pair = make_socket_pair();
    if (!pair) return fail(pair.error());
    incoming = std::move(*pair);
    addition.option("-incoming", "defer");
    started.incoming_uri = "fd:" + addition.inherit(incoming.theirs.get());
    started.incoming = std::move(incoming.ours);
  }
  auto process = Process::start(std::move(plan));
  if (!process) return fail(process.error());
  started.process = std::move(*process);
  // From here on QEMU's end of each socket is QEMU's only: its death closes it.
  control->theirs.reset();
  nic_ends->clear();
  incoming.theirs.reset();

  started.qmp = std::make_unique<Qmp>(std::move(control->ours));
  auto greeting = started.qmp->greet(start_timeout);
  if (!greeting) {
    const bool ended = started.process->wait_end(end_timeout_ms);
    return fail("guest-not-started",
                ended ? describe_end(*started.process) : greeting.error().text(),
                "run the command by hand, or see " + (config.run_directory / "qemu.log").string());
  }
  started.greeting = std::move(*greeting);
  return started;
}

}  // namespace colo::guest
