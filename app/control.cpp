#include "app/control.h"

#include <algorithm>
#include <array>

#include "app/status_json.h"

namespace colo::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<Command, 6> all_commands{Command::status,     Command::checkpoint,
                                              Command::switchover, Command::takeover,
                                              Command::give_back,  Command::set};

std::string known_commands() {
  std::string all;
  for (const Command command : all_commands)
    all += std::string(all.empty() ? "" : ", ") + word(command);
  return all;
}

std::string dump(const Json& tree) {
  // Reasons quote file names and peers, which need not be UTF-8.
  return tree.dump(-1, ' ', false, Json::error_handler_t::replace);
}

tl::unexpected<Error> bad_request(const std::string& reason) {
  return fail("bad-request", reason, "send one line: {\"command\":\"status\"}");
}

// Exactly the keys that the command has, each a string.
Result<void> check_keys(const Json& tree, bool set) {
  for (const auto& [key, value] : tree.items()) {
    const bool known = key == "command" || (set && (key == "key" || key == "value"));
    if (!known) return bad_request("the key \"" + key + "\" does not belong to this command");
    if (!value.is_string()) return bad_request("\"" + key + "\" is not a string");
  }
  if (set && (!tree.contains("key") || !tree.contains("value"))) {
    return fail("bad-request", "the command set needs \"key\" and \"value\"",
                "send {\"command\":\"set\",\"key\":\"delay\",\"value\":\"50ms\"}");
  }
  return {};
}

}  // namespace

const char* word(Command command) {
  switch (command) {
    case Command::status:
      return "status";
    case Command::checkpoint:
      return "checkpoint";
    case Command::switchover:
      return "switchover";
    case Command::takeover:
      return "takeover";
    case Command::give_back:
      return "give-back";
    case Command::set:
      return "set";
  }
  return "status";
}

Result<Request> parse_request(std::string_view line) {
  const Json tree = Json::parse(line.begin(), line.end(), nullptr, false);
  if (!tree.is_object()) return bad_request("the line is not a JSON object");
  const auto name = tree.find("command");
  if (name == tree.end() || !name->is_string()) {
    return bad_request("there is no \"command\" with a string");
  }
  const auto& text = name->get_ref<const std::string&>();
  const auto* command = std::find_if(all_commands.begin(), all_commands.end(),
                                     [&](Command c) { return text == word(c); });
  if (command == all_commands.end()) {
    return fail("unknown-command", "there is no command \"" + text.substr(0, 64) + "\"",
                "known: " + known_commands());
  }
  const bool set = *command == Command::set;
  if (const auto keys = check_keys(tree, set); !keys) return fail(keys.error());
  Request request{*command, {}, {}};
  if (set) {
    request.key = tree["key"].get<std::string>();
    request.value = tree["value"].get<std::string>();
  }
  return request;
}

std::string render(const Request& request) {
  Json tree{{"command", word(request.command)}};
  if (request.command == Command::set) {
    tree["key"] = request.key;
    tree["value"] = request.value;
  }
  return dump(tree);
}

Result<Reply> parse_reply(std::string_view line) {
  try {
    const Json tree = Json::parse(line);
    Reply reply;
    if (!tree.at("ok").get<bool>()) {
      reply.error = Error{tree.at("word").get<std::string>(), tree.at("reason").get<std::string>(),
                          tree.at("remedy").get<std::string>()};
      return reply;
    }
    if (tree.contains("message")) reply.message = tree["message"].get<std::string>();
    if (tree.contains("status")) reply.status = status_from_tree(tree["status"]);
    return reply;
  } catch (const Json::exception& error) {
    return fail("bad-reply", std::string("the engine's reply is not understood: ") + error.what(),
                "use the same version of colo for the engine and for this command");
  }
}

std::string render(const Reply& reply) {
  if (reply.error) {
    return dump({{"ok", false},
                 {"word", reply.error->word},
                 {"reason", reply.error->reason},
                 {"remedy", reply.error->remedy}});
  }
  Json tree{{"ok", true}};
  if (!reply.message.empty()) tree["message"] = reply.message;
  if (reply.status) {
    Json status = to_tree(*reply.status);
    auto& owners = status["owners"].get_ref<Json::array_t&>();
    if (owners.size() > control_owners) {
      owners.erase(owners.begin(), owners.end() - static_cast<std::ptrdiff_t>(control_owners));
    }
    tree["status"] = std::move(status);
  }
  return dump(tree);
}

}  // namespace colo::app
