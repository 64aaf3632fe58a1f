#include "guest/qemu/command_line.h"

#include <algorithm>
#include <charconv>
#include <iterator>

#include "base/types.h"

namespace colo::guest {
namespace {

// QEMU's options that stand alone (qemu-options.hx of 7.2, and those added up to 10).
bool stands_alone(std::string_view name) {
  static constexpr std::string_view names[] = {"h",
                                               "help",
                                               "version",
                                               "cpu-help",
                                               "snapshot",
                                               "no-fd-bootchk",
                                               "no-acpi",
                                               "no-hpet",
                                               "nographic",
                                               "full-screen",
                                               "win2k-hack",
                                               "alt-grab",
                                               "ctrl-grab",
                                               "no-quit",
                                               "usb",
                                               "mem-prealloc",
                                               "S",
                                               "s",
                                               "daemonize",
                                               "preconfig",
                                               "no-reboot",
                                               "no-shutdown",
                                               "enable-kvm",
                                               "only-migratable",
                                               "nodefaults",
                                               "no-user-config",
                                               "singlestep",
                                               "one-insn-per-tb",
                                               "enable-sync-profile",
                                               "xen-attach",
                                               "xen-domid-restrict",
                                               "enable-fips",
                                               "semihosting",
                                               "old-param",
                                               "perfmap",
                                               "jitdump",
                                               "portrait",
                                               "sdl",
                                               "curses"};
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

Result<std::uint64_t> parse_size(std::string_view text) {
  const auto invalid = [text] {
    return fail("memory-size-invalid", "-m " + std::string(text) + " is no size of memory",
                "give the guest's memory as -m <number>M or -m <number>G");
  };
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return invalid();
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  if (unit.size() > 1) return invalid();
  int shift = 20;  // a bare number is in MiB
  switch (unit.empty() ? 'M' : unit[0]) {
    case 'b':
    case 'B':
      shift = 0;
      break;
    case 'k':
    case 'K':
      shift = 10;
      break;
    case 'm':
    case 'M':
      shift = 20;
      break;
    case 'g':
    case 'G':
      shift = 30;
      break;
    case 't':
    case 'T':
      shift = 40;
      break;
    default:
      return invalid();
  }
  constexpr std::uint64_t largest = std::uint64_t{1} << 46;
  if (number == 0 || number > (largest >> shift)) return invalid();
  const std::uint64_t bytes = number << shift;
  // QEMU rounds other sizes up, and both sides must agree on the size.
  if (bytes % (2 * page_bytes) != 0) return invalid();
  return bytes;
}

}  // namespace

std::vector<Option> parse_options(const std::vector<std::string>& command) {
  std::vector<Option> options;
  for (std::size_t i = 1; i < command.size(); ++i) {
    const std::string& word = command[i];
    if (word.size() < 2 || word[0] != '-') {
      options.push_back({"", word});
      continue;
    }
    Option option{word.substr(word.starts_with("--") ? 2 : 1), ""};
    if (!stands_alone(option.name) && i + 1 < command.size()) option.value = command[++i];
    options.push_back(std::move(option));
  }
  return options;
}

std::vector<Part> parse_parts(std::string_view value) {
  std::vector<std::string> texts(1);
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] != ',') {
      texts.back() += value[i];
    } else if (i + 1 < value.size() && value[i + 1] == ',') {
      texts.back() += value[i++];
    } else {
      texts.emplace_back();
    }
  }
  std::vector<Part> parts;
  for (const std::string& text : texts) {
    if (text.empty()) continue;
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) {
      parts.push_back({text, "", false});
    } else {
      parts.push_back({text.substr(0, equals), text.substr(equals + 1), true});
    }
  }
  return parts;
}

Result<std::uint64_t> memory_bytes_of(const std::vector<std::string>& command) {
  std::optional<std::string> size;
  for (const Option& option : parse_options(command)) {
    if (option.name != "m") continue;
    for (const Part& part : parse_parts(option.value)) {
      if (!part.has_value) size = part.key;
      if (part.key == "size") size = part.value;
    }
  }
  if (!size) {
    return fail("memory-size-missing", "the QEMU command does not say how much memory it needs",
                "add -m <number>M to the command");
  }
  return parse_size(*size);
}

bool names_itself(const std::vector<std::string>& command) {
  const auto options = parse_options(command);
  return std::any_of(options.begin(), options.end(),
                     [](const Option& option) { return option.name == "name"; });
}

}  // namespace colo::guest
