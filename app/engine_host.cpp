#include "app/engine_host.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <spdlog/spdlog.h>

#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <chrono>

#include "arbiter/make.h"

namespace colo::app {

namespace {

std::string random_word() {
  std::array<unsigned char, 8> bytes{};
  RAND_bytes(bytes.data(), static_cast<int>(bytes.size()));
  static constexpr char digits[] = "0123456789abcdef";
  std::string word;
  for (const unsigned char byte : bytes) {
    word.push_back(digits[byte >> 4]);
    word.push_back(digits[byte & 15]);
  }
  return word;
}

std::vector<OwnerStatus> owners_of(heartbeat::Arbiter& arbiter,
                                   const std::vector<OwnerStatus>& before) {
  const auto history = arbiter.history();
  if (!history) return before;
  std::vector<OwnerStatus> owners;
  for (const auto& one : *history) owners.push_back({one.generation.value, one.owner});
  return owners;
}

}  // namespace

Host::Host(boost::asio::io_context& event_loop, const Config& configuration, std::string host,
           std::filesystem::path file)
    : loop(event_loop),
      config(configuration),
      name(std::move(host)),
      run(random_word()),
      config_file(std::move(file)),
      peer(config.peer_of(name)),
      hooks(config, name) {}

void Host::claim(Generation from, heartbeat::For for_whom, const std::string& peer_run,
                 std::function<void(Result<heartbeat::ClaimAnswer>)> answer) {
  heartbeat::Claim claim{from, name, run};
  if (for_whom == heartbeat::For::nobody) claim.owner.clear();
  if (for_whom == heartbeat::For::peer) {
    claim.owner = peer.name;
    claim.run = peer_run;
  }
  arbiter_worker.post(
      [this, claim = std::move(claim), before = owners, answer = std::move(answer)] {
        auto result = arbiter->claim(claim);
        // The answer is the claim's; the history is for people and must not delay it.
        boost::asio::post(
            loop, [answer, result = std::move(result)]() mutable { answer(std::move(result)); });
        boost::asio::post(loop, [this, now = owners_of(*arbiter, before)] { owners = now; });
      });
}

void Host::read_ownership(std::function<void(Result<heartbeat::Ownership>)> answer) {
  arbiter_worker.post([this, before = owners, answer = std::move(answer)] {
    auto result = arbiter->current();
    boost::asio::post(loop, [this, answer, result = std::move(result),
                             now = owners_of(*arbiter, before)]() mutable {
      owners = now;
      answer(std::move(result));
    });
  });
}

void Host::refresh_owners() {
  if (refreshing_) return;
  refreshing_ = true;
  read_ownership([this](const auto&) { refreshing_ = false; });
}

void Host::acquire(HookCause cause, Generation generation,
                   std::function<void(Result<void>)> answer) {
  hook_worker.post([this, cause, generation, answer = std::move(answer)] {
    auto acquired = hooks.acquire(cause, generation, hook_cancel);
    boost::asio::post(loop, [answer, acquired = std::move(acquired)] { answer(acquired); });
  });
}

void Host::release(HookRunner::Of which, HookCause cause, Generation generation,
                   std::function<void()> answer) {
  hook_worker.post([this, which, cause, generation, answer = std::move(answer)] {
    if (auto released = hooks.release(which, cause, generation, hook_cancel); !released) {
      spdlog::error("a resource of the guest is not released: {}", released.error().text());
    }
    boost::asio::post(loop, answer);
  });
}

io::LaneOptions Host::lane_options() const {
  io::LaneOptions options;
  options.tls = config.tls;
  options.key = key;
  options.stream_timeout = config.limits.stream_timeout;
  // What passes leave in a sender's queue is in front of the checkpoint, and what the guest says
  // behind the cut waits for all of it.
  options.queue_bytes = 4U << 20;
  return options;
}

wire::Agreement Host::agreement(const guest::Identity& identity) const {
  return {config.name,          identity.machine, identity.version,
          identity.accelerator, identity.layout,  config.hash64()};
}

std::string Host::command(const std::string& verb, const std::string& host) const {
  return "colo " + verb + " " + config_file.string() + " --host " + host;
}

std::string Host::look_at_arbiter() const {
  return arbiter::look_command(config.arbiter, config.asker(name));
}

std::int64_t unix_now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Error lane_error(const std::string& host, const io::LaneEnd& end) {
  return {end.error.word, host + ": " + end.error.reason, end.error.remedy};
}

void fill_links(PeerStatus& status, const std::vector<heartbeat::LinkReport>& report,
                const HostConfig& peer) {
  for (std::size_t i = 0; i < report.size(); ++i) {
    LinkStatus link;
    link.name = i < peer.heartbeat.size() ? peer.heartbeat[i].text()
                                          : peer.replication.text() + " (control lane)";
    switch (report[i].state) {
      case heartbeat::LinkState::quiet:
        link.state = "quiet";
        break;
      case heartbeat::LinkState::alive:
        link.state = "alive";
        break;
      case heartbeat::LinkState::silent:
        link.state = "silent";
        break;
    }
    if (report[i].state != heartbeat::LinkState::quiet) {
      link.silence_ms = std::chrono::duration<double, std::milli>(report[i].silence).count();
    }
    status.links.push_back(std::move(link));
  }
}

GuestStatus describe(const guest::Identity& identity, bool running, int pid) {
  GuestStatus status{identity.kind,        identity.version,        identity.machine,
                     identity.accelerator, identity.memory_bytes(), running,
                     std::nullopt};
  if (pid != 0) status.pid = pid;
  return status;
}

std::vector<io::InsidePort> inside_ports(const guest::Guest& guest) {
  std::vector<io::InsidePort> ports;
  for (const guest::PacketPort& port : guest.ports()) ports.push_back({port.name, port.fd});
  return ports;
}

namespace {

class DescriptorWatch final : public EndWatch {
 public:
  DescriptorWatch(boost::asio::io_context& loop, int fd, std::function<void()> ended)
      : descriptor_(loop, fd) {
    descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                           [ended = std::move(ended)](const boost::system::error_code& error) {
                             if (!error) ended();
                           });
  }

 private:
  boost::asio::posix::stream_descriptor descriptor_;
};

}  // namespace

std::unique_ptr<EndWatch> EndWatch::start(boost::asio::io_context& loop, int end_fd,
                                          std::function<void()> ended) {
  // A descriptor of our own: the guest closes its one when it goes.
  return std::make_unique<DescriptorWatch>(loop, ::fcntl(end_fd, F_DUPFD_CLOEXEC, 0),
                                           std::move(ended));
}

}  // namespace colo::app
