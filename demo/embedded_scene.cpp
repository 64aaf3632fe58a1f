// The scene of the embedded guest: two engines on loopback, no privileges.

#include <csignal>
#include <random>

#include "demo/config_text.h"
#include "demo/relay.h"
#include "demo/scene.h"
#include "demo/udp_client.h"

namespace colo::demo {
namespace {

const std::array<std::string, 2> host_names{"alpha", "beta"};

std::filesystem::path engine_end(const Folder& folder, const std::string& host) {
  return folder.path() / ("net0." + host);
}
std::filesystem::path switch_end(const Folder& folder, const std::string& host) {
  return folder.path() / ("switch." + host);
}
std::string loopback_text(std::uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

class EmbeddedScene final : public Scene {
 public:
  EmbeddedScene(const Setting& setting, Folder folder, std::unique_ptr<Relay> relay)
      : setting_(setting), folder_(std::move(folder)), relay_(std::move(relay)) {}

  [[nodiscard]] const Folder& folder() const override { return folder_; }
  [[nodiscard]] std::string description() const override {
    return "two engines on loopback, a link and a switch between them";
  }
  Result<Child> start_engine(const std::string& host) override {
    return Child::start(engine_command(setting_, folder_, host));
  }
  Result<std::unique_ptr<Transport>> make_transport() override {
    std::vector<SwitchPort> ports;
    for (const std::string& host : host_names) {
      ports.push_back({switch_end(folder_, host), engine_end(folder_, host)});
    }
    auto network = UnixSwitch::open(ports, &speakers_);
    if (!network) return fail(network.error());
    std::random_device random;
    const std::uint64_t client = (std::uint64_t{random()} << 32 | random()) | 1;  // never 0
    return std::make_unique<UdpClient>(std::move(*network), client);
  }
  [[nodiscard]] std::unique_ptr<Transport> make_visit() override { return nullptr; }
  [[nodiscard]] std::vector<pid_t> processes_of(const std::string&, const Child& engine) override {
    return {engine.pid()};  // the embedded guest lives in its engine
  }
  Result<void> kill_host(const std::string&, const Child& engine) override {
    ::kill(engine.pid(), SIGKILL);
    return {};
  }
  Result<void> cut() override {
    relay_->cut();
    return {};
  }
  Result<void> cut_towards(const std::string& host) override {
    relay_->cut_towards(host == host_names[0] ? 0 : 1);
    return {};
  }
  Result<void> unplug() override {
    return fail("not-here", "loopback has no cable that could be out");
  }
  Result<void> reset_connections() override {
    relay_->reset_connections();
    return {};
  }
  Result<void> throttle(std::uint64_t bytes_per_second) override {
    relay_->throttle(bytes_per_second);
    return {};
  }
  Result<void> mend() override {
    relay_->mend();
    relay_->throttle(0);
    return {};
  }
  [[nodiscard]] const Speakers& speakers() const override { return speakers_; }
  Result<void> tear_down() override {
    relay_.reset();
    return {};
  }

 private:
  Setting setting_;
  Folder folder_;
  std::unique_ptr<Relay> relay_;
  Speakers speakers_;
};

}  // namespace

Result<std::unique_ptr<Scene>> make_embedded_scene(const Setting& setting) {
  auto folder = make_folder_with_key(setting);
  if (!folder) return fail(folder.error());
  auto relay = std::make_unique<Relay>();
  const auto relayed = relay->start();
  if (!relayed) return fail(relayed.error());
  ConfigText config;
  config.key_file = folder->key();
  config.run_directory = folder->run_directory();
  config.checkpoint_directory = folder->checkpoint_directory();
  config.arbiter = Folder::arbiter_mount();
  config.more = setting.more_config;
  config.delay_ms = setting.delay_ms;
  config.mode = setting.mode;
  config.guest = embedded_guest_lines(setting);
  for (std::size_t i = 0; i < 2; ++i) {
    const RelayedHost& host = (*relayed)[i];
    config.hosts.push_back({host_names[i], loopback_text(host.replication),
                            loopback_text(host.heartbeat), loopback_text(host.replication_listen),
                            loopback_text(host.heartbeat_listen),
                            "unix:" + engine_end(*folder, host_names[i]).string() + "," +
                                switch_end(*folder, host_names[i]).string()});
  }
  if (auto written = write_file(folder->config(), render(config)); !written)
    return fail(written.error());
  return std::make_unique<EmbeddedScene>(setting, std::move(*folder), std::move(relay));
}

}  // namespace colo::demo
