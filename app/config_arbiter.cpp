#include "app/config_arbiter.h"

#include <algorithm>
#include <charconv>

#include "app/units.h"
#include "arbiter/fence_text.h"

namespace colo::app {
namespace {

using namespace std::chrono_literals;
using Need = TableReader::Need;

constexpr DurationBounds etcd_timeout_bounds{
    100ms, 30s, "shorter takes a busy etcd for a lost one; longer delays the next try"};
constexpr DurationBounds fence_timeout_bounds{
    1s, 600s, "shorter, no power switch answers; longer, the guest is silent for that long"};
constexpr std::size_t most_endpoints = 9;  // more members than an etcd cluster has

bool is_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
  return parsed.ec == std::errc{} && parsed.ptr == text.data() + text.size() && port != 0;
}

// "http://HOST:PORT" or "https://HOST:PORT": no path, no user, nothing that could hide either.
bool is_endpoint(std::string_view text) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!text.starts_with(scheme)) continue;
    const std::string_view rest = text.substr(scheme.size());
    const std::size_t colon = rest.rfind(':');
    if (colon == std::string_view::npos || colon == 0) return false;
    const auto plain = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '.' || c == '-' || c == ':' || c == '[' || c == ']';
    };
    const std::string_view host = rest.substr(0, colon);
    return std::all_of(host.begin(), host.end(), plain) && is_port(rest.substr(colon + 1));
  }
  return false;
}

void read_endpoints(TableReader& table, arbiter::EtcdSettings& etcd, Problems& problems) {
  const auto line = table.texts("endpoints", Need::required, etcd.endpoints);
  if (line == 0) return;
  if (etcd.endpoints.empty() || etcd.endpoints.size() > most_endpoints) {
    problems.add(
        line, {"out-of-bounds", "`arbiter.endpoints` has " + std::to_string(etcd.endpoints.size()),
               "list the members of one etcd cluster, 1 to " + std::to_string(most_endpoints)});
  }
  for (const std::string& endpoint : etcd.endpoints) {
    if (is_endpoint(endpoint)) continue;
    problems.add(line, {"bad-endpoint", "\"" + endpoint + "\" is not an endpoint of etcd",
                        "write \"https://10.77.9.1:2379\", without a path"});
  }
  const bool tls = std::any_of(etcd.endpoints.begin(), etcd.endpoints.end(),
                               [](const std::string& e) { return e.starts_with("https://"); });
  const bool plain = std::any_of(etcd.endpoints.begin(), etcd.endpoints.end(),
                                 [](const std::string& e) { return e.starts_with("http://"); });
  if (tls && plain) {
    problems.add(line, {"bad-endpoint", "some of `arbiter.endpoints` have TLS and some have not",
                        "members of one cluster are alike: https:// for all, or http:// for all"});
  }
}

void read_prefix(TableReader& table, std::string& prefix, Problems& problems) {
  const auto line = table.text("prefix", Need::optional, prefix);
  if (line == 0) return;
  const auto plain = [](char c) { return c > 0x20 && c < 0x7f; };
  if (prefix.size() < 2 || prefix.size() > 200 || prefix.front() != '/' || prefix.back() == '/' ||
      !std::all_of(prefix.begin(), prefix.end(), plain)) {
    problems.add(line, {"bad-prefix", "`arbiter.prefix` is \"" + prefix + "\"",
                        "write it like \"/colo\": it begins with / and does not end with it"});
  }
}

void both_or_none(TableReader& table, const char* one, std::uint32_t one_line, const char* other,
                  std::uint32_t other_line, Problems& problems) {
  if ((one_line == 0) == (other_line == 0)) return;
  problems.add(std::max(one_line, other_line),
               {"missing-key",
                "`" + table.full_name(one_line == 0 ? one : other) + "` is missing beside `" +
                    table.full_name(one_line == 0 ? other : one) + "`",
                "give both or none"});
}

void read_etcd(TableReader& table, arbiter::EtcdSettings& etcd, Problems& problems) {
  read_endpoints(table, etcd, problems);
  read_prefix(table, etcd.prefix, problems);
  table.absolute_path("ca", Need::optional, etcd.ca);
  const auto cert = table.absolute_path("cert", Need::optional, etcd.cert);
  const auto key = table.absolute_path("key", Need::optional, etcd.key);
  both_or_none(table, "cert", cert, "key", key, problems);
  const auto username = table.text("username", Need::optional, etcd.username);
  const auto password = table.absolute_path("password_file", Need::optional, etcd.password_file);
  both_or_none(table, "username", username, "password_file", password, problems);
  table.refuse("password", "would be a secret in a file that is no secret",
               "put it into a file of mode 0600 and name that as `password_file`");
  table.duration("timeout", Need::optional, etcd_timeout_bounds, etcd.timeout);
}

