// The scene of the Linux guest: network namespaces, TAP devices, QEMU.

#include <csignal>

#include "demo/config_text.h"
#include "demo/namespaces.h"
#include "demo/scene.h"
#include "demo/stage.h"
#include "demo/tcp_client.h"

namespace colo::demo {
namespace {

const std::string own_address = "10.77.0.10";
constexpr std::uint16_t guest_port = 7000;

class QemuScene final : public Scene {
 public:
  QemuScene(const Setting& setting, Folder folder, std::unique_ptr<Stage> stage)
      : setting_(setting), folder_(std::move(folder)), stage_(std::move(stage)) {}

  [[nodiscard]] const Folder& folder() const override { return folder_; }
  [[nodiscard]] std::string description() const override {
    return "three network namespaces: alpha, beta, client";
  }
  Result<Child> start_engine(const std::string& host) override {
    Command command = engine_command(setting_, folder_, host);
    command.network_namespace = stage_->namespace_of(host);
    return Child::start(command);
  }
  Result<std::unique_ptr<Transport>> make_transport() override {
    return std::make_unique<TcpClient>(stage_->namespace_of("client"), own_address, guest_port);
  }
  [[nodiscard]] std::unique_ptr<Transport> make_visit() override {
    return std::make_unique<TcpClient>(stage_->namespace_of("client"), own_address, guest_port,
                                       visitor_words);
  }
  [[nodiscard]] int outside_namespace() const override { return stage_->namespace_of("client"); }
  [[nodiscard]] std::string guest_address() const override { return own_address; }
  [[nodiscard]] std::vector<pid_t> processes_of(const std::string& host,
                                                const Child& engine) override {
    std::vector<pid_t> all{engine.pid()};
    for (const pid_t pid : stage_->processes_of(host)) {
      if (pid != engine.pid()) all.push_back(pid);
    }
    return all;
  }
  Result<void> kill_host(const std::string& host, const Child& engine) override {
    // Looked up before the first of them dies, so that nothing lies between the signals.
    const std::vector<pid_t> doomed = stage_->processes_of(host);
    ::kill(engine.pid(), SIGKILL);
    for (const pid_t pid : doomed) ::kill(pid, SIGKILL);
    return stage_->kill_processes_of(host);
  }
  Result<void> cut() override { return stage_->cut(); }
  Result<void> cut_towards(const std::string& host) override { return stage_->cut_towards(host); }
  Result<void> unplug() override { return stage_->unplug(); }
  Result<void> reset_connections() override { return stage_->reset_connections(); }
  Result<void> throttle(std::uint64_t bytes_per_second) override {
    return stage_->throttle(bytes_per_second);
  }
  Result<void> mend() override { return stage_->mend(); }
  [[nodiscard]] const Speakers& speakers() const override { return stage_->speakers(); }
  Result<void> tear_down() override { return stage_->remove(); }

 private:
  Setting setting_;
  Folder folder_;
  std::unique_ptr<Stage> stage_;  // goes before the folder, whose files its processes use
};

}  // namespace

Result<std::unique_ptr<Scene>> make_qemu_scene(const Setting& setting) {
  for (const char* file : {"vmlinuz", "initrd"}) {
    if (!std::filesystem::exists(setting.image / file)) {
      return fail("no-guest-image", (setting.image / file).string() + " does not exist",
                  "let ./dev demo build it, or name its folder with --image");
    }
  }
  auto stage = Stage::build();
  if (!stage) return fail(stage.error());
  auto folder = make_folder_with_key(setting);
  if (!folder) return fail(folder.error());
  ConfigText config;
  config.key_file = folder->key();
  config.run_directory = folder->run_directory();
  config.checkpoint_directory = folder->checkpoint_directory();
  config.arbiter = Folder::arbiter_mount();
  config.more = setting.more_config;
  config.delay_ms = setting.delay_ms;
  config.mode = setting.mode;
  config.guest = qemu_guest_lines(setting, folder->console());
  config.hosts = {{"alpha", "10.77.1.1:7700", "10.77.1.1:7701", "", "", "tap:tap0"},
                  {"beta", "10.77.1.2:7700", "10.77.1.2:7701", "", "", "tap:tap0"}};
  if (auto written = write_file(folder->config(), render(config)); !written)
    return fail(written.error());
  return std::make_unique<QemuScene>(setting, std::move(*folder), std::move(*stage));
}

}  // namespace colo::demo
