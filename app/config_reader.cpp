#include "app/config_reader.h"

#include <algorithm>

#include "app/units.h"

namespace colo::app {
namespace {

const char* const number_example = "write it like `= 16384`, without quotes";

Error out_of_bounds(const std::string& name, const std::string& value, const std::string& least,
                    const std::string& most, const char* why) {
  return {"out-of-bounds", name + " is " + value + "; it must be from " + least + " to " + most,
          why};
}

}  // namespace

std::vector<ConfigProblem> Problems::take() {
  std::stable_sort(all_.begin(), all_.end(),
                   [](const ConfigProblem& a, const ConfigProblem& b) { return a.line < b.line; });
  return std::move(all_);
}

Result<Duration> within(const std::string& name, Duration value, const DurationBounds& bounds) {
  if (value >= bounds.least && value <= bounds.most) return value;
  return fail(out_of_bounds(name, duration_text(value), duration_text(bounds.least),
                            duration_text(bounds.most), bounds.why));
}

TableReader::TableReader(const TomlNode& table, std::string name, Problems& problems)
    : table_(table),
      entries_(std::get<TomlNode::Table>(table.value)),
      name_(std::move(name)),
      problems_(problems) {}

std::string TableReader::full_name(std::string_view key) const {
  return name_.empty() ? std::string(key) : name_ + "." + std::string(key);
}

const TomlEntry* TableReader::find(const char* key, Need need) {
  known_.emplace_back(key);
  const auto entry = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const TomlEntry& e) { return e.key == key; });
  if (entry != entries_.end()) return &*entry;
  if (need == Need::required) {
    problems_.add(table_.line, {"missing-key", "`" + full_name(key) + "` is missing",
                                "add it; docs/example.toml shows every key"});
  }
  return nullptr;
}

void TableReader::wrong_kind(const TomlEntry& entry, const std::string& wanted) {
  problems_.add(entry.line, {"wrong-kind", "`" + full_name(entry.key) + "` is " + entry.node.kind(),
                             "it must be " + wanted});
}

void TableReader::bad_value(const char* key, std::uint32_t line, Error error) {
  error.reason = "`" + full_name(key) + "`: " + error.reason;
  problems_.add(line, std::move(error));
}

std::uint32_t TableReader::text(const char* key, Need need, std::string& out) {
  const TomlEntry* entry = find(key, need);
  if (entry == nullptr) return 0;
  if (const auto* value = std::get_if<std::string>(&entry->node.value)) {
    out = *value;
    return entry->line;
  }
  wrong_kind(*entry, "a string in quotes");
  return 0;
}

std::uint32_t TableReader::boolean(const char* key, Need need, bool& out) {
  const TomlEntry* entry = find(key, need);
  if (entry == nullptr) return 0;
  if (const auto* value = std::get_if<bool>(&entry->node.value)) {
    out = *value;
    return entry->line;
  }
  wrong_kind(*entry, "true or false, without quotes");
  return 0;
}

std::uint32_t TableReader::number(const char* key, Need need, const NumberBounds& bounds,
                                  std::uint64_t& out) {
  const TomlEntry* entry = find(key, need);
  if (entry == nullptr) return 0;
  const auto* value = std::get_if<std::int64_t>(&entry->node.value);
  if (value == nullptr) {
    wrong_kind(*entry, std::string("a whole number; ") + number_example);
  } else if (*value < 0 || static_cast<std::uint64_t>(*value) < bounds.least ||
             static_cast<std::uint64_t>(*value) > bounds.most) {
    problems_.add(entry->line, out_of_bounds("`" + full_name(key) + "`", std::to_string(*value),
                                             std::to_string(bounds.least),
                                             std::to_string(bounds.most), bounds.why));
  } else {
    out = static_cast<std::uint64_t>(*value);
    return entry->line;
  }
  return 0;
}

std::uint32_t TableReader::duration(const char* key, Need need, const DurationBounds& bounds,
                                    Duration& out) {
  const TomlEntry* entry = find(key, need);
  if (entry == nullptr) return 0;
  const auto* text = std::get_if<std::string>(&entry->node.value);
  if (text == nullptr) {
    bad_value(key, entry->line,
              {"bad-duration", "it is " + entry->node.kind() + ", a duration is a string",
               "write a whole number and a unit in quotes, like \"50ms\""});
    return 0;
  }
  const auto parsed = parse_duration(*text);
  if (!parsed) {
    bad_value(key, entry->line, parsed.error());
    return 0;
  }
  const auto bounded = within("`" + full_name(key) + "`", *parsed, bounds);
  if (!bounded) {
    problems_.add(entry->line, bounded.error());
    return 0;
  }
  out = *bounded;
  return entry->line;
}

