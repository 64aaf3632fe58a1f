#include "demo/stage.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <sstream>
#include <thread>

#include "demo/namespaces.h"
#include "demo/process.h"

namespace colo::demo {
namespace {

// A switch that forwards from the first frame on and says nothing by itself.
const std::string quiet_bridge = "type bridge stp_state 0 forward_delay 0 mcast_snooping 0";
// The link between the hosts carries memory pages.
const std::string link_mtu = "9000";

// Of virtio-net-pci in qemu_command().
constexpr std::array<std::uint8_t, 6> guest_mac{0x52, 0x54, 0x00, 0xC0, 0x10, 0x00};

void write_setting(const std::string& path, const std::string& value) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return;  // a kernel without IPv6 has no such noise
  static_cast<void>(!::write(fd.get(), value.data(), value.size()));
}

void silence_ipv6() {
  for (const char* scope : {"all", "default"}) {
    write_setting(std::string("/proc/sys/net/ipv6/conf/") + scope + "/disable_ipv6", "1");
  }
}

std::vector<std::string> split(const std::string& words) {
  std::istringstream stream(words);
  std::vector<std::string> all;
  for (std::string word; stream >> word;) all.push_back(word);
  return all;
}

}  // namespace

Result<std::unique_ptr<Stage>> Stage::build() {
  if (::geteuid() != 0) {
    return fail("no-permission", "network namespaces and TAP devices need root",
                "run as root, or try --guest embedded, which needs no privileges");
  }
  remove_stale_namespaces();
  std::unique_ptr<Stage> stage(new Stage);
  stage->outcome_ = stage->make_places();
  if (!stage->outcome_) return fail(stage->outcome_.error());
  if (auto made = stage->make_host(stage->place("alpha"), "10.77.1.1/24"); !made)
    return fail(made.error());
  if (auto made = stage->make_host(stage->place("beta"), "10.77.1.2/24"); !made)
    return fail(made.error());
  if (auto made = stage->make_switch("link0", {"repl-alpha", "repl-beta"}); !made)
    return fail(made.error());
  if (auto made = stage->make_switch("switch0", {"lan-alpha", "lan-beta"}); !made)
    return fail(made.error());
  stage->in("client", "address add 10.77.0.1/24 dev switch0");
  if (!stage->outcome_) return fail(stage->outcome_.error());
  auto tap = FrameTap::start(stage->namespace_of("client"), {"lan-alpha", "lan-beta"}, guest_mac,
                             stage->speakers_);
  if (!tap) return fail(tap.error());
  stage->tap_ = std::move(*tap);
  return stage;
}

Stage::~Stage() { static_cast<void>(remove()); }

Result<void> Stage::make_places() {
  for (const char* host : {"alpha", "beta", "client"}) {
    const std::string name = namespace_prefix(::getpid()) + host;
    if (auto made = run({"ip", "netns", "add", name}); !made) return fail(made.error());
    places_.push_back({host, name, UniqueFd()});
    auto opened = open_namespace(name);
    if (!opened) return fail(opened.error());
    places_.back().fd = std::move(*opened);
    if (auto entered = inside(places_.back().fd.get(), silence_ipv6); !entered)
      return fail(entered.error());
    in(host, "link set lo up");
  }
  return outcome_;
}

Result<void> Stage::make_host(const Place& host, const std::string& replication_address) {
  const std::string& name = host.host;
  const std::string& client = place("client").name;
  in(name, "link add repl0 mtu " + link_mtu + " type veth peer name repl-" + name + " mtu " +
               link_mtu + " netns " + client);
  in(name, "link add lan0 type veth peer name lan-" + name + " netns " + client);
  in(name, "link add br0 " + quiet_bridge);
  in(name, "tuntap add dev tap0 mode tap");
  for (const char* port : {"tap0", "lan0"}) {
    in(name, std::string("link set ") + port + " master br0");
    in(name, std::string("link set ") + port + " up");
  }
  in(name, "link set br0 up");
  in(name, "link set repl0 up");
  in(name, "address add " + replication_address + " dev repl0");
  return outcome_;
}

Result<void> Stage::make_switch(const std::string& bridge, const std::vector<std::string>& ports) {
  in("client", "link add " + bridge + " " + quiet_bridge);
  for (const std::string& port : ports) {
    in("client", "link set " + port + " master " + bridge);
    in("client", "link set " + port + " up");
  }
  in("client", "link set " + bridge + " up");
  return outcome_;
}

const Stage::Place& Stage::place(const std::string& host) const {
  for (const Place& one : places_) {
    if (one.host == host) return one;
  }
  static const Place none;
  return none;
}

void Stage::in(const std::string& host, const std::string& words) {
  if (!outcome_) return;
  std::vector<std::string> command{"ip", "-n", place(host).name};
  for (std::string& word : split(words)) command.push_back(std::move(word));
  if (auto done = run(command); !done) outcome_ = fail(done.error());
}

void Stage::execute(const std::string& host, const std::string& words) {
  if (!outcome_) return;
  std::vector<std::string> command{"ip", "netns", "exec", place(host).name};
  for (std::string& word : split(words)) command.push_back(std::move(word));
  if (auto done = run(command); !done) outcome_ = fail(done.error());
}

int Stage::namespace_of(const std::string& host) const { return place(host).fd.get(); }

std::vector<pid_t> Stage::processes_of(const std::string& host) const {
  return members(place(host).name);
}

Result<void> Stage::kill_processes_of(const std::string& host) {
  return kill_members(place(host).name);
}

Result<void> Stage::cut() {
  // A switch with one port left passes nothing, so the first of these is the cut.
  in("client", "link set repl-alpha nomaster");
  in("client", "link set repl-beta nomaster");
  return outcome_;
}

Result<void> Stage::cut_towards(const std::string& host) {
  execute(host, "iptables -w -I INPUT -i repl0 -j DROP");
  return outcome_;
}

Result<void> Stage::unplug() {
  in("client", "link set repl-alpha down");
  in("client", "link set repl-beta down");
  return outcome_;
}

Result<void> Stage::throttle(std::uint64_t bytes_per_second) {
  for (const char* host : {"alpha", "beta"}) {
    execute(host, "tc qdisc replace dev repl0 root tbf burst 128kb latency 500ms rate " +
                      std::to_string(bytes_per_second * 8) + "bit");
  }
  return outcome_;
}

// Whatever of a connection arrives is answered by a reset, until both ends have seen one.
Result<void> Stage::reset_connections() {
  const std::string rule = " INPUT -i repl0 -p tcp -j REJECT --reject-with tcp-reset";
  for (const char* host : {"alpha", "beta"}) execute(host, "iptables -w -I" + rule);
  std::this_thread::sleep_for(std::chrono::milliseconds(250));  // more than two heartbeats
  for (const char* host : {"alpha", "beta"}) execute(host, "iptables -w -D" + rule);
  return outcome_;
}

Result<void> Stage::mend() {
  for (const char* host : {"alpha", "beta"}) {
    execute(host, "iptables -w -F INPUT");
    execute(host, "tc qdisc replace dev repl0 root pfifo");
    in("client", std::string("link set repl-") + host + " master link0");
    in("client", std::string("link set repl-") + host + " up");
  }
  return outcome_;
}

Result<void> Stage::remove() {
  Result<void> result;
  tap_.reset();
  for (Place& one : places_) {
    if (auto ended = kill_members(one.name); !ended && result) result = fail(ended.error());
    one.fd.reset();
    if (auto gone = run({"ip", "netns", "del", one.name}); !gone && result)
      result = fail(gone.error());
  }
  places_.clear();
  return result;
}

}  // namespace colo::demo
