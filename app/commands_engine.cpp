// The verbs that ask a running engine: status, set, and those that only tell it to do something.
#include <iostream>

#include "app/commands.h"
#include "app/control_client.h"
#include "app/setting.h"

namespace colo::app {
namespace {

// The engine's refusal is an error like any other here.
Result<Reply> ask(const Selected& selected, const Request& request) {
  auto reply = ask_engine(selected.config.control_socket(selected.host), request);
  if (reply && reply->error) return fail(*reply->error);
  return reply;
}

int tell(const Selected& selected, const Request& request) {
  const auto reply = ask(selected, request);
  if (!reply) return refuse(reply.error());
  std::cout << (reply->message.empty() ? "done" : reply->message) << '\n';
  return exit_ok;
}

}  // namespace

int command_status(const Target& target, bool json) {
  const auto selected = select(target);
  if (!selected) return exit_usage;
  const auto reply = ask(*selected, Request{Command::status, {}, {}});
  if (!reply) return refuse(reply.error());
  if (!reply->status) return refuse({"bad-reply", "the engine sent no status"});
  std::cout << (json ? to_json(*reply->status) + "\n" : to_text(*reply->status));
  return exit_ok;
}

int command_tell(const Target& target, Command command) {
  const auto selected = select(target);
  if (!selected) return exit_usage;
  return tell(*selected, Request{command, {}, {}});
}

int command_set(const Target& target, const std::string& assignment) {
  const auto selected = select(target);
  if (!selected) return exit_usage;
  const std::size_t equals = assignment.find('=');
  if (equals == std::string::npos) {
    return refuse(
        {"bad-assignment", "\"" + assignment + "\" has no =", "write delay=50ms, or mode=auto"},
        exit_usage);
  }
  const std::string key = assignment.substr(0, equals);
  const std::string value = assignment.substr(equals + 1);
  if (const auto known = parse_setting(key, value); !known) {
    return refuse(known.error(), exit_usage);
  }
  return tell(*selected, Request{Command::set, key, value});
}

}  // namespace colo::app