std::uint32_t TableReader::size(const char* key, Need need, const NumberBounds& bounds,
                                std::uint64_t& out) {
  const TomlEntry* entry = find(key, need);
  if (entry == nullptr) return 0;
  const auto* text = std::get_if<std::string>(&entry->node.value);
  if (text == nullptr) {
    bad_value(key, entry->line,
              {"bad-size", "it is " + entry->node.kind() + ", a size is a string",
               "write a whole number and a unit in quotes, like \"64MiB\""});
    return 0;
  }
  const auto parsed = parse_size(*text);
  if (!parsed) {
    bad_value(key, entry->line, parsed.error());
  } else if (*parsed < bounds.least || *parsed > bounds.most) {
    problems_.add(entry->line,
                  out_of_bounds("`" + full_name(key) + "`", size_text(*parsed),
                                size_text(bounds.least), size_text(bounds.most), bounds.why));
  } else {
    out = *parsed;
    return entry->line;
  }
  return 0;
}

std::uint32_t TableReader::absolute_path(const char* key, Need need, std::filesystem::path& out,
                                         std::string_view nowhere) {
  std::string text_value;
  const std::uint32_t line = text(key, need, text_value);
  if (line == 0) return 0;
  if (!nowhere.empty() && text_value == nowhere) {
    out.clear();
    return line;
  }
  if (!text_value.starts_with('/')) {
    bad_value(key, line,
              {"bad-path", "\"" + text_value + "\" is not an absolute path",
               "begin it with /: a daemon's working directory is not yours"});
    return 0;
  }
  out = text_value;
  return line;
}

std::uint32_t TableReader::address(const char* key, Need need, Address& out) {
  std::string text_value;
  const std::uint32_t line = text(key, need, text_value);
  if (line == 0) return 0;
  const auto parsed = parse_address(text_value);
  if (!parsed) {
    bad_value(key, line, parsed.error());
    return 0;
  }
  out = *parsed;
  return line;
}

std::uint32_t TableReader::texts(const char* key, Need need, std::vector<std::string>& out) {
  const TomlNode* items = array(key, need);
  if (items == nullptr) return 0;
  std::vector<std::string> all;
  for (const TomlNode& item : std::get<TomlNode::Array>(items->value)) {
    const auto* value = std::get_if<std::string>(&item.value);
    if (value == nullptr) {
      bad_value(key, item.line,
                {"wrong-kind", "it holds " + item.kind(), "every item must be a string in quotes"});
      return 0;
    }
    all.push_back(*value);
  }
  out = std::move(all);
  return items->line;
}

std::uint32_t TableReader::addresses(const char* key, Need need, std::vector<Address>& out) {
  std::vector<std::string> all;
  const std::uint32_t line = texts(key, need, all);
  std::vector<Address> good;
  for (const std::string& item : all) {
    const auto parsed = parse_address(item);
    if (parsed) {
      good.push_back(*parsed);
    } else {
      bad_value(key, line, parsed.error());
    }
  }
  if (line == 0 || good.size() != all.size()) return 0;
  out = std::move(good);
  return line;
}

const TomlNode* TableReader::table(const char* key, Need need) {
  const TomlEntry* entry = find(key, need);
  if (entry == nullptr) return nullptr;
  if (std::holds_alternative<TomlNode::Table>(entry->node.value)) return &entry->node;
  wrong_kind(*entry, "a table, [" + full_name(key) + "]");
  return nullptr;
}

const TomlNode* TableReader::array(const char* key, Need need) {
  const TomlEntry* entry = find(key, need);
  if (entry == nullptr) return nullptr;
  if (std::holds_alternative<TomlNode::Array>(entry->node.value)) return &entry->node;
  wrong_kind(*entry, "an array, in [ ]");
  return nullptr;
}

void TableReader::refuse(const char* key, const std::string& why, const std::string& remedy) {
  if (const TomlEntry* entry = find(key, Need::optional)) {
    problems_.add(entry->line, {"out-of-place", "`" + full_name(key) + "` " + why, remedy});
  }
}

void TableReader::finish() {
  for (const TomlEntry& entry : entries_) {
    if (std::find(known_.begin(), known_.end(), entry.key) != known_.end()) continue;
    problems_.add(entry.line, {"unknown-key", "`" + full_name(entry.key) + "` is not a setting",
                               nearest_hint(entry.key, known_)});
  }
}

std::string nearest_hint(std::string_view wrong, const std::vector<std::string>& known) {
  const std::string* nearest = nullptr;
  std::size_t best = std::max<std::size_t>(2, wrong.size() / 3) + 1;
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(wrong, candidate);
    if (distance < best) {
      best = distance;
      nearest = &candidate;
    }
  }
  if (nearest != nullptr) return "did you mean `" + *nearest + "`?";
  if (known.empty()) return "remove it";
  std::string all = "known here:";
  for (const std::string& candidate : known) all += " " + candidate;
  return all;
}

}  // namespace colo::app