// A table of options for the agent: any name that an agent could have.
void read_options(TableReader& table, const char* name, Need need, arbiter::AgentOptions& out,
                  Problems& problems) {
  const TomlNode* node = table.table(name, need);
  if (node == nullptr) return;
  for (const TomlEntry& entry : std::get<TomlNode::Table>(node->value)) {
    const std::string full = table.full_name(name) + "." + entry.key;
    const auto* value = std::get_if<std::string>(&entry.node.value);
    if (value == nullptr) {
      problems.add(entry.line, {"wrong-kind", "`" + full + "` is " + entry.node.kind(),
                                "it must be a string in quotes, as the agent takes it"});
    } else if (entry.key.starts_with("passw") || entry.key == "passphrase") {
      problems.add(entry.line, {"out-of-place",
                                "`" + full +
                                    "` would be a secret in a file that "
                                    "is no secret",
                                "put it into a file of mode 0600, a line `" + entry.key +
                                    "=...`, and name that as `secrets_file`"});
    } else if (const auto checked = arbiter::fence::check_option(entry.key, *value); !checked) {
      Error error = checked.error();
      error.reason = "`" + full + "`: " + error.reason;
      problems.add(entry.line, std::move(error));
    } else {
      out.emplace_back(entry.key, *value);
    }
  }
}

void read_targets(TableReader& table, const Config& config, arbiter::FenceSettings& fence,
                  Problems& problems) {
  const TomlNode* node = table.table("target", Need::required);
  if (node == nullptr) return;
  TableReader targets(*node, table.full_name("target"), problems);
  for (std::size_t i = 0; i < config.hosts.size(); ++i) {
    arbiter::FenceTarget& target = fence.targets[i];
    target.host = config.hosts[i].name;
    read_options(targets, target.host.c_str(), Need::required, target.options, problems);
  }
  targets.finish();
  if (fence.targets[0].options == fence.targets[1].options) {
    problems.add(node->line, {"same-target", "both hosts are the same to the agent",
                              "give each host its own plug, port or address: else each would "
                              "power itself off"});
  }
}

void read_fence(TableReader& table, const Config& config, arbiter::FenceSettings& fence,
                Problems& problems) {
  const auto line = table.text("agent", Need::required, fence.agent);
  const bool bare = fence.agent.find('/') == std::string::npos && !fence.agent.empty();
  if (line != 0 && !bare && !fence.agent.starts_with('/')) {
    problems.add(line, {"bad-path", "`arbiter.agent` is \"" + fence.agent + "\"",
                        "write a name like \"fence_ipmilan\", or an absolute path"});
  }
  read_options(table, "options", Need::optional, fence.options, problems);
  read_targets(table, config, fence, problems);
  table.absolute_path("secrets_file", Need::optional, fence.secrets_file);
  table.absolute_path("state_directory", Need::required, fence.state_directory);
  table.duration("timeout", Need::optional, fence_timeout_bounds, fence.timeout);
}

// Must be said twice, so that nobody comes to it by leaving something out.
void read_none(TableReader& table, std::uint32_t kind_line, Problems& problems) {
  bool unsafe = false;
  const auto line = table.boolean("unsafe", Need::optional, unsafe);
  if (unsafe) return;
  problems.add(std::max(kind_line, line),
               {"no-arbiter",
                "without an arbiter both hosts let the guest speak when they are cut "
                "off from each other",
                "write \"directory\", \"etcd\" or \"fence\"; or, for trying out, unsafe = true"});
}

// The order of options is the file's and means nothing to an agent.
void render_options(std::ostream& out, const std::string& name, arbiter::AgentOptions options) {
  std::sort(options.begin(), options.end());
  out << "arbiter.fence." << name << " =";
  for (const auto& [key, value] : options) out << ' ' << counted(key) << counted(value);
  out << '\n';
}

}  // namespace

void read_arbiter(TableReader& top, Config& config, Problems& problems) {
  const TomlNode* node = top.table("arbiter", Need::required);
  if (node == nullptr) return;
  TableReader table(*node, "arbiter", problems);
  std::string kind;
  const auto line = table.text("kind", Need::required, kind);
  arbiter::Settings& settings = config.arbiter;
  if (kind == "directory") {
    settings.kind = arbiter::Kind::directory;
    table.absolute_path("directory", Need::required, settings.directory);
  } else if (kind == "etcd") {
    settings.kind = arbiter::Kind::etcd;
    read_etcd(table, settings.etcd, problems);
  } else if (kind == "fence") {
    settings.kind = arbiter::Kind::fence;
    read_fence(table, config, settings.fence, problems);
  } else if (kind == "none") {
    settings.kind = arbiter::Kind::none;
    read_none(table, line, problems);
  } else {
    if (line != 0) {
      problems.add(line, {"unknown-arbiter", "there is no arbiter \"" + kind + "\"",
                          "write \"directory\", \"etcd\" or \"fence\""});
    }
    return;  // which keys belong here is not known
  }
  table.finish();
}

void render_arbiter(std::ostream& out, const Config& config) {
  const arbiter::Settings& settings = config.arbiter;
  switch (settings.kind) {
    case arbiter::Kind::directory:
      out << "arbiter.directory = " << counted(settings.directory.string()) << '\n';
      return;
    case arbiter::Kind::etcd:
      out << "arbiter.etcd.prefix = " << counted(settings.etcd.prefix) << '\n'
          << "arbiter.etcd.endpoints =";
      for (const std::string& endpoint : settings.etcd.endpoints) out << ' ' << counted(endpoint);
      out << '\n';
      return;
    case arbiter::Kind::fence:
      out << "arbiter.fence.agent = " << counted(settings.fence.agent) << '\n';
      render_options(out, "options", settings.fence.options);
      for (const arbiter::FenceTarget& target : settings.fence.targets) {
        render_options(out, "target." + counted(target.host), target.options);
      }
      return;
    case arbiter::Kind::none:
      out << "arbiter.none\n";
      return;
  }
}

}  // namespace colo::app
