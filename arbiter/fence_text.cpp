#include "arbiter/fence_text.h"

#include <algorithm>

namespace colo::arbiter::fence {

namespace {

constexpr std::size_t option_bytes_max = 1024;

bool is_key(std::string_view key) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  };
  return !key.empty() && key.size() <= 64 && std::all_of(key.begin(), key.end(), plain);
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

void add(std::string& text, const AgentOptions& options) {
  for (const auto& [key, value] : options) text += key + "=" + value + "\n";
}

}  // namespace

Result<void> check_option(std::string_view key, std::string_view value) {
  if (!is_key(key)) {
    return fail("bad-option", "an option's name must be letters, digits, - and _",
                "the agent's options are in its manual: `man fence_...`, STDIN PARAMETERS");
  }
  if (key == "action" || key == "option") {
    return fail("bad-option", "`" + std::string(key) + "` is said by the engine",
                "leave it out: the engine asks for off and for status");
  }
  if (value.size() > option_bytes_max || std::any_of(value.begin(), value.end(), is_control)) {
    return fail("bad-option",
                "the value of `" + std::string(key) + "` is too long or no plain text",
                "write one line of text");
  }
  return {};
}

Result<AgentOptions> parse_options(std::string_view text) {
  AgentOptions options;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    const std::size_t equals = line.find('=');
    const bool good = equals != std::string_view::npos &&
                      check_option(line.substr(0, equals), line.substr(equals + 1)).has_value();
    if (!good) {
      return fail("bad-option", "line " + std::to_string(number) + " is not a `key=value`",
                  "write one option of the agent a line, and no action");
    }
    options.emplace_back(line.substr(0, equals), line.substr(equals + 1));
  }
  return options;
}

std::string input_of(const AgentOptions& common, const AgentOptions& target,
                     const AgentOptions& secrets, Action action) {
  std::string text;
  add(text, common);
  add(text, target);
  add(text, secrets);
  return text + (action == Action::off ? "action=off\n" : "action=status\n");
}

Power power_of(int exit_status) {
  if (exit_status == 0) return Power::on;
  return exit_status == 2 ? Power::off : Power::unknown;
}

std::string last_words(const std::string& output, const AgentOptions& secrets) {
  std::string clean = output;
  for (const auto& [key, value] : secrets) {
    for (std::size_t at = 0; !value.empty() && (at = clean.find(value, at)) != std::string::npos;) {
      clean.replace(at, value.size(), "***");
      at += 3;
    }
  }
  std::string last;
  for (std::size_t at = 0; at < clean.size();) {
    const std::size_t end = std::min(clean.find('\n', at), clean.size());
    const std::string line = clean.substr(at, end - at);
    if (line.find_first_not_of(" \t\r") != std::string::npos) last = line;
    at = end + 1;
  }
  last = last.substr(0, 200);
  std::replace_if(
      last.begin(), last.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
  return last;
}

}  // namespace colo::arbiter::fence
