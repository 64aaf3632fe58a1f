#include "app/config_hosts.h"

#include <sys/un.h>

#include <algorithm>

#include "app/names.h"
#include "app/units.h"

namespace colo::app {
namespace {

using Need = TableReader::Need;

constexpr std::size_t most_links = 8;  // more independent links than a host has cards
constexpr std::size_t most_nics = 8;   // as many ports as the packet gate polls at once
// Of a socket in the engine's directory: "/", an id of 15, and what we put around it.
constexpr std::size_t socket_name_bytes = 25;
constexpr std::size_t socket_path_bytes = sizeof(sockaddr_un::sun_path) - 1;

// "tap:NAME" or "unix:OWN,OTHER".
Result<void> check_outside(const std::string& spec) {
  const char* const remedy = "write \"tap:NAME\" or \"unix:/path/own.sock,/path/other.sock\"";
  if (spec.starts_with("tap:")) {
    const std::string name = spec.substr(4);
    if (is_interface_name(name)) return {};
    return fail("bad-outside", "\"" + name + "\" is not the name of an interface",
                "an interface has 1 to 15 characters, none of them / : or a space");
  }
  if (!spec.starts_with("unix:")) {
    return fail("bad-outside", "\"" + spec + "\" is of no known kind", remedy);
  }
  const std::string paths = spec.substr(5);
  const std::size_t comma = paths.find(',');
  if (comma == std::string::npos || paths.find(',', comma + 1) != std::string::npos) {
    return fail("bad-outside", "\"" + spec + "\" does not have two paths", remedy);
  }
  for (const std::string& path : {paths.substr(0, comma), paths.substr(comma + 1)}) {
    if (!path.starts_with('/') || path.size() > socket_path_bytes) {
      return fail(
          "bad-outside", "\"" + path + "\" is not the path of a socket",
          "write an absolute path of at most " + std::to_string(socket_path_bytes) + " bytes");
    }
  }
  return {};
}

void read_outside(TableReader& table, const Config& config, HostConfig& host, Problems& problems) {
  const Need need = config.nics.empty() ? Need::optional : Need::required;
  const TomlNode* node = table.table("outside", need);
  if (node == nullptr) return;
  TableReader outside(*node, table.full_name("outside"), problems);
  for (const guest::NicConfig& nic : config.nics) {
    std::string spec;
    const auto line = outside.text(nic.id.c_str(), Need::required, spec);
    if (line == 0) continue;
    if (const auto checked = check_outside(spec); !checked) problems.add(line, checked.error());
    host.outside.push_back({nic.id, spec});
  }
  outside.finish();
}

// Where it listens is where the peer reaches it, unless a relay or NAT stands between.
void read_addresses(TableReader& table, HostConfig& host, Problems& problems) {
  const auto replication_line = table.address("replication", Need::required, host.replication);
  const bool unspecified = host.replication.ip == "0.0.0.0" || host.replication.ip == "::";
  if (replication_line != 0 && unspecified) {
    problems.add(replication_line,
                 {"bad-address", "nobody can connect to " + host.replication.text(),
                  "write the address at which the peer reaches this host; `listen` may be " +
                      host.replication.text()});
  }
  const auto heartbeat_line = table.addresses("heartbeat", Need::required, host.heartbeat);
  if (heartbeat_line != 0 && (host.heartbeat.empty() || host.heartbeat.size() > most_links)) {
    problems.add(heartbeat_line, {"out-of-bounds",
                                  "`" + table.full_name("heartbeat") + "` has " +
                                      std::to_string(host.heartbeat.size()) + " addresses",
                                  "give 1 to " + std::to_string(most_links) + ", one per link"});
  }
  host.listen = host.replication;
  table.address("listen", Need::optional, host.listen);
  host.heartbeat_listen = host.heartbeat;
  const auto line = table.addresses("heartbeat_listen", Need::optional, host.heartbeat_listen);
  if (line != 0 && heartbeat_line != 0 && host.heartbeat_listen.size() != host.heartbeat.size()) {
    problems.add(line, {"unequal-links",
                        "`" + table.full_name("heartbeat_listen") + "` has " +
                            std::to_string(host.heartbeat_listen.size()) +
                            " addresses, heartbeat " + std::to_string(host.heartbeat.size()),
                        "give one for each heartbeat address, in the same order"});
  }
  auto sorted = host.heartbeat_listen;
  std::sort(sorted.begin(), sorted.end(),
            [](const Address& a, const Address& b) { return a.text() < b.text(); });
  const auto twin = std::adjacent_find(sorted.begin(), sorted.end());
  if (twin != sorted.end()) {
    problems.add(line != 0 ? line : heartbeat_line,
                 {"same-address", "two links of host " + host.name + " use " + twin->text(),
                  "give each link an address or a port of its own"});
  }
}

void read_host(const TomlEntry& entry, const Config& config, HostConfig& host, Problems& problems) {
  host.name = entry.key;
  if (!is_host_name(host.name)) {
    problems.add(entry.line,
                 {"bad-name", "a host is called \"" + host.name + "\"", host_name_rule});
  }
  if (!std::holds_alternative<TomlNode::Table>(entry.node.value)) {
    problems.add(entry.line, {"wrong-kind", "`hosts." + host.name + "` is " + entry.node.kind(),
                              "it must be a table, [hosts." + host.name + "]"});
    return;
  }
  TableReader table(entry.node, "hosts." + host.name, problems);
  read_addresses(table, host, problems);
  read_outside(table, config, host, problems);
  table.finish();
  const std::string directory = config.engine_directory(host.name).string();
  if (directory.size() + socket_name_bytes > socket_path_bytes) {
    problems.add(
        entry.line,
        {"path-too-long", "sockets in " + directory + " would have names longer than Linux allows",
         "shorten `run_directory`, the name of the guest or that of the host to " +
             std::to_string(socket_path_bytes - socket_name_bytes) + " bytes together"});
  }
}

// What is wrong only when both hosts are seen together.
void compare_hosts(const Config& config, std::uint32_t line, Problems& problems) {
  const auto& [a, b] = config.hosts;
  if (!a.heartbeat.empty() && !b.heartbeat.empty() && a.heartbeat.size() != b.heartbeat.size()) {
    problems.add(line,
                 {"unequal-links",
                  a.name + " has " + std::to_string(a.heartbeat.size()) + " heartbeat addresses, " +
                      b.name + " has " + std::to_string(b.heartbeat.size()),
                  "links are paired by position: give both the same number"});
  }
  if (a.replication.port != 0 && a.replication == b.replication) {
    problems.add(line, {"same-address", "both hosts replicate at " + a.replication.text(),
                        "give each host its own address"});
  }
  for (std::size_t i = 0; i < std::min(a.heartbeat.size(), b.heartbeat.size()); ++i) {
    if (a.heartbeat[i] != b.heartbeat[i]) continue;
    problems.add(line, {"same-address", "both hosts beat at " + a.heartbeat[i].text(),
                        "give each host its own address"});
  }
}

}  // namespace

void read_nics(TableReader& top, Config& config, Problems& problems) {
  const TomlNode* node = top.array("nic", Need::optional);
  if (node == nullptr) return;
  const auto& items = std::get<TomlNode::Array>(node->value);
  if (items.size() > most_nics) {
    problems.add(node->line,
                 {"out-of-bounds", "there are " + std::to_string(items.size()) + " network cards",
                  "a guest may have " + std::to_string(most_nics)});
  }
  for (const TomlNode& item : items) {
    if (!std::holds_alternative<TomlNode::Table>(item.value)) {
      problems.add(item.line,
                   {"wrong-kind", "`nic` holds " + item.kind(), "write [[nic]] and an id"});
      continue;
    }
    TableReader table(item, "nic", problems);
    guest::NicConfig nic;
    const auto line = table.text("id", Need::required, nic.id);
    table.finish();
    if (line == 0) continue;
    if (!is_nic_id(nic.id)) {
      problems.add(line, {"bad-name", "`nic.id` is \"" + nic.id + "\"", nic_id_rule});
    }
    if (std::any_of(config.nics.begin(), config.nics.end(),
                    [&](const guest::NicConfig& other) { return other.id == nic.id; })) {
      problems.add(line, {"same-name", "two network cards are called \"" + nic.id + "\"",
                          "give each an id of its own"});
      continue;
    }
    config.nics.push_back(nic);
  }
}

void read_hosts(TableReader& top, Config& config, std::uint32_t first_primary_line,
                Problems& problems) {
  const TomlNode* node = top.table("hosts", Need::required);
  if (node == nullptr) return;
  const auto& entries = std::get<TomlNode::Table>(node->value);
  if (entries.size() != config.hosts.size()) {
    problems.add(node->line,
                 {"not-two-hosts", "there are " + std::to_string(entries.size()) + " hosts",
                  "a guest is protected by exactly two: [hosts.NAME] for each"});
    return;
  }
  for (std::size_t i = 0; i < entries.size(); ++i) {
    read_host(entries[i], config, config.hosts[i], problems);
  }
  std::sort(config.hosts.begin(), config.hosts.end(),
            [](const HostConfig& a, const HostConfig& b) { return a.name < b.name; });
  compare_hosts(config, node->line, problems);
  if (first_primary_line != 0 && config.find_host(config.first_primary) == nullptr) {
    problems.add(
        first_primary_line,
        {"unknown-host", "`first_primary` is \"" + config.first_primary + "\"",
         nearest_hint(config.first_primary, {config.hosts[0].name, config.hosts[1].name})});
  }
}

}  // namespace colo::app
