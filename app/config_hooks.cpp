#include "app/config_hooks.h"

#include <algorithm>

#include "app/names.h"

namespace colo::app {
namespace {

using namespace std::chrono_literals;
using Need = TableReader::Need;

constexpr std::size_t most_hooks = 32;  // they run one after another while the guest stands still
constexpr std::size_t most_words = 64;
constexpr std::size_t word_bytes_max = 4096;  // as long as a path
constexpr DurationBounds timeout_bounds{
    100ms, 600s, "shorter, no program ends in time; longer, the guest stands still as long"};

// Why the command cannot be one; empty if it can.
std::string wrong_command(const std::vector<std::string>& command) {
  if (command.empty()) return "names no program";
  if (!command.front().starts_with('/')) {
    return "begins with \"" + command.front() + "\", not with an absolute path";
  }
  if (command.size() > most_words) return "has more than " + std::to_string(most_words) + " words";
  for (const std::string& word : command) {
    if (word.size() > word_bytes_max) {
      return "has a word of more than " + std::to_string(word_bytes_max) + " bytes";
    }
    if (word.find('\0') != std::string::npos) return "has a word with a zero byte";
  }
  return {};
}

void read_hook(const TomlNode& item, Config& config, Problems& problems) {
  TableReader table(item, "hook", problems);
  HookConfig hook;
  const auto name_line = table.text("name", Need::required, hook.name);
  const auto command_line = table.texts("command", Need::required, hook.command);
  table.duration("timeout", Need::optional, timeout_bounds, hook.timeout);
  table.finish();
  if (command_line != 0) {
    if (const std::string wrong = wrong_command(hook.command); !wrong.empty()) {
      problems.add(command_line, {"bad-command", "`hook.command` " + wrong,
                                  "write the program's absolute path and its arguments, each a "
                                  "string; no shell reads them"});
    }
  }
  if (name_line == 0) return;
  if (!is_guest_name(hook.name)) {
    problems.add(name_line, {"bad-name", "`hook.name` is \"" + hook.name + "\"", hook_name_rule});
  }
  if (std::any_of(config.hooks.begin(), config.hooks.end(),
                  [&](const HookConfig& other) { return other.name == hook.name; })) {
    problems.add(name_line, {"same-name", "two hooks are called \"" + hook.name + "\"",
                             "give each a name of its own"});
    return;
  }
  config.hooks.push_back(std::move(hook));
}

}  // namespace

void read_hooks(TableReader& top, Config& config, Problems& problems) {
  const TomlNode* node = top.array("hook", Need::optional);
  if (node == nullptr) return;
  const auto& items = std::get<TomlNode::Array>(node->value);
  if (items.size() > most_hooks) {
    problems.add(node->line,
                 {"out-of-bounds", "there are " + std::to_string(items.size()) + " hooks",
                  "a guest may have " + std::to_string(most_hooks) +
                      ": they run one after another while it stands still"});
    return;
  }
  for (const TomlNode& item : items) {
    if (std::holds_alternative<TomlNode::Table>(item.value)) {
      read_hook(item, config, problems);
    } else {
      problems.add(item.line, {"wrong-kind", "`hook` holds " + item.kind(),
                               "write [[hook]], a name and a command"});
    }
  }
}

}  // namespace colo::app
