#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "tests/tidy/rules.h"

namespace colo::tidy {
namespace {

using Rooms = std::set<std::string>;

const Rooms all_rooms{"base",    "wire",      "cache", "compare", "heartbeat", "arbiter", "guest",
                      "primary", "secondary", "io",    "app",     "demo",      "drill",   "tests"};

// Which rooms a room may include beside itself.
const std::map<std::string, Rooms> allowed{
    {"base", {}},
    {"wire", {"base"}},
    {"cache", {"base"}},
    {"compare", {"base"}},
    {"heartbeat", {"base"}},
    {"arbiter", {"base", "heartbeat"}},
    {"guest", {"base"}},
    {"primary", {"base", "wire", "cache", "compare", "heartbeat", "guest"}},
    {"secondary", {"base", "wire", "cache", "compare", "heartbeat", "guest"}},
    {"io", {"base", "wire", "compare", "heartbeat", "guest"}},
    {"app",
     {"base", "wire", "cache", "compare", "heartbeat", "arbiter", "guest", "primary", "secondary",
      "io", "drill"}},  // a verb of the command line
    // It drives the binary from outside, and speaks the embedded guest's language as a client.
    {"demo", {"base", "wire", "guest"}},
    // The same, on the demonstration's stage.
    {"drill", {"base", "demo"}},
};

// A core: the pure state machine of a role and what goes in and out of it.
bool is_core(const File& file) {
  for (const char* role : {"primary", "secondary"}) {
    for (const char* part : {"/core", "/events"}) {
      if (file.path.starts_with(std::string(role) + part)) return true;
    }
  }
  return false;
}

const std::set<std::string> core_rooms{"base", "wire", "cache", "compare", "heartbeat"};
const std::set<std::string> core_forbidden{
    "<thread>", "<mutex>",  "<shared_mutex>", "<condition_variable>", "<future>",
    "<atomic>", "<random>", "<ctime>",        "<iostream>",           "<fstream>",
    "<cstdio>", "<time.h>", "<unistd.h>",     "<filesystem>"};
const std::vector<std::string> io_libraries{"<boost/asio", "<asio", "<liburing", "<spdlog/",
                                            "<openssl/",   "<sys/", "<nlohmann/"};

struct Include {
  std::string text;  // with its quotes or brackets
  [[nodiscard]] bool ours() const { return text.front() == '"'; }
  [[nodiscard]] std::string path() const { return text.substr(1, text.size() - 2); }
  [[nodiscard]] std::string room() const { return path().substr(0, path().find('/')); }
};

std::optional<Include> include_of(const std::string& line) {
  std::size_t at = line.find_first_not_of(" \t");
  if (at == std::string::npos || line[at] != '#') return std::nullopt;
  at = line.find_first_not_of(" \t", at + 1);
  if (at == std::string::npos || line.compare(at, 7, "include") != 0) return std::nullopt;
  const std::size_t open = line.find_first_of("\"<", at);
  if (open == std::string::npos) return std::nullopt;
  const std::size_t close = line.find(line[open] == '<' ? '>' : '"', open + 1);
  if (close == std::string::npos) return std::nullopt;
  return Include{line.substr(open, close - open + 1)};
}

bool is_io_library(const std::string& text) {
  return std::any_of(io_libraries.begin(), io_libraries.end(),
                     [&](const std::string& library) { return text.starts_with(library); });
}

std::string core_rule(const File& file, const Include& include) {
  if (include.ours()) {
    if (core_rooms.contains(include.room())) return "";
    // Of its own room a core sees the core only, not the pipelines beside it.
    if (is_core({include.path(), "", {}}) && file.is_in(include.room())) return "";
    return "a core may not include " + include.text;
  }
  if (core_forbidden.contains(include.text) || is_io_library(include.text)) {
    return "a core has no clock, thread, socket, file, random number or log: " + include.text;
  }
  return "";
}

// Empty when the include is allowed.
std::string include_rule(const File& file, const Include& include) {
  const std::string room = file.path.substr(0, file.path.find('/'));
  if (include.ours() && !all_rooms.contains(include.room())) {
    return "an include is written from the top of the tree: " + include.text;
  }
  if (is_core(file)) return core_rule(file, include);
  if (include.ours() && include.path().starts_with("guest/qemu/") && room != "guest" &&
      !file.is_in("tests/guest")) {
    return "only guest/ knows QEMU: " + include.text;
  }
  if (include.ours() && file.is_in("tests/sim") && include.room() == "io") {
    return "the simulator drives cores without io: " + include.text;
  }
  const auto rule = allowed.find(room);
  if (rule == allowed.end()) return "";
  if (include.ours()) {
    if (include.room() == room || rule->second.contains(include.room())) return "";
    return room + " may not include " + include.text;
  }
  const bool pure = room == "base" || room == "wire" || room == "cache" || room == "compare";
  if (pure && is_io_library(include.text)) return room + " does no I/O: " + include.text;
  if (room != "io" && room != "app" && room != "demo" &&
      (include.text.starts_with("<boost/asio") || include.text.starts_with("<liburing") ||
       include.text.starts_with("<spdlog/"))) {
    return "only io and app use " + include.text;
  }
  return "";
}

// A word on its own: "QMP" is not found in "QMPX".
bool has_word(const std::string& line, const std::string& word) {
  const auto part_of_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  for (std::size_t at = line.find(word); at != std::string::npos; at = line.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !part_of_word(line[at - 1])) &&
        (end == line.size() || !part_of_word(line[end])))
      return true;
  }
  return false;
}

}  // namespace

Failures include_rules(const Tree& tree) {
  Failures failures;
  for (const File& file : tree.files) {
    if (!file.is_source()) continue;
    const bool knows_qemu = file.is_in("guest") || file.is_in("demo") || file.is_in("tests");
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      const std::string& line = file.lines[i];
      if (const auto include = include_of(line)) {
        const std::string rule = include_rule(file, *include);
        if (!rule.empty()) failures.push_back({file.path, i + 1, rule});
      }
      if (!knows_qemu && has_word(line, "QMP")) {
        failures.push_back({file.path, i + 1, "only guest/ speaks of QMP"});
      }
      if (is_core(file) && (line.find("steady_clock") != std::string::npos ||
                            line.find("system_clock") != std::string::npos)) {
        failures.push_back({file.path, i + 1, "a core has no clock; time is an argument"});
      }
    }
  }
  return failures;
}

}  // namespace colo::tidy
