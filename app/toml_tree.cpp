#include "app/toml_tree.h"

#define TOML_EXCEPTIONS 0
#define TOML_HEADER_ONLY 1
#include <toml++/toml.h>

#include "base/overloaded.h"

namespace colo::app {
namespace {

TomlNode convert(const toml::node& node);

TomlNode convert_table(const toml::table& table) {
  TomlNode::Table entries;
  for (const auto& [key, value] : table) {
    entries.push_back({std::string(key.str()), static_cast<std::uint32_t>(key.source().begin.line),
                       convert(value)});
  }
  return {static_cast<std::uint32_t>(table.source().begin.line), std::move(entries)};
}

TomlNode convert(const toml::node& node) {
  if (const toml::table* table = node.as_table()) return convert_table(*table);
  TomlNode out;
  out.line = static_cast<std::uint32_t>(node.source().begin.line);
  if (const toml::array* array = node.as_array()) {
    TomlNode::Array items;
    for (const toml::node& item : *array) items.push_back(convert(item));
    out.value = std::move(items);
  } else if (const auto* text = node.as_string()) {
    out.value = text->get();
  } else if (const auto* number = node.as_integer()) {
    out.value = number->get();
  } else if (const auto* boolean = node.as_boolean()) {
    out.value = boolean->get();
  } else if (node.is_floating_point()) {
    out.value = TomlNode::Other{"a floating-point number"};
  } else {
    out.value = TomlNode::Other{"a date or a time"};
  }
  return out;
}

}  // namespace

std::string TomlNode::kind() const {
  return std::visit(overloaded{[](const Other& other) { return other.kind; },
                               [](const std::string&) { return std::string("a string"); },
                               [](std::int64_t) { return std::string("a number"); },
                               [](bool) { return std::string("true or false"); },
                               [](const Array&) { return std::string("an array"); },
                               [](const Table&) { return std::string("a table"); }},
                    value);
}

ConfigResult<TomlNode> parse_toml(std::string_view text) {
  const toml::parse_result result = toml::parse(text);
  if (!result) {
    const toml::parse_error& error = result.error();
    return tl::unexpected(
        std::vector<ConfigProblem>{{static_cast<std::uint32_t>(error.source().begin.line),
                                    Error{"bad-toml", std::string(error.description()),
                                          "see docs/example.toml for the form of the file"}}});
  }
  return convert_table(result.table());
}

}  // namespace colo::app
