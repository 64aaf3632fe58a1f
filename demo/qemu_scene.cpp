// The scene of the Linux guest: network namespaces, TAP devices, QEMU.

#include <csignal>

#include "demo/config_text.h"
#include "demo/namespaces.h"
#include "demo/scene.h"
#include "demo/stage.h"
#include "demo/tcp_client.h"

namespace colo::demo {
namespace {

const std::string guest_address = "10.77.0.10";
constexpr std::uint16_t guest_port = 7000;

class QemuScene final : public Scene {
 public:
  QemuScene(const Options& options, Folder folder, std::unique_ptr<Stage> stage)
      : options_(options), folder_(std::move(folder)), stage_(std::move(stage)) {}

  [[nodiscard]] const Folder& folder() const override { return folder_; }
  [[nodiscard]] std::string description() const override {
    return "three network namespaces: alpha, beta, client";
  }
  Result<Child> start_engine(const std::string& host) override {
    Command command = engine_command(options_, folder_, host);
    command.network_namespace = stage_->namespace_of(host);
    return Child::start(command);
  }
  Result<std::unique_ptr<Transport>> make_transport() override {
    return std::make_unique<TcpClient>(stage_->namespace_of("client"), guest_address, guest_port);
  }
  Result<void> kill_host(const std::string& host, const Child& engine) override {
    // Looked up before the first of them dies, so that nothing lies between the signals.
    const std::vector<pid_t> doomed = stage_->processes_of(host);
    ::kill(engine.pid(), SIGKILL);
    for (const pid_t pid : doomed) ::kill(pid, SIGKILL);
    return stage_->kill_processes_of(host);
  }
  Result<void> cut() override { return stage_->cut(); }
  Result<void> tear_down() override { return stage_->remove(); }

 private:
  Options options_;
  Folder folder_;
  std::unique_ptr<Stage> stage_;  // goes before the folder, whose files its processes use
};

}  // namespace

Result<std::unique_ptr<Scene>> make_qemu_scene(const Options& options) {
  for (const char* file : {"vmlinuz", "initrd"}) {
    if (!std::filesystem::exists(options.image / file)) {
      return fail("no-guest-image", (options.image / file).string() + " does not exist",
                  "let ./dev demo build it, or name its folder with --image");
    }
  }
  auto stage = Stage::build();
  if (!stage) return fail(stage.error());
  auto folder = make_folder_with_key(options);
  if (!folder) return fail(folder.error());
  ConfigText config;
  config.key_file = folder->key();
  config.run_directory = folder->run_directory();
  config.arbiter = folder->arbiter();
  config.delay_ms = options.delay_ms;
  config.guest = qemu_guest_lines(options, folder->console());
  config.hosts = {{"alpha", "10.77.1.1:7700", "10.77.1.1:7701", "", "", "tap:tap0"},
                  {"beta", "10.77.1.2:7700", "10.77.1.2:7701", "", "", "tap:tap0"}};
  if (auto written = write_file(folder->config(), render(config)); !written)
    return fail(written.error());
  return std::make_unique<QemuScene>(options, std::move(*folder), std::move(*stage));
}

}  // namespace colo::demo
