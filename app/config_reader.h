// Reads one table of the configuration: asks for keys, collects problems, and at the end names
// the keys that nobody asked for.
//
// Role: a getter never stops at a problem; it notes it, leaves the setting as it was, and goes on,
//   so that the operator sees every problem at once.
// Threads: none.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "app/config.h"
#include "app/toml_tree.h"

namespace colo::app {

class Problems {
 public:
  void add(std::uint32_t line, Error error) { all_.push_back({line, std::move(error)}); }
  [[nodiscard]] bool empty() const { return all_.empty(); }
  // By line, as an editor shows them.
  [[nodiscard]] std::vector<ConfigProblem> take();

 private:
  std::vector<ConfigProblem> all_;
};

// The reason is part of the bound: an operator who meets it wants to know why.
struct DurationBounds {
  Duration least, most;
  const char* why;
};
struct NumberBounds {
  std::uint64_t least, most;
  const char* why;
};

[[nodiscard]] Result<Duration> within(const std::string& name, Duration value,
                                      const DurationBounds& bounds);

class TableReader {
 public:
  // name: how messages call this table, "limits"; empty for the top of the file.
  // REQUIRES: table holds a TomlNode::Table and outlives the reader, as does problems.
  TableReader(const TomlNode& table, std::string name, Problems& problems);

  enum class Need { required, optional };

  // Each sets `out` and returns the key's line when it is there and right; else 0.
  std::uint32_t text(const char* key, Need need, std::string& out);
  std::uint32_t boolean(const char* key, Need need, bool& out);
  std::uint32_t number(const char* key, Need need, const NumberBounds& bounds, std::uint64_t& out);
  std::uint32_t duration(const char* key, Need need, const DurationBounds& bounds, Duration& out);
  std::uint32_t size(const char* key, Need need, const NumberBounds& bounds, std::uint64_t& out);
  // nowhere: a word that may stand for no path at all; `out` is empty then.
  std::uint32_t absolute_path(const char* key, Need need, std::filesystem::path& out,
                              std::string_view nowhere = {});
  std::uint32_t address(const char* key, Need need, Address& out);
  std::uint32_t texts(const char* key, Need need, std::vector<std::string>& out);
  std::uint32_t addresses(const char* key, Need need, std::vector<Address>& out);

  // The sub-table or array of this key; null when it is absent or of another kind.
  const TomlNode* table(const char* key, Need need);
  const TomlNode* array(const char* key, Need need);

  // A key that exists, but not together with what else the file says.
  void refuse(const char* key, const std::string& why, const std::string& remedy);

  // Call last. Names each unknown key with the nearest known one.
  void finish();

  [[nodiscard]] std::uint32_t line() const { return table_.line; }
  [[nodiscard]] std::string full_name(std::string_view key) const;

 private:
  const TomlEntry* find(const char* key, Need need);
  void wrong_kind(const TomlEntry& entry, const std::string& wanted);
  // Notes the problem of a value under its key's name.
  void bad_value(const char* key, std::uint32_t line, Error error);

  const TomlNode& table_;
  const TomlNode::Table& entries_;
  std::string name_;
  Problems& problems_;
  std::vector<std::string> known_;
};

// "did you mean `delay`?" or the list of all of them.
[[nodiscard]] std::string nearest_hint(std::string_view wrong,
                                       const std::vector<std::string>& known);

}  // namespace colo::app
