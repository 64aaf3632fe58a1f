#include <algorithm>
#include <array>
#include <cstdio>
#include <set>

#include "tests/tidy/rules.h"

namespace colo::tidy {
namespace {

// The targets of [text](target) in one line.
std::vector<std::string> targets_of(const std::string& line) {
  std::vector<std::string> targets;
  for (std::size_t at = line.find("]("); at != std::string::npos; at = line.find("](", at + 2)) {
    const std::size_t end = line.find_first_of(") ", at + 2);
    if (end != std::string::npos) targets.push_back(line.substr(at + 2, end - at - 2));
  }
  return targets;
}

bool is_elsewhere(const std::string& target) {
  return target.find("://") != std::string::npos || target.starts_with("mailto:") ||
         target.starts_with("#");
}

struct Output {
  int status = -1;
  std::vector<std::string> lines;
};

// Standard error together with standard output.
Output run(const std::string& command) {
  Output output;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) return output;
  std::string line;
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) {
    if (c != '\n') {
      line += static_cast<char>(c);
      continue;
    }
    output.lines.push_back(std::move(line));
    line.clear();
  }
  output.status = ::pclose(pipe);
  return output;
}

std::string quoted(const std::string& path) { return "'" + path + "'"; }

}  // namespace

Failures link_rules(const Tree& tree) {
  Failures failures;
  for (const File& file : tree.files) {
    if (!file.is_page()) continue;
    bool example = false;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      if (file.lines[i].starts_with("```")) example = !example;
      if (example) continue;
      for (const std::string& target : targets_of(file.lines[i])) {
        if (is_elsewhere(target)) continue;
        const auto path =
            (tree.root / file.path).parent_path() / target.substr(0, target.find('#'));
        if (!std::filesystem::exists(path)) {
          failures.push_back({file.path, i + 1, "the link leads nowhere: " + target});
        }
      }
    }
  }
  return failures;
}

std::string clang_format_program() {
  for (const char* program : {"clang-format-14", "clang-format"}) {
    const Output version = run(std::string(program) + " --version");
    if (version.status == 0 && !version.lines.empty() &&
        version.lines[0].find("version 14.") != std::string::npos) {
      return program;
    }
  }
  return "";
}

Failures format_rules(const Tree& tree) {
  std::string command = clang_format_program() + " --dry-run -Werror --style=file:" +
                        quoted((tree.root / ".clang-format").string());
  for (const File& file : tree.files) {
    if (file.is_source()) command += " " + quoted((tree.root / file.path).string());
  }
  const Output output = run(command);
  if (output.status == 0) return {};
  Failures failures;
  std::set<std::string> seen;  // the first place of each file is enough: the tool mends them all
  const std::string mark = ": error: code should be clang-formatted";
  for (const std::string& line : output.lines) {
    const std::size_t end = line.find(mark);
    if (end == std::string::npos) continue;
    const std::size_t column = line.rfind(':', end - 1);
    const std::size_t number = line.rfind(':', column - 1);
    const auto path = std::filesystem::path(line.substr(0, number)).lexically_relative(tree.root);
    if (!seen.insert(path.generic_string()).second) continue;
    failures.push_back({path.generic_string(),
                        std::stoul(line.substr(number + 1, column - number - 1)),
                        "not as clang-format 14 writes it: run ./dev format"});
  }
  if (failures.empty()) {
    failures.push_back({".clang-format", 1,
                        "clang-format failed: " + (output.lines.empty() ? "" : output.lines[0])});
  }
  return failures;
}

}  // namespace colo::tidy
