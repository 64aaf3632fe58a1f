#include "demo/config_text.h"

#include <array>
#include <cstdio>

namespace colo::demo {
namespace {

std::string line(const std::string& key, const std::string& value) {
  return key + " = " + value + "\n";
}

std::string array(const std::vector<std::string>& items) {
  std::string text = "[";
  for (const std::string& item : items) text += (text.size() > 1 ? ", " : "") + quoted(item);
  return text + "]";
}

std::string render(const HostText& host) {
  std::string text = "\n[hosts." + host.name + "]\n";
  text += line("replication", quoted(host.replication));
  text += line("heartbeat", array({host.heartbeat}));
  if (!host.listen.empty()) text += line("listen", quoted(host.listen));
  if (!host.heartbeat_listen.empty()) {
    text += line("heartbeat_listen", array({host.heartbeat_listen}));
  }
  return text + line("outside", "{ net0 = " + quoted(host.outside) + " }");
}

}  // namespace

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20) {
      std::array<char, 8> escape{};
      std::snprintf(escape.data(), escape.size(), "\\u%04x", static_cast<unsigned>(c));
      out += escape.data();
      continue;
    }
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string render(const ConfigText& config) {
  std::string text = line("name", quoted("ledger"));
  text += line("first_primary", quoted("alpha"));
  text += line("delay", quoted(std::to_string(config.delay_ms) + "ms"));
  text += line("mode", quoted(config.mode));
  text += line("key_file", quoted(config.key_file.string()));
  text += line("run_directory", quoted(config.run_directory.string()));
  text += line("checkpoint_directory", quoted(config.checkpoint_directory.string()));
  text += "\n[guest]\n" + config.guest;
  text += "\n[[nic]]\nid = \"net0\"\n";
  for (const HostText& host : config.hosts) text += render(host);
  text += "\n[arbiter]\nkind = \"directory\"\n";
  text += line("directory", quoted(config.arbiter.string()));
  return text + config.more;
}

std::vector<std::string> qemu_command(const Setting& setting,
                                      const std::filesystem::path& console) {
  const std::string service = setting.service.empty() ? "" : " colo.service=" + setting.service;
  // An option and its value on one line.
  // clang-format off
  return {
      "qemu-system-x86_64",
      "-machine", "q35",
      "-m", std::to_string(setting.memory_mib) + "M",
      "-nodefaults",
      "-vga", "std",
      "-display", "none",
      "-no-reboot",
      // Both hosts write to one file, one after the other: it shows the guest's whole life.
      "-chardev", "file,id=console,append=on,path=" + console.string(),
      "-serial", "chardev:console",
      "-kernel", (setting.image / "vmlinuz").string(),
      "-initrd", (setting.image / "initrd").string(),
      // The kernel's check of its timer fails on a host so busy that ticks come late, and then hangs.
      "-append", "console=ttyS0 quiet panic=-1 no_timer_check colo.dirty_pages=" +
                     std::to_string(setting.dirty_pages_per_second) + service,
      "-device", "virtio-net-pci,netdev=net0,mac=52:54:00:c0:10:00"};
  // clang-format on
}

std::string qemu_guest_lines(const Setting& setting, const std::filesystem::path& console) {
  return line("kind", quoted("qemu")) + line("accelerator", quoted("auto")) +
         line("command", array(qemu_command(setting, console)));
}

std::string embedded_guest_lines(const Setting& setting) {
  return line("kind", quoted("embedded")) +
         line("memory", quoted(std::to_string(setting.memory_mib) + "MiB")) +
         line("dirty_pages_per_second", std::to_string(setting.dirty_pages_per_second));
}

}  // namespace colo::demo
