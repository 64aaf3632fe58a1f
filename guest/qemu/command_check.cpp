// What in a QEMU command speaks against protecting its guest.
#include <algorithm>
#include <initializer_list>

#include "guest/qemu/command_line.h"

namespace colo::guest {
namespace {

bool is_one_of(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::string value_of(const std::vector<Part>& parts, std::string_view key) {
  std::string value;
  for (const Part& part : parts) {
    if (part.key == key) value = part.has_value ? part.value : "on";
  }
  return value;
}

// What a device or back end is: "driver=x" or the first word.
std::string kind_of(const std::vector<Part>& parts, std::string_view key) {
  const std::string named = value_of(parts, key);
  if (!named.empty()) return named;
  return parts.empty() || parts[0].has_value ? std::string{} : parts[0].key;
}

bool is_on(std::string_view value) { return is_one_of(value, {"on", "yes", "true"}); }

std::string shown(const Option& option) {
  if (option.name.empty()) return "'" + option.value + "'";
  return "'-" + option.name + (option.value.empty() ? "" : " " + option.value) + "'";
}

class Check {
 public:
  explicit Check(const GuestConfig& config) : config_(config) {}

  std::vector<Finding> run() {
    if (config_.qemu.command.empty()) {
      add("command-missing", "the configuration names no QEMU command",
          "set the command of the guest, as in the example configuration");
      return std::move(findings_);
    }
    if (!is_one_of(config_.qemu.accelerator, {"auto", "kvm", "tcg"})) {
      add("accelerator-unknown", "'" + config_.qemu.accelerator + "' is no accelerator",
          "set it to auto, kvm or tcg");
    }
    if (const auto size = memory_bytes_of(config_.qemu.command); !size) {
      add(size.error().word, size.error().reason, size.error().remedy);
    }
    options_ = parse_options(config_.qemu.command);
    for (const Option& option : options_) {
      reserved(option);
      memory(option);
      disk(option);
      device(option);
      network(option);
    }
    for (const NicConfig& nic : config_.nics) card(nic);
    return std::move(findings_);
  }

  std::vector<Finding> run_for_own_copies() {
    for (const Option& option : parse_options(config_.qemu.command)) {
      balloon(option);
      for_one(option);
    }
    return std::move(findings_);
  }

 private:
  void add(std::string word, std::string reason, std::string remedy) {
    findings_.push_back({true, std::move(word), std::move(reason), std::move(remedy)});
  }

  // What the engine itself decides.
  void reserved(const Option& option) {
    const auto refuse = [&](std::string remedy) {
      add("option-reserved", shown(option) + " is decided by the engine", std::move(remedy));
    };
    if (is_one_of(option.name, {"S", "qmp", "qmp-pretty", "incoming", "daemonize", "loadvm",
                                "no-shutdown", "preconfig", "help", "h", "version"})) {
      refuse("leave it out of the command");
    } else if (is_one_of(option.name,
                         {"readconfig", "chroot", "runas", "run-with", "xen-attach"})) {
      refuse("leave it out: the engine must see every option and share descriptors with QEMU");
    } else if (is_one_of(option.name, {"accel", "enable-kvm"})) {
      refuse("leave it out and set the guest's accelerator in the configuration");
    } else if (is_one_of(option.name, {"machine", "M"}) &&
               !value_of(parse_parts(option.value), "accel").empty()) {
      refuse("leave accel= out and set the guest's accelerator in the configuration");
    } else if (option.name == "action" &&
               value_of(parse_parts(option.value), "shutdown") == "pause") {
      refuse("leave it out: the engine learns of a shutdown by the end of QEMU");
    } else if (option.name == "action" && value_of(parse_parts(option.value), "panic") == "pause") {
      // The guest would stand still, and count as running.
      refuse("leave it out: the engine learns of a panic by the end of QEMU");
    }
  }

  void memory(const Option& option) {
    const std::vector<Part> parts = parse_parts(option.value);
    const bool machine =
        is_one_of(option.name, {"machine", "M"}) && !value_of(parts, "memory-backend").empty();
    const bool object =
        option.name == "object" && option.value.find("memory-backend-") != std::string::npos;
    if (machine || object || option.name == "mem-path") {
      add("memory-not-shared", shown(option) + " gives the guest memory that the engine cannot see",
          "leave it out: the engine makes the memory that -m asks for and shares it with QEMU");
    }
  }

  void disk(const Option& option) {
    const auto refuse = [&](const std::string& why) {
      add("disk-writable", shown(option) + " " + why + ", and disks are not replicated yet",
          "make it read-only (readonly=on, media=cdrom), or keep the data in memory");
    };
    const std::vector<Part> parts = parse_parts(option.value);
    if (is_one_of(option.name,
                  {"hda", "hdb", "hdc", "hdd", "fda", "fdb", "sd", "mtdblock", "pflash", ""})) {
      refuse("is a writable disk");
    } else if (option.name == "snapshot") {
      refuse("keeps writes in a file that a takeover would lose");
    } else if (option.name == "drive") {
      drive(option, parts, refuse);
    } else if (option.name == "blockdev") {
      const bool read_only = is_on(value_of(parts, "read-only")) ||
                             option.value.find("\"read-only\": true") != std::string::npos ||
                             option.value.find("\"read-only\":true") != std::string::npos;
      if (!read_only) refuse("is not marked read-only=on");
    } else if (is_one_of(option.name, {"virtfs", "fsdev"}) && !is_on(value_of(parts, "readonly"))) {
      refuse("lets the guest write files of the host");
    }
  }

  template <class Refuse>
  void drive(const Option&, const std::vector<Part>& parts, Refuse&& refuse) {
    if (is_on(value_of(parts, "snapshot"))) {
      refuse("keeps writes in a file that a takeover would lose");
      return;
    }
    const bool read_only = is_on(value_of(parts, "readonly")) ||
                           is_on(value_of(parts, "read-only")) ||
                           value_of(parts, "media") == "cdrom";
    if (!read_only) refuse("is a writable disk");
  }

  void device(const Option& option) {
    if (option.name == "usbdevice" && option.value.starts_with("disk")) {
      add("disk-writable", shown(option) + " is a writable disk, and disks are not replicated yet",
          "make it read-only, or keep the data in memory");
    }
    if (option.name != "device") return;
    const std::string kind = kind_of_device(option);
    static constexpr std::string_view untrackable[] = {
        "vfio-",      "vhost-",      "ivshmem", "usb-host",    "nvdimm",   "pc-dimm",
        "virtio-mem", "virtio-pmem", "cxl-",    "x-pci-proxy", "virtio-9p"};
    const bool refused =
        std::any_of(std::begin(untrackable), std::end(untrackable),
                    [&kind](std::string_view prefix) { return kind.starts_with(prefix); });
    if (refused) {
      add("device-untrackable", "the memory or state behind '" + kind + "' cannot be followed",
          "use an emulated or virtio device of QEMU's own");
    }
  }

  // QEMU gives ballooned pages back by punching holes into the memory's file, also where it maps it
  // privately: it would take them out of the checkpoint.
  void balloon(const Option& option) {
    if (option.name != "device") return;
    if (kind_of_device(option).starts_with("virtio-balloon")) {
      add("device-spoils-checkpoint",
          shown(option) + " changes the memory of the checkpoint that the guest was loaded from",
          "leave the balloon out, or use periodic mode");
    }
  }

  // The replica and the standby that is to follow it run beside each other on one host.
  void for_one(const Option& option) {
    const std::string_view value = option.value;
    const std::vector<Part> parts = parse_parts(value);
    bool fixed = is_one_of(option.name, {"s", "pidfile"});
    if (option.name == "gdb") fixed = value != "none" && !value.starts_with("stdio");
    if (is_one_of(option.name, {"serial", "parallel", "monitor", "debugcon", "chardev"})) {
      const bool address =
          is_one_of(value.substr(0, value.find(':')), {"tcp", "telnet", "websocket", "unix"}) ||
          kind_of(parts, "backend") == "socket";
      const std::string server = value_of(parts, "server");
      fixed = (address && !server.empty() && !is_one_of(server, {"off", "no", "false"})) ||
              value.starts_with("pipe");
    }
    if (option.name == "vnc" || (option.name == "display" && value.starts_with("vnc="))) {
      fixed = value != "none" && value_of(parts, "to").empty();
    }
    if (option.name == "spice") {
      fixed = !value_of(parts, "port").empty() || !value_of(parts, "tls-port").empty() ||
              !value_of(parts, "unix").empty();
    }
    if (!fixed) return;
    findings_.push_back(
        {false, "option-for-one",
         shown(option) + " names a place that two QEMUs on one host cannot both have",
         "a replica's successor starts while it runs: leave the option out, or let "
         "QEMU choose the place (pty, -vnc with to=)"});
  }

  void network(const Option& option) {
    const std::vector<Part> parts = parse_parts(option.value);
    const std::string kind =
        option.value.starts_with("{") ? json_text(option.value, "type") : kind_of(parts, "type");
    if (option.name == "netdev") {
      const std::string id =
          option.value.starts_with("{") ? json_text(option.value, "id") : value_of(parts, "id");
      const bool ours = std::any_of(config_.nics.begin(), config_.nics.end(),
                                    [&id](const NicConfig& nic) { return nic.id == id; });
      if (ours) {
        add("option-reserved", "the network back end '" + id + "' is made by the engine",
            "leave this -netdev out; keep the -device that names it");
      } else {
        unheld(option);
      }
    } else if (is_one_of(option.name, {"nic", "net"}) && kind != "none") {
      unheld(option);
    }
  }

  void unheld(const Option& option) {
    add("network-not-held", "the engine cannot hold what the guest sends by " + shown(option),
        "name the card in the configuration's nics and give the command only its -device");
  }

  static std::string kind_of_device(const Option& option) {
    if (option.value.starts_with("{")) return json_text(option.value, "driver");
    return kind_of(parse_parts(option.value), "driver");
  }

  // The first value of a key in a JSON-valued option.
  static std::string json_text(std::string_view json, std::string_view key) {
    const std::size_t at = json.find('"' + std::string(key) + '"');
    if (at == std::string_view::npos) return {};
    const std::size_t begin = json.find('"', json.find(':', at));
    if (begin == std::string_view::npos) return {};
    return std::string(json.substr(begin + 1, json.find('"', begin + 1) - begin - 1));
  }

  void card(const NicConfig& nic) {
    const bool named = std::any_of(options_.begin(), options_.end(), [&nic](const Option& option) {
      if (option.name != "device") return false;
      if (option.value.starts_with("{")) return json_text(option.value, "netdev") == nic.id;
      return value_of(parse_parts(option.value), "netdev") == nic.id;
    });
    if (!named) {
      add("nic-without-device", "no -device of the command has netdev=" + nic.id,
          "add for example -device virtio-net-pci,netdev=" + nic.id);
    }
  }

  const GuestConfig& config_;
  std::vector<Option> options_;
  std::vector<Finding> findings_;
};

}  // namespace

std::vector<Finding> command_findings(const GuestConfig& config) { return Check(config).run(); }

std::vector<Finding> own_copies_findings(const GuestConfig& config) {
  return Check(config).run_for_own_copies();
}

}  // namespace colo::guest
