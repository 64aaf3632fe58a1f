#include <unistd.h>

#include <array>
#include <iostream>

#include "app/commands.h"

namespace colo::app {
namespace {

std::string machine_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "";
  return name.data();
}

Result<std::string> choose_host(const Config& config, const std::optional<std::string>& wanted) {
  const std::string names = config.hosts[0].name + " and " + config.hosts[1].name;
  if (wanted) {
    if (config.find_host(*wanted) != nullptr) return *wanted;
    return fail("unknown-host", "\"" + *wanted + "\" is not a host of " + config.name,
                "its hosts are " + names);
  }
  const std::string name = machine_name();
  if (config.find_host(name) != nullptr) return name;
  return fail(
      "unknown-host",
      "this machine is called \"" + name + "\", the hosts of " + config.name + " are " + names,
      "say which one it is with --host");
}

}  // namespace

int refuse(const Error& error, int status) {
  std::cerr << "colo: " << error.text() << '\n';
  return status;
}

std::optional<Selected> select(const Target& target) {
  auto config = load_config(target.file);
  if (!config) {
    for (const ConfigProblem& problem : config.error()) {
      std::cerr << problem.text(target.file) << '\n';
    }
    return std::nullopt;
  }
  const auto host = choose_host(*config, target.host);
  if (!host) {
    std::cerr << "colo: " << host.error().text() << '\n';
    return std::nullopt;
  }
  return Selected{std::move(*config), *host};
}

}  // namespace colo::app
