// A TOML document as a tree of plain values, each with its line.
//
// Role: keeps the TOML library behind one translation unit; the configuration reads this tree.
// Errors: "bad-toml" with the line; TOML ends at its first syntax error. Threads: none.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "app/config.h"

namespace colo::app {

struct TomlEntry;

struct TomlNode {
  // A value of a kind that no setting has: a date, a floating-point number.
  struct Other {
    std::string kind;
  };
  using Array = std::vector<TomlNode>;
  using Table = std::vector<TomlEntry>;
  std::uint32_t line = 0;
  std::variant<Other, std::string, std::int64_t, bool, Array, Table> value;

  // "a string", "a table": for messages.
  [[nodiscard]] std::string kind() const;
};

struct TomlEntry {
  std::string key;
  std::uint32_t line = 0;
  TomlNode node;
};

// The root is a Table.
[[nodiscard]] ConfigResult<TomlNode> parse_toml(std::string_view text);

}  // namespace colo::app
